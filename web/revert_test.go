package web_test

import (
	"net/http"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
)

func TestAChangeOfTheAddressIsTakenBackByAButtonThatLookingDoesNotPress(t *testing.T) {
	t.Parallel()
	box := &inbox{}
	s := newSite(t, mails(box))
	s.user("ada@example.com")
	thief := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	id, err := s.auth.Authenticate(t.Context(), access.Credential{Form: access.FormCookie, Token: thief.Value})
	if err != nil {
		t.Fatal(err)
	}
	other := "eve@example.com"
	if _, err := s.auth.UpdateMe(t.Context(), id, auth.Change{Email: &other}); err != nil {
		t.Fatal(err)
	}
	link := box.wait(t, "email-changed")
	for range 3 { // as a scanner of mails does
		res := s.get(link)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("the page is %d", res.StatusCode)
		}
		compare(t, "revert", strings.ReplaceAll(body(t, res), path.Base(link), "TOKEN"))
	}
	if s.who(thief) != "eve@example.com" {
		t.Fatal("looking changed something")
	}
	compare(t, "revert-done", body(t, s.post(link, nil)))
	if _, found, err := s.auth.FindByEmail(t.Context(), "ada@example.com"); err != nil || !found || s.who(thief) != "" {
		t.Errorf("the old address is back: %v (%v); the session proves %q", found, err, s.who(thief))
	}
	if reset := box.wait(t, "reset"); path.Dir(reset) != "/account/reset" {
		t.Errorf("the link to a new password is %q", reset)
	}
	for what, res := range map[string]*http.Response{"looking": s.get(link), "pressing": s.post(link, nil), "guessing": s.get("/account/revert/" + strings.Repeat("A", 52))} {
		if res.StatusCode != http.StatusGone {
			t.Errorf("%s at a used link is %d", what, res.StatusCode)
		}
		compare(t, "revert-gone", body(t, res))
	}
}
