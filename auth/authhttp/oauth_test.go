package authhttp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// hubbed is the routes of GitHub, which answers for one user.
func hubbed(t *testing.T) *server {
	t.Helper()
	mux := http.NewServeMux()
	for path, said := range map[string]any{
		"/token": map[string]string{"access_token": "x", "token_type": "bearer"}, "/user": map[string]any{"id": 1, "name": "Ann"},
		"/user/emails": []map[string]any{{"email": "ann@example.com", "primary": true, "verified": true}},
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(said)
		})
	}
	hub := httptest.NewServer(mux)
	t.Cleanup(hub.Close)
	s := &server{echo: echo.New(), db: dbtest.New(t)}
	s.auth = auth.New(auth.Config{
		DB: s.db, JWTSecret: []byte(strings.Repeat("k", 32)), Registration: auth.RegistrationOpen, Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
	})
	t.Cleanup(s.auth.Close)
	h := authhttp.New(s.auth, authhttp.Options{ClientIP: func(*http.Request) string { return "192.0.2.1" }, OAuth: authhttp.OAuth{
		Service: oidc.New(oidc.Config{
			DB: s.db, Auth: s.auth, Secrets: [][]byte{[]byte(strings.Repeat("k", 32))}, PublicURL: "http://localhost", Providers: []oidc.Provider{{
				Name: "github", ClientID: "x", ClientSecret: "y", GitHub: &oidc.GitHub{AuthorizeURL: "https://hub.example.com/authorize", TokenURL: hub.URL + "/token", APIURL: hub.URL},
			}},
		}),
		Return: func(path string) string { return "/safe" + path },
		Page: func(c echo.Context, to string, err error) error {
			return c.HTML(problem.Of(err).Status, fmt.Sprint("page on the way to ", to, ": ", problem.Of(err).Detail))
		},
	}})
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) { problem.Write(c.Response(), err) }
	s.echo.GET("/api/auth/github/authorize", h.Authorize("github"))
	s.echo.GET("/api/auth/github/callback", h.Callback("github"))
	return s
}

// begin returns the state, and the cookie that belongs to it.
func (s *server) begin(t *testing.T, query string) (state, cookie string) {
	t.Helper()
	w := s.do("GET", "/api/auth/github/authorize"+query, "")
	var said map[string]string
	if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || len(said) != 1 || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("authorize: %d %s", w.Code, w.Body)
	}
	to, err := url.Parse(said["authorization_url"])
	if err != nil || to.Host != "hub.example.com" || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatalf("sent to %s", to)
	}
	return to.Query().Get("state"), w.Result().Cookies()[0].Name + "=" + w.Result().Cookies()[0].Value
}

func TestAnIssuersAnswerBecomesACookieAndARedirectToASafePlace(t *testing.T) {
	t.Parallel()
	s := hubbed(t)
	_, err := s.auth.CreateUser(t.Context(), auth.Registration{Email: "planted@example.com", Password: goodPassword}, false)
	if err != nil {
		t.Fatal(err)
	}
	planted, _, err := s.auth.OpenBrowser(t.Context(), "planted@example.com", goodPassword, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	state, cookie := s.begin(t, "?return=/x")
	w := s.do("GET", "/api/auth/github/callback?code=1&state="+state, "", "Cookie: "+cookie+"; openhands_session="+planted)
	if w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/safe") || w.Header().Get("Cache-Control") != "no-store" ||
		w.Header().Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("callback: %d %v %s", w.Code, w.Header(), w.Body)
	}
	set := map[string]*http.Cookie{}
	for _, c := range w.Result().Cookies() {
		set[c.Name] = c
	}
	session := set["openhands_session"]
	if session == nil || !session.HttpOnly || session.SameSite != http.SameSiteLaxMode || set["openhands_oauth"] == nil || set["openhands_oauth"].MaxAge >= 0 {
		t.Fatalf("cookies %v", set)
	}
	id, err := s.auth.Authenticate(t.Context(), access.Credential{Form: access.FormCookie, Token: session.Value})
	if err != nil || id.User.Email != "ann@example.com" {
		t.Errorf("signed in %v, %v", id.User, err)
	}
	if _, err := s.auth.Authenticate(t.Context(), access.Credential{Form: access.FormCookie, Token: planted}); err == nil {
		t.Error("the session that the browser came with goes on")
	}
}

func TestAFaultOfAnIssuersAnswerIsACodeForProgramsAndAPageForPeople(t *testing.T) {
	t.Parallel()
	s := hubbed(t)
	state, cookie := s.begin(t, "")
	for query, want := range map[string]string{
		"":                              `{"detail":"Bad Request"}`,
		"?error=x":                      `{"detail":"x"}`,
		"?error=%3Cb%3E&code=1":         `{"detail":"\u003cb\u003e"}`,
		"?code=1":                       `{"detail":"ACCESS_TOKEN_DECODE_ERROR"}`,
		"?code=1&state=" + state + "x":  `{"detail":"ACCESS_TOKEN_DECODE_ERROR"}`,
		"?code=1&state=" + state:        `{"detail":"OAUTH_INVALID_STATE"}`,
		"?code=1&iss=https://a&state=x": `{"detail":"ACCESS_TOKEN_DECODE_ERROR"}`,
	} {
		if w := s.do("GET", "/api/auth/github/callback"+query, ""); w.Code != http.StatusBadRequest || strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%q: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
	for _, header := range []string{"Accept: text/html,application/xhtml+xml", "Sec-Fetch-Mode: navigate"} {
		if w := s.do("GET", "/api/auth/github/callback?error=x", "", header); w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Body.String(), "page on the way") {
			t.Errorf("%s: %d %s", header, w.Code, w.Body)
		}
	}
	for said, shown := range map[string]bool{"access_denied": true, "Call+us": false, "LOGIN_USER_NOT_VERIFIED": false} {
		w := s.do("GET", "/api/auth/github/callback?error="+said, "", "Accept: text/html")
		if strings.Contains(w.Body.String(), strings.ReplaceAll(said, "+", " ")) != shown {
			t.Errorf("what anybody wrote into a link: %s", w.Body)
		}
	}
	if w := s.do("GET", "/api/auth/github/callback?code=1&state="+state, "", "Cookie: "+cookie); w.Code != http.StatusSeeOther {
		t.Errorf("the faults used the state up: %d %s", w.Code, w.Body)
	}
}
