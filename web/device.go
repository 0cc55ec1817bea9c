package web

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/device"
)

// devicePage is where people type the code that a device shows. It is the one page here that signing in may lead back to.
const devicePage = "/account/device"

const deviceTitle = "Sign in a device"

// deviceView is a device that asks, as the page shows it.
type deviceView struct {
	Code   string
	Name   string
	IP     string
	Age    string
	Writes bool
}

// DevicePage shows the form for the code; a link from the device has filled it in. Looking at it decides nothing.
func (p *Pages) DevicePage(c echo.Context) error {
	id, found := p.current(c)
	code := device.ShowUserCode(c.QueryParam("user_code"))
	if !found {
		return p.leave(c, loginPage+"?return="+url.QueryEscape(deviceReturn(code)))
	}
	return p.render(c, http.StatusOK, "device", view{Title: deviceTitle, SignedIn: id.User.Email, Device: deviceView{Code: code}})
}

func deviceReturn(code string) string {
	if code == "" {
		return devicePage
	}
	return devicePage + "?user_code=" + code
}

// Device takes the code, shows who asks, and takes the decision.
func (p *Pages) Device(c echo.Context) error {
	id, found := p.current(c)
	code := c.FormValue("user_code")
	if !found {
		return p.leave(c, loginPage+"?return="+url.QueryEscape(deviceReturn(device.ShowUserCode(code))))
	}
	v := view{Title: deviceTitle, SignedIn: id.User.Email, Device: deviceView{Code: device.ShowUserCode(code)}}
	switch c.FormValue("decision") {
	case "approve":
		return p.decideDevice(c, id, v, code, true)
	case "deny":
		return p.decideDevice(c, id, v, code, false)
	}
	request, err := p.cfg.Devices.Look(c.Request().Context(), id, code, p.client(c))
	if err != nil {
		return p.again(c, "device", v, err)
	}
	v.Device = deviceView{
		Code: v.Device.Code, Name: request.Name, IP: request.IP, Age: age(time.Since(request.Created)),
		Writes: len(request.Scopes) == 0 || request.Scopes[len(request.Scopes)-1] == "write",
	}
	return p.render(c, http.StatusOK, "device", v)
}

func (p *Pages) decideDevice(c echo.Context, id auth.Identity, v view, code string, approve bool) error {
	if err := p.cfg.Devices.Decide(c.Request().Context(), id, code, approve, p.client(c)); err != nil {
		return p.again(c, "device", v, err)
	}
	v.Title, v.Lead = "The device is signed in", "Go back to it: it goes on within a few seconds. Its key is in the list of your API keys, where you can end it."
	if !approve {
		v.Title, v.Lead = "The device was sent away", "It gets nothing. If you did not start this yourself, somebody may have tried to get into your account."
	}
	return p.render(c, http.StatusOK, "device-done", v)
}

// age says how long ago a device asked, as exactly as it matters.
func age(ago time.Duration) string {
	switch minutes := int(ago / time.Minute); minutes {
	case 0:
		return "less than a minute ago"
	case 1:
		return "a minute ago"
	default:
		return fmt.Sprintf("%d minutes ago", minutes)
	}
}
