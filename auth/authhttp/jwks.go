package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// KeySet answers GET /.well-known/jwks.json, to anybody, with the public keys that access tokens are signed with.
func (h *Handlers) KeySet(c echo.Context) error {
	c.Response().Header().Set("Cache-Control", "public, max-age=300")
	return reply(c, http.StatusOK, h.auth.PublicKeys())
}
