package authhttp

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// DeviceCode answers POST /api/auth/device/code: a program that has no browser asks to be let in.
func (h *Handlers) DeviceCode(c echo.Context) error {
	sent, err := oauthFields(c, "name", "client_id", "scope")
	if err != nil {
		return err
	}
	name := sent["name"]
	if name == "" {
		name = sent["client_id"]
	}
	grant, err := h.opts.Devices.Start(c.Request().Context(), name, sent["scope"], h.client(c))
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, grant)
}

// DeviceToken answers POST /api/auth/device/token: the program asks whether somebody has let it in. What it gets then is an API key.
func (h *Handlers) DeviceToken(c echo.Context) error {
	sent, err := oauthFields(c, "grant_type", "device_code")
	if err != nil {
		return err
	}
	switch {
	case sent["grant_type"] == "":
		return device.Malformed("grant_type is missing.")
	case sent["grant_type"] != device.GrantType:
		return device.UnknownGrant
	case sent["device_code"] == "":
		return device.Malformed("device_code is missing.")
	}
	key, err := h.opts.Devices.Poll(c.Request().Context(), sent["device_code"])
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, map[string]string{"access_token": key, "token_type": "bearer"})
}

// oauthFields reads the fields of a form, as OAuth sends them, or of a JSON object. What cannot be read is invalid_request.
func oauthFields(c echo.Context, names ...string) (map[string]string, error) {
	values := map[string]string{}
	read, faults, err := oauthBody(c.Request())
	if err == nil {
		for _, name := range names {
			values[name], _ = read(name, false)
		}
		err = faults()
	}
	if status := problem.Of(err).Status; err != nil && status < http.StatusInternalServerError && status != http.StatusRequestEntityTooLarge {
		return nil, device.Malformed("The request could not be read: send texts, in a form or a JSON object.")
	}
	return values, err
}

func oauthBody(r *http.Request) (text func(string, bool) (string, bool), faults func() error, err error) {
	if strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "json") {
		o, err := body.JSON(r, maxBody)
		if err != nil {
			return nil, nil, err
		}
		return o.String, o.Err, nil
	}
	f, err := body.Form(r, maxBody)
	if err != nil {
		return nil, nil, err
	}
	return f.Text, f.Err, nil
}
