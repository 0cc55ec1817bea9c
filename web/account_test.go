package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
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

func TestTheAccountPageSwitchesTheTeam(t *testing.T) {
	t.Parallel()
	teams := []web.Team{{ID: "team-1", Name: "Ada's Team", Role: "owner", Current: true}, {ID: "team-2", Name: "Engines <b>", Role: "viewer"}}
	var asked string
	s := newSite(t, func(_ *auth.Config, w *web.Config) {
		w.Teams = func(*http.Request) ([]web.Team, error) { return teams, nil }
		w.SwitchTeam = func(_ *http.Request, team string) error {
			if asked = team; team != "team-2" {
				return problem.New(http.StatusNotFound, "You are in no such team. Choose one of your own.")
			}
			return nil
		}
	})
	s.user("ada@example.com")
	cookie := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	page := body(t, s.get("/account/", cookie))
	for _, want := range []string{
		`action="/account/team"`, `value="team-1" checked> Ada&#39;s Team`, `value="team-2"> Engines &lt;b&gt;`, "viewer",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	wantRedirect(t, s.post("/account/team", url.Values{"team": {"team-2"}}, cookie), "/account/")
	if asked != "team-2" {
		t.Errorf("asked for %q", asked)
	}
	res := s.post("/account/team", url.Values{"team": {"team-3"}}, cookie)
	if page := body(t, res); res.StatusCode != http.StatusNotFound || !strings.Contains(page, "no such team") {
		t.Errorf("a strange team: %d %s", res.StatusCode, page)
	}
	asked = ""
	if res := s.postFrom("cross-site", "/account/team", url.Values{"team": {"team-2"}}, cookie); res.StatusCode != http.StatusForbidden || asked != "" {
		t.Errorf("a page of another site gets %d, asked for %q", res.StatusCode, asked)
	}
	wantRedirect(t, s.post("/account/team", url.Values{"team": {"team-2"}}), "/account/login")

	teams = teams[:1]
	if page := body(t, s.get("/account/", cookie)); strings.Contains(page, "/account/team") {
		t.Error("one team alone is offered as a choice")
	}
}
