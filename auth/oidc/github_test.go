package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
)

// hub answers as GitHub does.
type hub struct {
	mu     sync.Mutex
	user   map[string]any
	emails []map[string]any
	status int
	form   url.Values
}

func newHub(t *testing.T) (*hub, string) {
	t.Helper()
	h := &hub{user: map[string]any{"id": 583231, "login": "ann", "name": "Ann"}, emails: []map[string]any{
		{"email": "other@example.com", "primary": false, "verified": true}, {"email": "ann@example.com", "primary": true, "verified": true},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		h.form = r.Form
		if r.Form.Get("code") != "good" { // GitHub says so with a 200
			answer(w, http.StatusOK, map[string]string{"error": "bad_verification_code"})
			return
		}
		answer(w, http.StatusOK, map[string]string{"access_token": "gho_x", "token_type": "bearer", "scope": "read:user,user:email"})
	})
	get := func(v func() any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			h.mu.Lock()
			defer h.mu.Unlock()
			if h.status != 0 || r.Header.Get("Authorization") != "Bearer gho_x" {
				w.WriteHeader(max(h.status, 401))
				return
			}
			answer(w, http.StatusOK, v())
		}
	}
	mux.HandleFunc("GET /user", get(func() any { return h.user }))
	mux.HandleFunc("GET /user/emails", get(func() any { return h.emails }))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return h, server.URL
}

func TestGitHubIsAskedForTheIdAndThePrimaryAddress(t *testing.T) {
	t.Parallel()
	h, at := newHub(t)
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) {
		o.Providers = append(o.Providers, oidc.Provider{Name: "github", Title: "GitHub", ClientID: "id", ClientSecret: "hush", GitHub: &oidc.GitHub{
			AuthorizeURL: at + "/login/oauth/authorize", TokenURL: at + "/login/oauth/access_token", APIURL: at,
		}})
	})
	by := func(code string) (oidc.Outcome, error) {
		begun, err := w.oidc.SignIn(t.Context(), "github", "/")
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(begun.URL)
		if q := u.Query(); q.Get("scope") != "read:user user:email" || q.Get("code_challenge_method") != "S256" || q.Get("redirect_uri") != publicURL+"/api/auth/github/callback" {
			t.Errorf("sent with %v", q)
		}
		return w.oidc.Finish(t.Context(), "github", oidc.Answer{Code: code, State: u.Query().Get("state"), Cookie: begun.Cookie.Value})
	}
	out, err := by("good")
	if err != nil {
		t.Fatal(err)
	}
	ann := w.identify(out.Cookie).User
	if ann.Email != "ann@example.com" || !ann.IsVerified || w.count(`SELECT count(*) FROM identities WHERE issuer = 'https://github.com' AND subject = '583231'`) != 1 {
		t.Errorf("got %+v", ann)
	}
	if h.form.Get("client_secret") != "hush" || len(h.form.Get("code_verifier")) != 43 {
		t.Errorf("the token was asked for with %v", h.form)
	}
	_, err = by("bad")
	refused(t, err, 400, "GitHub did not accept this sign-in")
	h.user["login"] = "renamed"
	if out, err = by("good"); err != nil || w.identify(out.Cookie).User.ID != ann.ID {
		t.Error("another name is another person")
	}
	h.user, h.emails = map[string]any{"id": 2, "login": "ann"}, []map[string]any{{"email": "ann@example.com", "primary": true, "verified": false}}
	_, err = by("good")
	refused(t, err, 400, "OAUTH_USER_ALREADY_EXISTS")
	h.emails = h.emails[:0]
	_, err = by("good")
	refused(t, err, 400, "OAUTH_NOT_AVAILABLE_EMAIL")
	h.user = map[string]any{"login": "ann"}
	_, err = by("good")
	refused(t, err, 502, "")
	h.status = 500
	_, err = by("good")
	refused(t, err, 503, "Signing in by GitHub is not possible")
}
