package web_test

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/web"
)

// withFactors has the site know second factors; must says whether everybody must have one.
func withFactors(t *testing.T, must bool) option {
	return func(a *auth.Config, _ *web.Config) {
		ring, _, err := sealed.New()
		if err != nil {
			t.Fatal(err)
		}
		a.Factors = factor.NewVerifier(factor.Config{DB: a.DB, Keys: ring, PublicURL: "https://openhands.example.com"})
		a.Hooks.FactorRequired = func(context.Context, auth.User) (bool, error) { return must, nil }
	}
}

const ada = "ada@example.com"

// browser is one that is signed in as Ada.
type browser struct {
	*site
	cookie *http.Cookie
	secret string
	codes  []string
}

func (s *site) browser() *browser {
	s.t.Helper()
	s.user(ada)
	return &browser{site: s, cookie: session(s.t, s.login())}
}

func (s *site) login() *http.Response {
	s.t.Helper()
	return s.post("/account/login", url.Values{"email": {ada}, "password": {password}, "return": {"/conversations/1"}})
}

var (
	secretOn = regexp.MustCompile(`Or type it: <code>([A-Z2-7]+)</code>`)
	codeOn   = regexp.MustCompile(`<li><code>([A-Z2-7-]+)</code>`)
)

// enrol sets up an authenticator app by the pages alone.
func (b *browser) enrol() *browser {
	b.t.Helper()
	page := body(b.t, b.post("/account/security/totp", nil, b.cookie))
	found := secretOn.FindStringSubmatch(page)
	if found == nil || !strings.Contains(page, "<svg ") {
		b.t.Fatalf("no secret on %s", page)
	}
	b.secret = found[1]
	res := b.post("/account/security/totp/confirm", url.Values{"code": {"000000"}}, b.cookie)
	if res.StatusCode != http.StatusBadRequest {
		b.t.Errorf("a wrong code answers %d", res.StatusCode)
	}
	page = body(b.t, b.post("/account/security/totp/confirm", url.Values{"code": {b.code(0)}}, b.cookie))
	for _, code := range codeOn.FindAllStringSubmatch(page, -1) {
		b.codes = append(b.codes, code[1])
	}
	if len(b.codes) != 8 {
		b.t.Fatalf("no recovery codes on %s", page)
	}
	return b
}

