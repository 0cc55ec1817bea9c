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
	identity, err := h.known(c)
	if err != nil {
		return err
	}
	if err := h.opts.CheckTeam(c.Request(), identity); err != nil {
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
	if _, err := h.auth.Identify(c.Request().Context(), credential); err != nil { // the contract asks for a verified address here, too
		return err
	}
	if err := h.auth.SignOut(c.Request().Context(), credential); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// CookieLogout answers POST /api/auth/cookie/logout: 204 once the browser session has ended, and the cookie goes.
func (h *Handlers) CookieLogout(c echo.Context) error {
	if err := h.auth.SignOut(c.Request().Context(), auth.CookieFrom(c.Request(), h.opts.CookieName)); err != nil {
		return err
	}
	return h.goodbye(c)
}

// LogoutAny answers POST /api/auth/logout: 204 whoever asks, after ending all sessions that the request carries.
func (h *Handlers) LogoutAny(c echo.Context) error {
	carried, _ := auth.CredentialFrom(c.Request(), h.opts.CookieName) // unreadable: there is nothing to end
	for _, credential := range []access.Credential{carried, auth.CookieFrom(c.Request(), h.opts.CookieName)} {
		if err := h.endIfAny(c, credential); err != nil {
			return err
		}
	}
	return h.goodbye(c)
}

// endIfAny ends the session of a credential, if it has one. Its error is that this cannot be done now.
func (h *Handlers) endIfAny(c echo.Context, credential access.Credential) error {
	err := h.auth.SignOut(c.Request().Context(), credential)
	if err != nil && problem.Of(err).Status >= http.StatusInternalServerError {
		return err
	}
	return nil
}

func (h *Handlers) goodbye(c echo.Context) error {
	c.SetCookie(auth.ExpiredCookie(h.opts.CookieName, h.opts.Secure))
	return c.NoContent(http.StatusNoContent)
}
