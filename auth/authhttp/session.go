package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Me answers GET /api/users/me and /api/auth/users/me, for a credential of any form.
func (h *Handlers) Me(c echo.Context) error {
	identity, err := h.identity(c)
	if err != nil {
		return err
	}
	if err := h.opts.CheckTeam(c.Request(), identity.User.ID); err != nil {
		return err
	}
	return reply(c, http.StatusOK, identity.User)
}

// Logout answers POST /api/auth/jwt/logout: 204 once the session behind the token has ended. A cookie does not count here, and
// the body is not read.
func (h *Handlers) Logout(c echo.Context) error {
	credential, err := auth.CredentialFrom(c.Request(), h.opts.CookieName)
	if err != nil {
		return err
	}
	if credential.Form == access.FormCookie {
		return problem.Unauthorized
	}
	if err := h.end(c, credential); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// CookieLogout answers POST /api/auth/cookie/logout: 204 once the browser session has ended, and the cookie goes.
func (h *Handlers) CookieLogout(c echo.Context) error {
	if err := h.end(c, auth.CookieFrom(c.Request(), h.opts.CookieName)); err != nil {
		return err
	}
	return h.goodbye(c)
}

// LogoutAny answers POST /api/auth/logout: 204 whoever asks, after ending all sessions that the request carries.
func (h *Handlers) LogoutAny(c echo.Context) error {
	carried, _ := auth.CredentialFrom(c.Request(), h.opts.CookieName) // unreadable: there is nothing to end
	for _, credential := range []access.Credential{carried, auth.CookieFrom(c.Request(), h.opts.CookieName)} {
		if err := h.end(c, credential); err != nil && problem.Of(err).Status != http.StatusUnauthorized {
			return err
		}
	}
	return h.goodbye(c)
}

func (h *Handlers) end(c echo.Context, credential access.Credential) error {
	identity, err := h.auth.Authenticate(c.Request().Context(), credential)
	if err != nil {
		return err
	}
	return h.auth.End(c.Request().Context(), identity.Session)
}

func (h *Handlers) goodbye(c echo.Context) error {
	c.SetCookie(auth.ExpiredCookie(h.opts.CookieName, h.opts.Secure))
	return c.NoContent(http.StatusNoContent)
}
