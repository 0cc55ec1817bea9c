package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/web"
)

const (
	firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
	hostile = `<script>alert(1)</script>/1`
)

// signIn signs in by the form, as a browser that says what it is.
func (s *site) signIn(email, agent string) *http.Cookie {
	s.t.Helper()
	form := url.Values{"email": {email}, "password": {password}}
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPost, "/account/login", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("User-Agent", agent)
	return session(s.t, s.do(r))
}

// sessionIDs are those that the page can end.
func sessionIDs(page string) (ids []string) {
	for _, found := range regexp.MustCompile(`name="end" value="([0-9a-f-]{36})"`).FindAllStringSubmatch(page, -1) {
		ids = append(ids, found[1])
	}
	return ids
}

func TestTheSessionsPageLooksAsAgreed(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 9, 5, 0, 0, time.UTC)
	s := newSite(t, func(a *auth.Config, w *web.Config) {
		a.Now = func() time.Time { return at }
		w.ClientIP = func(*http.Request) string { return "192.0.2.7" }
	})
	s.user("ada@example.com")
	s.signIn("ada@example.com", hostile)
	if _, err := s.auth.Login(t.Context(), "ada@example.com", password, auth.Client{UserAgent: "curl/8"}, auth.Offline); err != nil {
		t.Fatal(err)
	}
	res := s.get("/account/sessions", s.signIn("ada@example.com", firefox))
	page := body(t, res)
	for i, id := range sessionIDs(page) {
		page = strings.ReplaceAll(page, id, "session-"+string(rune('1'+i)))
	}
	compare(t, "sessions", page)
	if res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
}

func TestTheSessionsPageEndsOneSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	s.user("bob@example.com")
	ada, other, bob := s.signIn("ada@example.com", firefox), s.signIn("ada@example.com", firefox), s.signIn("bob@example.com", firefox)
	ids := sessionIDs(body(t, s.get("/account/sessions", ada)))
	if len(ids) != 1 {
		t.Fatalf("can be ended: %v", ids)
	}
	foreign := sessionIDs(body(t, s.get("/account/sessions", other)))[0]
	end := url.Values{"end": ids}
	if res := s.postFrom("cross-site", "/account/sessions", end, ada); res.StatusCode != http.StatusForbidden || s.who(other) == "" {
		t.Errorf("a page of another site: %d", res.StatusCode)
	}
	wantRedirect(t, s.post("/account/sessions", end), "/account/login")
	for _, none := range []string{ids[0], "x", "", "00000000-0000-0000-0000-000000000000"} {
		if res := s.post("/account/sessions", url.Values{"end": {none}}, bob); res.StatusCode != http.StatusNotFound || !strings.Contains(body(t, res), "no such session any more") {
			t.Errorf("%q: %d", none, res.StatusCode)
		}
	}
	if s.who(other) == "" || s.who(ada) == "" || foreign == ids[0] {
		t.Fatal("somebody was signed out")
	}
	wantRedirect(t, s.post("/account/sessions", end, ada), "/account/sessions")
	if s.who(other) != "" || s.who(ada) == "" {
		t.Errorf("left: %q %q", s.who(other), s.who(ada))
	}
}

func TestTheSessionsPageEndsAllOthersOrAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	others := []*http.Cookie{s.signIn("ada@example.com", firefox), s.signIn("ada@example.com", "curl/8")}
	ada := s.signIn("ada@example.com", firefox)
	wantRedirect(t, s.post("/account/sessions", url.Values{"end": {"others"}}, ada), "/account/sessions")
	for _, other := range others {
		if s.who(other) != "" {
			t.Error("another session lives on")
		}
	}
	if page := body(t, s.get("/account/sessions", ada)); strings.Contains(page, `value="others"`) || !strings.Contains(page, "this one") {
		t.Errorf("the page: %s", page)
	}
	res := s.post("/account/sessions", url.Values{"end": {"all"}}, ada)
	wantRedirect(t, res, "/account/login")
	if s.who(ada) != "" || session(t, res).MaxAge >= 0 {
		t.Error("the own session lives on")
	}
	wantRedirect(t, s.get("/account/sessions", ada), "/account/login")
}

func TestTheAccountPageLeadsToTheSessions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	if page := body(t, s.get("/account/", s.signIn("ada@example.com", firefox))); !strings.Contains(page, `href="/account/sessions"`) {
		t.Errorf("the page: %s", page)
	}
}