func (b *browser) code(steps int) string {
	b.t.Helper()
	code, err := totp.GenerateCode(b.secret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

func named(t *testing.T, res *http.Response, name string) *http.Cookie {
	t.Helper()
	for _, c := range res.Cookies() {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no cookie %s came with %d", name, res.StatusCode)
	return nil
}

func TestSigningInByPagesWantsTheSecondFactor(t *testing.T) {
	t.Parallel()
	b := newSite(t, withFactors(t, false)).browser().enrol()
	res := b.login()
	wantRedirect(t, res, "/account/factor?return=%2Fconversations%2F1")
	challenge := named(t, res, "openhands_factor")
	if !challenge.HttpOnly || challenge.MaxAge != 300 || len(res.Cookies()) != 1 {
		t.Errorf("cookies %v", res.Cookies())
	}
	if page := body(t, b.get("/account/factor?return=%2Fconversations%2F1", challenge)); !strings.Contains(page, `name="recovery_code"`) || strings.Contains(page, challenge.Value) {
		t.Errorf("the page is %s", page)
	}
	form := url.Values{"code": {"000000"}, "return": {"/conversations/1"}}
	if res := b.post("/account/factor", form, challenge); res.StatusCode != 400 || len(res.Cookies()) != 0 {
		t.Errorf("a wrong code answers %d %v", res.StatusCode, res.Cookies())
	}
	form.Set("code", b.code(1))
	if res := b.post("/account/factor", form); res.StatusCode != 400 || len(res.Cookies()) != 0 {
		t.Errorf("another browser gets %d %v", res.StatusCode, res.Cookies())
	}
	res = b.post("/account/factor", form, challenge)
	wantRedirect(t, res, "/conversations/1")
	if b.who(session(t, res)) != ada {
		t.Error("nobody is signed in")
	}
	if gone := named(t, res, "openhands_factor"); gone.MaxAge >= 0 {
		t.Errorf("the challenge stays: %v", gone)
	}
	form = url.Values{"recovery_code": {b.codes[0]}}
	if res := b.post("/account/factor", form, challenge); res.StatusCode != 400 {
		t.Errorf("a challenge that was answered: %d", res.StatusCode)
	}
}

func TestTheWayToASecondFactorIsOpenToThoseWhoMustHaveOne(t *testing.T) {
	t.Parallel()
	b := newSite(t, withFactors(t, true)).browser()
	wantRedirect(t, b.get("/account/sessions", b.cookie), "/account/login")
	if b.who(b.cookie) != "" {
		t.Error("the session may be used")
	}
	for _, path := range []string{"/account/", "/account/security", "/account/step-up"} {
		if res := b.get(path, b.cookie); res.StatusCode != 200 {
			t.Errorf("%s is %d", path, res.StatusCode)
		}
	}
	b.enrol()
	if res := b.get("/account/sessions", b.cookie); res.StatusCode != 200 {
		t.Errorf("with the factor: %d", res.StatusCode)
	}
	if res := b.post("/account/security/totp/remove", nil, b.cookie); res.StatusCode != 409 {
		t.Errorf("removing the only one: %d", res.StatusCode)
	}
	wantRedirect(t, b.post("/account/logout", nil, b.cookie), "/account/login")
}

func TestSteppingUpLeadsBack(t *testing.T) {
	t.Parallel()
	b := newSite(t, withFactors(t, false)).browser()
	page := body(t, b.get("/account/step-up?return=%2Faccount%2Fidentities", b.cookie))
	if !strings.Contains(page, `value="/account/identities"`) || !strings.Contains(page, `name="password"`) {
		t.Errorf("the page is %s", page)
	}
	form := url.Values{"password": {"wrong"}, "return": {"/account/identities"}}
	if res := b.post("/account/step-up", form, b.cookie); res.StatusCode != 400 {
		t.Errorf("a wrong password: %d", res.StatusCode)
	}
	form.Set("password", password)
	wantRedirect(t, b.post("/account/step-up", form, b.cookie), "/account/identities")
	for _, evil := range []string{"https://evil.example.com", "//evil.example.com", "/account/../x", "/account//evil", "/account/%2e", "/account/a?b", "/account/"} {
		form.Set("return", evil)
		wantRedirect(t, b.post("/account/step-up", form, b.cookie), "/account/security")
	}
}

func TestOnlyThePagesWithPasskeysMayRunAScript(t *testing.T) {
	t.Parallel()
	b := newSite(t, withFactors(t, false)).browser()
	for path, scripted := range map[string]bool{
		"/account/login": false, "/account/": false, "/account/register": false, "/account/security": true, "/account/step-up": true, "/account/passkey": true,
	} {
		res := b.get(path, b.cookie)
		policy := res.Header.Get("Content-Security-Policy")
		if strings.Contains(policy, "script-src 'self'") != scripted || strings.Contains(policy, "unsafe") {
			t.Errorf("%s has the policy %s", path, policy)
		}
		if page := body(t, res); strings.Contains(page, `<script src="/account/assets/passkey.js" defer></script>`) != scripted || strings.Count(page, "<script") > 1 {
			t.Errorf("%s is %s", path, page)
		}
	}
}

func TestThePagesAboutSecondFactorsLookAsAgreed(t *testing.T) {
	t.Parallel()
	b := newSite(t, withFactors(t, true)).browser()
	compare(t, "security-demanded", body(t, b.get("/account/security", b.cookie)))
	compare(t, "step-up", body(t, b.get("/account/step-up", b.cookie)))
	compare(t, "passkey", body(t, b.get("/account/passkey")))
	b.enrol()
	compare(t, "security", body(t, b.get("/account/security", b.cookie)))
	challenge := named(t, b.login(), "openhands_factor")
	compare(t, "factor", body(t, b.get("/account/factor", challenge)))
	compare(t, "factor-wrong", body(t, b.post("/account/factor", url.Values{"code": {"000000"}}, challenge)))
	compare(t, "factor-gone", body(t, b.get("/account/factor")))
}
