package web_test

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/web"
)

// inbox keeps the links that are mailed.
type inbox struct {
	mu    sync.Mutex
	links map[string]string // by template
}

func (b *inbox) Put(_ context.Context, _ *postgres.Tx, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.links == nil {
		b.links = map[string]string{}
	}
	b.links[m.Template] = m.Data["link"]
	return nil
}

func mails(b *inbox) option {
	return func(a *auth.Config, _ *web.Config) { a.Mail = b }
}

// wait returns the path of the link that was mailed by a template.
func (b *inbox) wait(t *testing.T, template string) string {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(10 * time.Second)
	for {
		b.mu.Lock()
		link := b.links[template]
		b.mu.Unlock()
		if link != "" {
			return link
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("no mail %s came", template)
		}
	}
}

func TestAForgottenPasswordIsSetOnAPageThatLookingAtDoesNotUseUp(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := newSite(t, mails(box))
	s.user("ada@example.com")
	old := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	if page := body(t, s.get("/account/login")); !strings.Contains(page, `href="/account/forgot"`) {
		t.Error("the sign-in page does not lead here")
	}
	res := s.post("/account/forgot", url.Values{"email": {"ADA@example.com"}})
	compare(t, "forgot-sent", body(t, res))
	link := box.wait(t, "reset")
	if path.Dir(link) != "/account/reset" {
		t.Fatalf("the link is %q", link)
	}
	for range 3 { // as a scanner of mails does
		if res := s.get(link); res.StatusCode != http.StatusOK {
			t.Fatalf("the page is %d", res.StatusCode)
		}
	}
	res = s.post(link, url.Values{"password": {"short"}})
	if page := body(t, res); res.StatusCode != http.StatusBadRequest || !strings.Contains(page, "at least 8 characters") {
		t.Errorf("a short password: %d %s", res.StatusCode, page)
	}
	res = s.post(link, url.Values{"password": {"battery staple"}})
	compare(t, "reset-done", body(t, res))
	if len(res.Cookies()) != 0 || s.who(old) != "" {
		t.Error("somebody is signed in")
	}
	session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {"battery staple"}}))
	again := s.post(link, url.Values{"password": {"battery staple"}})
	for what, res := range map[string]*http.Response{"looking": s.get(link), "using": again} {
		if page := body(t, res); res.StatusCode != http.StatusBadRequest || !strings.Contains(page, `href="/account/forgot"`) {
			t.Errorf("%s at a used link: %d %s", what, res.StatusCode, page)
		}
	}
}

func TestTheForgotPageSaysTheSameForEveryAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, mails(&inbox{}))
	s.user("ada@example.com")
	for _, page := range []string{"/account/forgot", "/account/verify"} {
		known, unknown := s.post(page, url.Values{"email": {"ada@example.com"}}), s.post(page, url.Values{"email": {"eve@example.com"}})
		if known.StatusCode != http.StatusOK || unknown.StatusCode != http.StatusOK || body(t, known) != body(t, unknown) {
			t.Errorf("%s tells them apart", page)
		}
	}
	res := s.post("/account/forgot", url.Values{"email": {`<b>"x`}})
	if page := body(t, res); res.StatusCode != http.StatusUnprocessableEntity || strings.Contains(page, "<b>") {
		t.Errorf("no address: %d %s", res.StatusCode, page)
	}
}

func TestAnAddressIsVerifiedByAButtonOnly(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := newSite(t, mails(box))
	s.user("ada@example.com")
	s.post("/account/verify", url.Values{"email": {"ada@example.com"}})
	link := box.wait(t, "verify")
	for range 3 {
		page := body(t, s.get(link))
		compare(t, "verify", strings.ReplaceAll(page, path.Base(link), "TOKEN"))
	}
	if u, _, err := s.auth.FindByEmail(t.Context(), "ada@example.com"); err != nil || u.IsVerified {
		t.Fatal("looking at the page verified the address", err)
	}
	if res := s.postFrom("cross-site", link, nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("another site's page presses the button: %d", res.StatusCode)
	}
	compare(t, "verify-done", body(t, s.post(link, nil)))
	if u, _, err := s.auth.FindByEmail(t.Context(), "ada@example.com"); err != nil || !u.IsVerified {
		t.Error("the address is not verified", err)
	}
	for _, res := range []*http.Response{s.get(link), s.post(link, nil)} {
		if page := body(t, res); res.StatusCode != http.StatusBadRequest || !strings.Contains(page, "verified already") {
			t.Errorf("once more: %d %s", res.StatusCode, page)
		}
	}
	compare(t, "verify-gone", body(t, s.get("/account/verify/nonsense")))
}

func TestWhoMustVerifyTheirAddressIsToldSoWhenTheyRegisterAndWhenTheySignIn(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := newSite(t, mails(box), func(a *auth.Config, _ *web.Config) { a.RequireVerified = true })
	form := url.Values{"email": {"ada@example.com"}, "password": {password}}
	res := s.post("/account/register", form)
	if page := body(t, res); res.StatusCode != http.StatusOK || len(res.Cookies()) != 0 || !strings.Contains(page, "ada@example.com") {
		t.Fatalf("registering: %d %s", res.StatusCode, page)
	}
	res = s.post("/account/login", form)
	if page := body(t, res); len(res.Cookies()) != 0 || !strings.Contains(page, `href="/account/verify"`) {
		t.Errorf("signing in: %d %s", res.StatusCode, page)
	}
	s.post(box.wait(t, "verify"), nil)
	session(t, s.post("/account/login", form))
}

func TestMarkupInNamesIsText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const markup = `"><script>alert(1)</script>`
	res := s.post("/account/register", url.Values{"email": {"ada"}, "password": {password}, "name": {markup}, "team_name": {markup}})
	if page := body(t, res); res.StatusCode != http.StatusUnprocessableEntity || strings.Contains(page, "<script") {
		t.Errorf("%d %s", res.StatusCode, page)
	}
	res = s.post("/account/register", url.Values{"email": {"ada@example.com"}, "password": {password}, "name": {"Ada\r\nBcc: eve@example.com"}})
	if page := body(t, res); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "must be one line") {
		t.Errorf("%d %s", res.StatusCode, page)
	}
}
