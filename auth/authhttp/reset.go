package authhttp

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
)

// ForgotPassword answers POST /api/auth/forgot-password: 202 and null, whoever's address it is.
func (h *Handlers) ForgotPassword(c echo.Context) error {
	return h.mailTo(c, h.auth.ForgotPassword)
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

// mailTo asks for a mail to the address in the body, and says nothing of whether there is anybody to send it to.
func (h *Handlers) mailTo(c echo.Context, ask func(ctx context.Context, email string, from auth.Client) error) error {
	email, err := emailOf(c)
	if err != nil {
		return err
	}
	if err := ask(c.Request().Context(), email, h.client(c)); err != nil {
		return err
	}
	return reply(c, http.StatusAccepted, nil)
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
