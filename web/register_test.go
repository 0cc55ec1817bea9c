package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
)

func TestRegisteringSignsInAndGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	res := s.post("/account/register", url.Values{
		"email": {"ada@example.com"}, "password": {password}, "name": {"Ada Lovelace"}, "return": {"/conversations/1"},
	})
	wantRedirect(t, res, "/conversations/1")
	if s.who(session(t, res)) != "ada@example.com" {
		t.Fatal("the cookie does not prove the new user")
	}
	u, found, err := s.auth.FindByEmail(t.Context(), "ada@example.com")
	if err != nil || !found || u.Name == nil || *u.Name != "Ada Lovelace" || u.IsSuperuser {
		t.Fatalf("the account is %+v (%v, %v)", u, found, err)
	}
}

func TestRegisteringWithFaultsMarksTheFieldsAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	for _, c := range []struct {
		about  string
		form   url.Values
		status int
		want   string
	}{
		{"no address", url.Values{"email": {"not-an-address"}, "password": {password}, "name": {"Ada"}}, 422, `id="email-fault"`},
		{"short password", url.Values{"email": {"new@example.com"}, "password": {"short"}, "name": {"Ada"}}, 400, `id="password-fault"`},
		{"taken", url.Values{"email": {"ada@example.com"}, "password": {password}, "name": {"Ada"}}, 400, "an account with this address already"},
	} {
		res := s.post("/account/register", c.form)
		page := body(t, res)
		if res.StatusCode != c.status || !strings.Contains(page, c.want) || !strings.Contains(page, `value="Ada"`) {
			t.Errorf("%s: got %d, %q wanted in:\n%s", c.about, res.StatusCode, c.want, page)
		}
		if strings.Contains(page, c.form.Get("password")) {
			t.Errorf("%s: the page shows the password", c.about)
		}
	}
}

func TestWithoutOpenRegistrationThereIsNeitherFormNorLink(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{auth.RegistrationInvite, auth.RegistrationClosed} {
		s := newSite(t, registration(mode))
		if page := body(t, s.get("/account/login")); strings.Contains(page, "/account/register") {
			t.Errorf("%s: the login page links to the form", mode)
		}
		res := s.get("/account/register")
		if page := body(t, res); res.StatusCode != http.StatusForbidden || strings.Contains(page, "<form") {
			t.Errorf("%s: the page is %d:\n%s", mode, res.StatusCode, page)
		}
		res = s.post("/account/register", url.Values{"email": {"ada@example.com"}, "password": {password}})
		if _, found, _ := s.auth.FindByEmail(t.Context(), "ada@example.com"); found || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: registering gave %d", mode, res.StatusCode)
		}
	}
}

func TestTheReturnPathTravelsFromPageToPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := body(t, s.get("/account/login?return=%2Fconversations%2F1%3Ftab%3Dfiles"))
	if !strings.Contains(page, `href="/account/register?return=%2fconversations%2f1%3ftab%3dfiles"`) {
		t.Errorf("the link to the form lost the return path:\n%s", page)
	}
	page = body(t, s.get("/account/register?return=%2Fconversations%2F1"))
	if !strings.Contains(page, `name="return" value="/conversations/1"`) {
		t.Errorf("the form lost the return path:\n%s", page)
	}
}

func TestTheSetupLinkMakesTheFirstAdministratorOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, registration(auth.RegistrationClosed))
	token, needed, err := s.auth.SetupLink(t.Context())
	if err != nil || !needed {
		t.Fatalf("no link: %v", err)
	}
	path := "/account/setup/" + token
	for range 2 { // looking does not use it up
		if res := s.get(path); res.StatusCode != http.StatusOK {
			t.Fatalf("the link gave %d", res.StatusCode)
		}
	}
	form := url.Values{"email": {"root@example.com"}, "password": {"short"}}
	if res := s.post(path, form); res.StatusCode != http.StatusBadRequest {
		t.Fatalf("a short password gave %d", res.StatusCode)
	}
	form.Set("password", password)
	res := s.post(path, form)
	wantRedirect(t, res, "/")
	if s.who(session(t, res)) != "root@example.com" {
		t.Fatal("the administrator is not signed in")
	}
	if u, _, _ := s.auth.FindByEmail(t.Context(), "root@example.com"); !u.IsSuperuser {
		t.Error("the account is no superuser")
	}
	form.Set("email", "second@example.com")
	if res := s.post(path, form); res.StatusCode != http.StatusGone {
		t.Errorf("the used link gave %d", res.StatusCode)
	}
	if res := s.get(path); res.StatusCode != http.StatusGone {
		t.Errorf("the used link's page gave %d", res.StatusCode)
	}
}
