package web_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSigningInOpensASessionAndGoesToTheReturnPath(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	res := s.post("/account/login", url.Values{"email": {"Ada@example.com"}, "password": {password}, "return": {"/conversations/1?tab=files"}})
	wantRedirect(t, res, "/conversations/1?tab=files")
	c := session(t, res)
	if s.who(c) != "ada@example.com" {
		t.Fatal("the cookie does not prove the user")
	}
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("the cookie is too open: %+v", c)
	}
}

func TestSigningInNeverLeadsToAnotherHost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	res := s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}, "return": {"//evil.example/"}})
	wantRedirect(t, res, "/")
}

func TestSigningInEndsTheSessionOfTheOldCookie(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	form := url.Values{"email": {"ada@example.com"}, "password": {password}}
	old := session(t, s.post("/account/login", form))
	fresh := session(t, s.post("/account/login", form, old))
	if fresh.Value == old.Value || s.who(old) != "" || s.who(fresh) == "" {
		t.Fatal("the old session lives on, or the new one does not live")
	}
}

func TestAWrongPasswordShowsTheFormAgainWithTheAddressAndWithoutThePassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	res := s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {"wrong-password"}, "return": {"/conversations/1"}})
	page := body(t, res)
	if res.StatusCode != http.StatusBadRequest || len(res.Cookies()) != 0 {
		t.Fatalf("got %d with cookies %v", res.StatusCode, res.Cookies())
	}
	for _, want := range []string{`value="ada@example.com"`, `value="/conversations/1"`, `role="alert"`, "do not belong together", "<title>Error: Sign in"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "wrong-password") {
		t.Error("the page shows the password")
	}
}

func TestAnUnknownAddressAnswersLikeAWrongPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	wrong := body(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {"wrong"}}))
	unknown := body(t, s.post("/account/login", url.Values{"email": {"eve@example.com"}, "password": {"wrong"}}))
	if strings.ReplaceAll(unknown, "eve@", "ada@") != wrong {
		t.Error("the two pages differ")
	}
}

func TestFormsFromAnotherSiteAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	form := url.Values{"email": {"ada@example.com"}, "password": {password}}
	for _, path := range []string{"/account/login", "/account/register", "/account/setup/x", "/account/logout"} {
		if res := s.postFrom("cross-site", path, form); res.StatusCode != http.StatusForbidden || len(res.Cookies()) != 0 {
			t.Errorf("%s: a cross-site form got %d", path, res.StatusCode)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example") // an old browser: no Sec-Fetch-Site
		if res := s.do(r); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s: a foreign Origin got %d", path, res.StatusCode)
		}
	}
}

func TestValuesThatWereTypedAreEscaped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	page := body(t, s.post("/account/login", url.Values{"email": {`"><script>alert(1)</script>`}, "password": {"x"}}))
	if strings.Contains(page, "<script") {
		t.Error("a script got into the page")
	}
}

func TestTheLoginPageSaysWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	c := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	page := body(t, s.get("/account/login?return=%2Fconversations%2F1", c))
	if !strings.Contains(page, "ada@example.com") || !strings.Contains(page, `href="/conversations/1"`) {
		t.Error("the page does not offer to go on")
	}
}

func TestTheLoginPageOffersAnonymousUseOnlyWhereItIsOn(t *testing.T) {
	t.Parallel()
	const offer = "Continue without an account"
	if page := body(t, newSite(t, anonymous).get("/account/login")); !strings.Contains(page, offer) {
		t.Error("the mode is on and not offered")
	}
	if page := body(t, newSite(t).get("/account/login")); strings.Contains(page, offer) {
		t.Error("the mode is off and offered")
	}
}

func TestSigningOutEndsTheSessionAndClearsTheBrowser(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.user("ada@example.com")
	c := session(t, s.post("/account/login", url.Values{"email": {"ada@example.com"}, "password": {password}}))
	res := s.post("/account/logout", nil, c)
	wantRedirect(t, res, "/account/login")
	if s.who(c) != "" {
		t.Error("the session lives on")
	}
	if gone := session(t, res); gone.MaxAge >= 0 || gone.Value != "" {
		t.Errorf("the cookie stays: %+v", gone)
	}
	if res.Header.Get("Clear-Site-Data") != `"storage"` {
		t.Error("the browser keeps the user's data")
	}
	wantRedirect(t, s.post("/account/logout", nil, c), "/account/login") // a second time does no harm
}

func TestPagesAllowNoScriptNoFrameAndNoCopy(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/account/login", "/account/register", "/account/setup/none"} {
		h := s.get(path).Header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "script-src") || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers are %v", path, h)
		}
	}
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
