package authhttp_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const goodPassword = "correct horse"

// server is the account routes as an application would mount them.
type server struct {
	echo *echo.Echo
	auth *auth.Service
	db   *postgres.DB
}

func serve(t testing.TB, db *postgres.DB, change func(*auth.Config, *authhttp.Options)) *server {
	t.Helper()
	cfg := auth.Config{
		DB: db, JWTSecret: []byte("0123456789abcdef0123456789abcdef"), Registration: auth.RegistrationOpen,
		Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
	}
	opts := authhttp.Options{
		ClientIP:  func(r *http.Request) string { return "client of " + r.RemoteAddr },
		CheckTeam: func(*http.Request, auth.Identity) error { return nil },
		TeamOf: func(_ context.Context, user uuid.UUID) (any, error) {
			return map[string]any{"owner_id": user, "is_personal": true}, nil
		},
	}
	if change != nil {
		change(&cfg, &opts)
	}
	service := auth.New(cfg)
	t.Cleanup(service.Close)
	h := authhttp.New(service, opts)
	e := echo.New()
	e.HTTPErrorHandler = func(err error, c echo.Context) { problem.Write(c.Response(), err) }
	e.POST("/api/auth/register", h.Register)
	e.POST("/api/auth/register-with-team", h.RegisterWithTeam)
	e.POST("/api/auth/jwt/login", h.Login)
	e.POST("/api/auth/jwt/logout", h.Logout)
	e.POST("/api/auth/cookie/login", h.CookieLogin)
	e.POST("/api/auth/cookie/logout", h.CookieLogout)
	e.POST("/api/auth/logout", h.LogoutAny)
	e.GET("/api/users/me", h.Me)
	e.POST("/api/auth/forgot-password", h.ForgotPassword)
	e.POST("/api/auth/reset-password", h.ResetPassword)
	e.POST("/api/auth/request-verify-token", h.RequestVerify)
	e.POST("/api/auth/verify", h.Verify)
	e.PATCH("/api/users/me", h.UpdateMe)
	e.GET("/api/users/:user_id", h.GetUser)
	e.PATCH("/api/users/:user_id", h.UpdateUser)
	e.DELETE("/api/users/:user_id", h.DeleteUser)
	e.POST("/api/auth/jwt/refresh", h.Refresh)
	e.GET("/api/auth/sessions", h.ListSessions)
	e.DELETE("/api/auth/sessions", h.EndSessions)
	e.DELETE("/api/auth/sessions/:session_id", h.EndSession)
	e.GET("/.well-known/jwks.json", h.KeySet)
	return &server{echo: e, auth: service, db: db}
}

func fresh(t *testing.T, change func(*auth.Config, *authhttp.Options)) *server {
	t.Helper()
	return serve(t, dbtest.New(t), change)
}

// do sends a request; headers are given as "Name: value".
func (s *server) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, r)
	return w
}

const (
	jsonType = "Content-Type: application/json"
	formType = "Content-Type: application/x-www-form-urlencoded"
)

func (s *server) register(t *testing.T, email string) {
	t.Helper()
	w := s.do("POST", "/api/auth/register", `{"email":"`+email+`","password":"`+goodPassword+`"}`, jsonType)
	if w.Code != http.StatusCreated {
		t.Fatalf("register: %d %s", w.Code, w.Body)
	}
}

// login returns an Authorization header.
func (s *server) login(t *testing.T, email string) string {
	t.Helper()
	w := s.do("POST", "/api/auth/jwt/login", "username="+email+"&password="+goodPassword, formType)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &token); err != nil || w.Code != http.StatusOK {
		t.Fatalf("login: %d %s", w.Code, w.Body)
	}
	return "Authorization: Bearer " + token.AccessToken
}

// expect compares an answer to the letter, except for texts that are free: those become "…" in what was got. An id becomes "ID".
func expect(t *testing.T, w *httptest.ResponseRecorder, status int, want string) {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	wantType := "application/json"
	if want == "" {
		wantType = ""
	}
	if got := w.Header().Get("Content-Type"); got != wantType {
		t.Errorf("content type %q, want %q", got, wantType)
	}
	if challenge := w.Header().Values("WWW-Authenticate"); len(challenge) > 0 {
		t.Errorf("WWW-Authenticate: %q", challenge)
	}
	if diff := cmp.Diff(parse(t, want), parse(t, w.Body.String())); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func parse(t *testing.T, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return masked(v)
}

func masked(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = maskedField(name, v[name])
		}
	case []any:
		for i := range v {
			v[i] = masked(v[i])
		}
	}
	return v
}

func maskedField(name string, value any) any {
	text, isText := value.(string)
	switch {
	case isText && (name == "msg" || name == "reason" || name == "error"):
		return "…"
	case isText && (name == "id" || name == "owner_id") && uuid.Validate(text) == nil && len(text) == 36 && strings.ToLower(text) == text:
		return "ID"
	}
	return masked(value)
}
