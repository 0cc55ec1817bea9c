package authhttp

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Login answers POST /api/auth/jwt/login: 200 and an access token, with a refresh token for those who ask for it.
func (h *Handlers) Login(c echo.Context) error {
	in, err := loginForm(c)
	if err != nil {
		return err
	}
	var options []func(*auth.SignIn)
	if in.offline {
		options = append(options, auth.Offline)
	}
	token, err := h.auth.Login(c.Request().Context(), in.username, in.password, h.client(c), options...)
	if err != nil {
		return err
	}
	return h.replyToken(c, token)
}

// Refresh answers POST /api/auth/jwt/refresh: 200 and an access token with the refresh token that comes after the one that was sent.
func (h *Handlers) Refresh(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	refresh, _ := o.String("refresh_token", true)
	if err := o.Err(); err != nil {
		return err
	}
	token, err := h.auth.Refresh(c.Request().Context(), refresh, h.client(c))
	if err != nil {
		return err
	}
	return h.replyToken(c, token)
}

// tokenBody is OAuth2's answer: the contract's two keys, and two more beside a refresh token.
type tokenBody struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	RefreshToken string `json:"refresh_token,omitempty"`
	ExpiresIn    int    `json:"expires_in,omitempty"` // seconds
}

// replyToken answers with tokens, which nobody on the way may keep.
func (h *Handlers) replyToken(c echo.Context, t auth.Token) error {
	answer := tokenBody{AccessToken: t.AccessToken, TokenType: "bearer"}
	if t.RefreshToken != "" {
		answer.RefreshToken, answer.ExpiresIn = t.RefreshToken, int(t.Lifetime.Seconds())
	}
	return onlyCopy(c, http.StatusOK, answer)
}

// CookieLogin answers POST /api/auth/cookie/login: the same form, 204 and the cookie.
func (h *Handlers) CookieLogin(c echo.Context) error {
	in, err := loginForm(c)
	if err != nil {
		return err
	}
	value, expires, err := h.auth.OpenBrowser(c.Request().Context(), in.username, in.password, h.client(c))
	if err != nil {
		return err
	}
	return h.welcome(c, value, expires)
}

// welcome gives the browser its new session. The session that it came with ends: nothing that was planted in the browser before the
// sign-in is worth anything after it.
func (h *Handlers) welcome(c echo.Context, value string, expires time.Time) error {
	if err := h.endIfAny(c, auth.CookieFrom(c.Request(), h.opts.CookieName)); err != nil {
		return err
	}
	c.SetCookie(auth.NewCookie(h.opts.CookieName, h.opts.Secure, value, expires))
	return c.NoContent(http.StatusNoContent)
}

// credentials is what a login form holds.
type credentials struct {
	username, password string
	offline            bool // a refresh token is wanted
}

// offlineAccess is the scope that asks for a refresh token, as OpenID Connect calls it.
const offlineAccess = "offline_access"

// loginForm reads OAuth2's password form.
func loginForm(c echo.Context) (in credentials, err error) {
	f, err := body.Form(c.Request(), maxBody)
	if err != nil {
		return credentials{}, err
	}
	if grant, given := f.Text("grant_type", false); given && grant != "password" {
		f.Fault(problem.Field{
			Type: "string_pattern_mismatch", Loc: []any{"body", "grant_type"}, Msg: "String should match pattern '^password$'",
			Input: grant, Ctx: map[string]any{"pattern": "^password$"},
		})
	}
	in.username, _ = f.Text("username", true)
	in.password, _ = f.Text("password", true)
	scope, _ := f.Text("scope", false)
	for _, unused := range []string{"client_id", "client_secret"} {
		f.Text(unused, false) // may be anything but a file
	}
	in.offline = slices.Contains(strings.Fields(scope), offlineAccess)
	return in, f.Err()
}
