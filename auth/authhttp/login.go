package authhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Login answers POST /api/auth/jwt/login: 200 and an access token.
func (h *Handlers) Login(c echo.Context) error {
	username, password, err := loginForm(c)
	if err != nil {
		return err
	}
	token, err := h.auth.Login(c.Request().Context(), username, password, h.client(c))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return reply(c, http.StatusOK, map[string]string{"access_token": token.AccessToken, "token_type": "bearer"})
}

// CookieLogin answers POST /api/auth/cookie/login: the same form, 204 and the cookie.
func (h *Handlers) CookieLogin(c echo.Context) error {
	username, password, err := loginForm(c)
	if err != nil {
		return err
	}
	value, expires, err := h.auth.OpenBrowser(c.Request().Context(), username, password, h.client(c))
	if err != nil {
		return err
	}
	c.SetCookie(auth.NewCookie(h.opts.CookieName, h.opts.Secure, value, expires))
	return c.NoContent(http.StatusNoContent)
}

// loginForm reads OAuth2's password form.
func loginForm(c echo.Context) (username, password string, err error) {
	f, err := body.Form(c.Request(), maxBody)
	if err != nil {
		return "", "", err
	}
	if grant, given := f.Text("grant_type", false); given && grant != "password" {
		f.Fault(problem.Field{
			Type: "string_pattern_mismatch", Loc: []any{"body", "grant_type"}, Msg: "String should match pattern '^password$'",
			Input: grant, Ctx: map[string]any{"pattern": "^password$"},
		})
	}
	username, _ = f.Text("username", true)
	password, _ = f.Text("password", true)
	for _, unused := range []string{"scope", "client_id", "client_secret"} {
		f.Text(unused, false) // may be anything but a file
	}
	return username, password, f.Err()
}
