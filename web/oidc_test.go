package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/web"
)

// issuers is a site with two ways to sign in, and a clock. The issuer is down; GitHub is asked nothing before somebody comes back.
func issuers(t *testing.T) (s *site, db *postgres.DB, later func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	now := time.Now()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	clock := func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}
	s = newSite(t, func(a *auth.Config, w *web.Config) {
		a.Now, db = clock, a.DB
		service := auth.New(*a)
		t.Cleanup(service.Close)
		w.OIDC = oidc.New(oidc.Config{DB: a.DB, Auth: service, Secrets: [][]byte{a.JWTSecret}, PublicURL: "https://openhands.example.com", Now: clock, Providers: []oidc.Provider{
			{Name: "corp", Title: "The Corp", Issuer: down.URL, ClientID: "x", ClientSecret: "y"},
			{Name: "github", Title: "GitHub", ClientID: "x", ClientSecret: "y", GitHub: &oidc.GitHub{}},
		}})
	})
	return s, db, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

func TestTheSignInPageLeadsToEveryIssuerThatIsConfigured(t *testing.T) {
	t.Parallel()
	s, _, _ := issuers(t)
	compare(t, "login-issuers", body(t, s.get("/account/login?return=%2Fconversations%2F1")))
	res := s.get("/account/sign-in/github?return=//evil.example.com")
	to, err := url.Parse(res.Header.Get("Location"))
	if err != nil || res.StatusCode != http.StatusSeeOther || to.Host != "github.com" || to.Query().Get("state") == "" {
		t.Fatalf("%d to %s", res.StatusCode, to)
	}
	if strings.Contains(to.String(), "evil") || len(res.Cookies()) != 1 || res.Cookies()[0].Name != "openhands_oauth" {
		t.Errorf("to %s with %v", to, res.Cookies())
	}
	if res := s.get("/account/sign-in/corp"); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(body(t, res), "it does not answer") {
		t.Errorf("an issuer that is down: %d", res.StatusCode)
	}
	if res := s.get("/account/sign-in/nobody"); res.StatusCode != http.StatusNotFound || len(res.Cookies()) != 0 {
		t.Errorf("an unknown one: %d", res.StatusCode)
	}
}

func TestIdentitiesAreLinkedAndUnlinkedOnTheirPage(t *testing.T) {
	t.Parallel()
	s, db, later := issuers(t)
	s.user("ada@example.com")
	ada := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	identity := uuid.MustParse("0190a0c4-0000-7000-8000-00000000abcd")
	_, err := db.ExecContext(t.Context(), `
		INSERT INTO identities (id, user_id, provider, issuer, subject, email, created_at)
		SELECT $1, id, 'corp', 'https://corp.example.com', 'x', '<b>ada</b>@work.example.com', '2026-02-03' FROM users`, identity)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "identities", body(t, s.get("/account/identities", ada)))

	linked := s.post("/account/identities/link", url.Values{"provider": {"github"}}, ada)
	to := strings.TrimPrefix(linked.Header.Get("Refresh"), "0; url=")
	if linked.StatusCode != http.StatusOK || !strings.HasPrefix(to, "https://github.com/login/oauth/authorize?") || linked.Header.Get("Location") != "" {
		t.Errorf("link: %d, %v", linked.StatusCode, linked.Header)
	}
	if res := s.postFrom("cross-site", "/account/identities/link", url.Values{"provider": {"github"}}, ada); res.StatusCode != http.StatusForbidden {
		t.Errorf("from a foreign page: %d", res.StatusCode)
	}

	later(11 * time.Minute)
	stale := s.post("/account/identities/unlink", url.Values{"identity": {identity.String()}}, ada)
	if text := body(t, stale); stale.StatusCode != http.StatusForbidden || !strings.Contains(text, `href="/account/step-up?return=/account/identities"`) {
		t.Errorf("long after the sign-in: %d %s", stale.StatusCode, text)
	}
	ada = session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	if res := s.post("/account/identities/unlink", url.Values{"identity": {identity.String()}}, ada); res.StatusCode != http.StatusSeeOther {
		t.Errorf("unlink: %d %s", res.StatusCode, body(t, res))
	}
	if !strings.Contains(body(t, s.get("/account/identities", ada)), "Nothing is linked.") {
		t.Error("it is still there")
	}
	for _, path := range []string{"/account/identities/link", "/account/identities/unlink"} {
		if res := s.post(path, url.Values{"provider": {"github"}}); res.Header.Get("Location") != "/account/login" {
			t.Errorf("%s by a stranger: %d", path, res.StatusCode)
		}
	}
}
