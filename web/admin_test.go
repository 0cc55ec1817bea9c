package web_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/web"
)

// withBans lets administrators see bans.
func withBans(l **ratelimit.Limiter) option {
	return func(a *auth.Config, w *web.Config) {
		*l = ratelimit.New(ratelimit.Config{DB: a.DB, Secret: []byte(strings.Repeat("k", 32))})
		w.Limiter = *l
	}
}

// signIn gives the cookie of a new session.
func (s *site) enter(email string) *http.Cookie {
	s.t.Helper()
	return session(s.t, s.post("/account/login", url.Values{"email": {email}, "password": {password}}))
}

func (s *site) superuser(email string) (auth.User, *http.Cookie) {
	s.t.Helper()
	u, err := s.auth.CreateUser(s.t.Context(), auth.Registration{Email: email, Password: password}, true)
	if err != nil {
		s.t.Fatal(err)
	}
	return u, s.enter(email)
}

func (s *site) idOf(email string) string {
	s.t.Helper()
	u, found, err := s.auth.FindByEmail(s.t.Context(), email)
	if err != nil || !found {
		s.t.Fatal(found, err)
	}
	return u.ID.String()
}

func TestThePagesOfAdministratorsAreThereForNobodyElse(t *testing.T) {
	t.Parallel()
	var limiter *ratelimit.Limiter
	s := newSite(t, withBans(&limiter))
	_, root := s.superuser("root@example.com")
	s.user("ada@example.com")
	ada := s.enter("ada@example.com")
	for path, posts := range map[string]bool{
		"/account/admin": true, "/account/admin/bans": true, "/account/admin/users/" + s.idOf("ada@example.com"): true,
		"/account/admin/users/" + s.idOf("ada@example.com") + "/delete": true, "/account/admin/users/" + uuid.NewString(): true,
	} {
		for who, cookies := range map[string][]*http.Cookie{"a stranger": nil, "a user": {ada}} {
			if res := s.get(path, cookies...); res.StatusCode != 404 {
				t.Errorf("GET %s by %s: %d", path, who, res.StatusCode)
			}
			if res := s.post(path, url.Values{"do": {"suspend"}, "email": {"x@example.com"}}, cookies...); posts && res.StatusCode != 404 {
				t.Errorf("POST %s by %s: %d", path, who, res.StatusCode)
			}
		}
	}
	if strings.Contains(body(t, s.get("/account/", ada)), "/account/admin") || !strings.Contains(body(t, s.get("/account/", root)), "/account/admin") {
		t.Error("the account page leads the wrong people there")
	}
	if s.who(ada) == "" {
		t.Error("somebody was suspended after all")
	}
	if res := s.get("/account/admin/users/"+uuid.NewString(), root); res.StatusCode == 200 {
		t.Error("a page for nobody")
	}
	if res := s.postFrom("cross-site", "/account/admin", url.Values{"email": {"x@example.com"}}, root); res.StatusCode != 403 {
		t.Errorf("from another site: %d", res.StatusCode)
	}
}

