package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
)

// ForgotPassword answers POST /api/auth/forgot-password: 202 and null, whoever's address it is.
func (h *Handlers) ForgotPassword(c echo.Context) error {
	email, err := emailOf(c)
	if err != nil {
		return err
	}
	if err := h.auth.ForgotPassword(c.Request().Context(), email, h.client(c)); err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, nil)
}

// ResetPassword answers POST /api/auth/reset-password: 200 and null.
func (h *Handlers) ResetPassword(c echo.Context) error {
	o, err := body.Params(c.Request(), maxBody)
	if err != nil {
		return err
	}
	token, _ := o.String("token", true)
	password, _ := o.String("password", true)
	if err := o.Err(); err != nil {
		return err
	}
	if err := h.auth.ResetPassword(c.Request().Context(), token, password, h.client(c)); err != nil {
		return err
	}
	return reply(c, http.StatusOK, nil)
}

// emailOf reads a body whose one field is an address.
func emailOf(c echo.Context) (string, error) {
	o, err := body.Params(c.Request(), maxBody)
	if err != nil {
		return "", err
	}
	email, ok := o.String("email", true)
	if ok {
		o.Fault(auth.EmailFaults(email)...)
	}
	return email, o.Err()
}
