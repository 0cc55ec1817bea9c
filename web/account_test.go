package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/web"
)

func withoutUI(_ *auth.Config, w *web.Config) { w.Home = "/account/" }

func TestWithoutAUISigningInLeadsToTheAccountPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, withoutUI)
	s.user("ada@example.com")
	form := url.Values{"email": {"ada@example.com"}, "password": {password}, "return": {"/"}}
	res := s.post("/account/login", form)
	wantRedirect(t, res, "/account/")
	page := body(t, s.get("/account/", session(t, res)))
	for _, want := range []string{"ada@example.com", `action="/account/logout"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "Go on to") {
		t.Error("the page leads to a UI that is not there")
	}
	if page := body(t, s.get("/account/login", session(t, res))); !strings.Contains(page, `<a href="/account/">Continue</a>`) {
		t.Error("the sign-in page leads to a UI that is not there")
	}
	form.Set("return", "/conversations/1")
	wantRedirect(t, s.post("/account/login", form), "/conversations/1")
	wantRedirect(t, s.post("/account/register", url.Values{"email": {"bob@example.com"}, "password": {password}}), "/account/")
}

func TestTheAccountPageLeadsToTheUI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	cookie := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	res := s.get("/account/", cookie)
	if page := body(t, res); res.StatusCode != http.StatusOK || !strings.Contains(page, `href="/"`) || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d, %v: %s", res.StatusCode, res.Header, page)
	}
}

func TestTheAccountPageSendsStrangersToSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, anonymous)
	wantRedirect(t, s.get("/account/"), "/account/login")
	wantRedirect(t, s.get("/account/", &http.Cookie{Name: cookieName, Value: strings.Repeat("A", 52)}), "/account/login")
}

func TestWithoutAUIThereIsNothingToGoOnToWithoutAnAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, anonymous, withoutUI)
	for _, path := range []string{"/account/login", "/account/register"} {
		if strings.Contains(body(t, s.get(path)), "without an account") {
			t.Errorf("%s offers it", path)
		}
	}
}