func TestAdministratorsWorkWithAccountsOnPages(t *testing.T) {
	t.Parallel()
	var limiter *ratelimit.Limiter
	s := newSite(t, withBans(&limiter), func(a *auth.Config, _ *web.Config) { a.PublicURL = "https://agents.example.com" })
	_, root := s.superuser("root@example.com")
	made := s.post("/account/admin", url.Values{"email": {"bob@example.com"}, "name": {"Bob <b>"}}, root)
	page := body(t, made)
	if made.StatusCode != 201 || !strings.Contains(page, "https://agents.example.com/account/reset/") || strings.Contains(page, "<b>") {
		t.Fatalf("%d %s", made.StatusCode, page)
	}
	bob := "/account/admin/users/" + s.idOf("bob@example.com")
	if strings.Contains(body(t, s.get(bob, root)), "/account/reset/") {
		t.Error("the link is shown again")
	}
	if again := s.post("/account/admin", url.Values{"email": {"BOB@example.com"}}, root); again.StatusCode != 400 || !strings.Contains(body(t, again), "There is an account") {
		t.Errorf("%d", again.StatusCode)
	}
	for _, step := range []struct{ do, shows string }{
		{"verify", "active; made"}, {"suspend", "suspended; made"}, {"reactivate", "active; made"}, {"grant-admin", "active, administrator"},
		{"revoke-admin", "active; made"}, {"end-sessions", "active; made"},
	} {
		wantRedirect(t, s.post(bob, url.Values{"do": {step.do}}, root), bob)
		if page := body(t, s.get(bob, root)); !strings.Contains(page, step.shows) {
			t.Errorf("after %s: %s", step.do, page)
		}
	}
	if res := s.post(bob, url.Values{"do": {"dance"}}, root); res.StatusCode != 400 {
		t.Errorf("%d", res.StatusCode)
	}
	if page := body(t, s.get("/account/admin?q=BOB&status=active", root)); !strings.Contains(page, "bob@example.com") || strings.Contains(page, "users/"+s.idOf("root@example.com")) {
		t.Error(page)
	}
	self := "/account/admin/users/" + s.idOf("root@example.com")
	if res := s.post(self+"/delete", nil, root); res.StatusCode != 409 || !strings.Contains(body(t, res), "last administrator") {
		t.Errorf("%d", res.StatusCode)
	}
	wantRedirect(t, s.post(bob+"/delete", nil, root), "/account/admin")
	if res := s.get(bob, root); res.StatusCode == 200 {
		t.Error("the account is still there")
	}

	if err := limiter.Ban(t.Context(), ratelimit.KindIP, "192.0.2.7", time.Hour, "a test", "root@example.com"); err != nil {
		t.Fatal(err)
	}
	if page := body(t, s.get("/account/admin/bans", root)); !strings.Contains(page, "192.0.2.7") || !strings.Contains(page, "a test") {
		t.Error(page)
	}
	wantRedirect(t, s.post("/account/admin/bans", url.Values{"kind": {ratelimit.KindIP}, "key": {"192.0.2.7"}}, root), "/account/admin/bans")
	if res := s.post("/account/admin/bans", url.Values{"kind": {ratelimit.KindIP}, "key": {"192.0.2.7"}}, root); res.StatusCode != 404 || !strings.Contains(body(t, res), "Nobody is banned") {
		t.Errorf("%d", res.StatusCode)
	}
}

func TestWhatCannotBeTakenBackLeadsToAProof(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := newSite(t, func(a *auth.Config, _ *web.Config) { a.Now = func() time.Time { return now } })
	_, root := s.superuser("root@example.com")
	s.user("bob@example.com")
	bob := "/account/admin/users/" + s.idOf("bob@example.com")
	cookie := s.enter("bob@example.com")
	now = now.Add(11 * time.Minute)
	for path, form := range map[string]url.Values{bob: {"do": {"grant-admin"}}, bob + "/delete": {}} {
		res := s.post(path, form, root)
		if page := body(t, res); res.StatusCode != 403 || !strings.Contains(page, "/account/step-up?return="+path) {
			t.Errorf("%s: %d %s", path, res.StatusCode, page)
		}
	}
	res := s.post("/account/delete", nil, cookie)
	if page := body(t, res); res.StatusCode != 403 || !strings.Contains(page, "/account/step-up?return=/account/delete") {
		t.Errorf("%d %s", res.StatusCode, page)
	}
}

func TestPeopleDeleteTheirAccountsOnAPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	wantRedirect(t, s.get("/account/delete"), "/account/login")
	wantRedirect(t, s.post("/account/delete", nil), "/account/login")
	s.user("ada@example.com")
	ada := s.enter("ada@example.com")
	if res := s.get("/account/delete", ada); res.StatusCode != 200 || s.who(ada) == "" {
		t.Error("the page by itself deletes")
	}
	if res := s.post("/account/delete", url.Values{"password": {"wrong"}}, ada); res.StatusCode != 400 || s.who(ada) == "" {
		t.Errorf("%d", res.StatusCode)
	}
	res := s.post("/account/delete", url.Values{"password": {password}}, ada)
	wantRedirect(t, res, "/account/login")
	if c := session(t, res); c.MaxAge >= 0 || s.who(ada) != "" || res.Header.Get("Clear-Site-Data") == "" {
		t.Errorf("the browser keeps %v", c)
	}
	_, _ = io.Copy(io.Discard, res.Body)
}
