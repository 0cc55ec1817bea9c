package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/internal/body"
)

// RequestVerify answers POST /api/auth/request-verify-token: 202 and null, whoever's address it is.
func (h *Handlers) RequestVerify(c echo.Context) error {
	return h.mailTo(c, h.auth.RequestVerify)
}

// Verify answers POST /api/auth/verify: 200 and the user, whose address is proved.
func (h *Handlers) Verify(c echo.Context) error {
	o, err := body.Params(c.Request(), maxBody)
	if err != nil {
		return err
	}
	token, _ := o.String("token", true)
	if err := o.Err(); err != nil {
		return err
	}
	user, err := h.auth.Verify(c.Request().Context(), token, h.client(c))
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, user)
}
