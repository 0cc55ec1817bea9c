package web_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/web"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	cookieName = "openhands_session"
	password   = "correct horse battery"
)

// site is the pages on a server as the program has them: behind the check against foreign origins.
type site struct {
	t       *testing.T
	auth    *auth.Service
	handler http.Handler
}

type option func(*auth.Config, *web.Config)

func registration(mode string) option {
	return func(a *auth.Config, w *web.Config) { a.Registration, w.Registration = mode, mode }
}

func anonymous(_ *auth.Config, w *web.Config) {
	w.Anonymous = func(context.Context) bool { return true }
}

func newSite(t *testing.T, options ...option) *site {
	t.Helper()
	ac := auth.Config{
		DB: dbtest.New(t), JWTSecret: []byte(strings.Repeat("k", 32)), Registration: auth.RegistrationOpen,
		Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
	}
	wc := web.Config{CookieName: cookieName, Registration: auth.RegistrationOpen, ClientIP: func(r *http.Request) string { return r.RemoteAddr }}
	for _, o := range options {
		o(&ac, &wc)
	}
	wc.Auth = auth.New(ac)
	if v, given := ac.Factors.(*factor.Verifier); given {
		wc.Factors = factor.New(v, wc.Auth, nil)
	}
	t.Cleanup(wc.Auth.Close)
	return &site{t: t, auth: wc.Auth, handler: http.NewCrossOriginProtection().Handler(routed(web.New(wc)))}
}

func routed(p *web.Pages) http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { problem.Write(c.Response(), err) }
	e.GET("/account/login", p.LoginPage)
	e.POST("/account/login", p.Login)
	e.GET("/account/register", p.RegisterPage)
	e.POST("/account/register", p.Register)
	e.GET("/account/device", p.DevicePage)
	e.POST("/account/device", p.Device)
	e.GET("/account/forgot", p.ForgotPage)
	e.POST("/account/forgot", p.Forgot)
	e.GET("/account/reset/:token", p.ResetPage)
	e.POST("/account/reset/:token", p.Reset)
	e.GET("/account/verify", p.UnverifiedPage)
	e.POST("/account/verify", p.Unverified)
	e.GET("/account/verify/:token", p.VerifyPage)
	e.POST("/account/verify/:token", p.Verify)
	e.GET("/account/revert/:token", p.RevertPage)
	e.POST("/account/revert/:token", p.Revert)
	e.GET("/account/setup/:token", p.SetupPage)
	e.POST("/account/setup/:token", p.Setup)
	e.POST("/account/logout", p.Logout)
	e.POST("/account/team", p.SwitchTeam)
	e.GET("/account/factor", p.FactorPage)
	e.POST("/account/factor", p.Factor)
	e.GET("/account/passkey", p.PasskeyPage)
	e.GET("/account/step-up", p.StepUpPage)
	e.POST("/account/step-up", p.StepUp)
	e.GET("/account/security", p.SecurityPage)
	e.POST("/account/security/totp", p.Enrol)
	e.POST("/account/security/totp/confirm", p.ConfirmEnrolment)
	e.POST("/account/security/totp/remove", p.RemoveEnrolment)
	e.POST("/account/security/recovery-codes", p.RenewCodes)
	e.GET("/account/sessions", p.SessionsPage)
	e.POST("/account/sessions", p.EndSessions)
	e.GET("/account/keys", p.KeysPage)
	e.POST("/account/keys", p.ChangeKeys)
	e.GET("/account/sign-in/:provider", p.SignInBy)
	e.GET("/account/identities", p.IdentitiesPage)
	e.POST("/account/identities/link", p.LinkIdentity)
	e.POST("/account/identities/unlink", p.UnlinkIdentity)
	e.GET("/account/", p.AccountPage)
	e.GET("/account/delete", p.DeletePage)
	e.POST("/account/delete", p.Delete)
	e.GET("/account/admin", p.AdminPage)
	e.POST("/account/admin", p.AdminCreate)
	e.GET("/account/admin/users/:user_id", p.AdminUserPage)
	e.POST("/account/admin/users/:user_id", p.AdminUser)
	e.GET("/account/admin/users/:user_id/delete", p.AdminDeletePage)
	e.POST("/account/admin/users/:user_id/delete", p.AdminDelete)
	e.GET("/account/admin/mail", p.AdminMailPage)
	e.GET("/account/admin/bans", p.AdminBansPage)
	e.POST("/account/admin/bans", p.AdminBans)
	e.GET("/account/assets/*", p.Asset)
	return e
}

func (s *site) get(path string, cookies ...*http.Cookie) *http.Response {
	s.t.Helper()
	return s.do(httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, path, nil), cookies...)
}

// post sends a form as a browser does from our own page.
func (s *site) post(path string, form url.Values, cookies ...*http.Cookie) *http.Response {
	s.t.Helper()
	return s.postFrom("same-origin", path, form, cookies...)
}

func (s *site) postFrom(place, path string, form url.Values, cookies ...*http.Cookie) *http.Response {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", place)
	return s.do(r, cookies...)
}

func (s *site) do(r *http.Request, cookies ...*http.Cookie) *http.Response {
	s.t.Helper()
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

func (s *site) user(email string) {
	s.t.Helper()
	if _, err := s.auth.CreateUser(s.t.Context(), auth.Registration{Email: email, Password: password}, false); err != nil {
		s.t.Fatal(err)
	}
}

// who asks auth whose cookie this is; "" when it is worth nothing.
func (s *site) who(c *http.Cookie) string {
	s.t.Helper()
	id, err := s.auth.Authenticate(s.t.Context(), access.Credential{Form: access.FormCookie, Token: c.Value})
	if err != nil {
		return ""
	}
	return id.User.Email
}

func session(t *testing.T, res *http.Response) *http.Cookie {
	t.Helper()
	for _, c := range res.Cookies() {
		if c.Name == cookieName {
			return c
		}
	}
	t.Fatalf("no session cookie came with %d", res.StatusCode)
	return nil
}

func wantRedirect(t *testing.T, res *http.Response, to string) {
	t.Helper()
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != to {
		t.Fatalf("got %d to %q, want 303 to %q", res.StatusCode, res.Header.Get("Location"), to)
	}
}
