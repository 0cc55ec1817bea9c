package e2e_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// startNamed runs an instance that people reach by a host name, which passkeys need.
func startNamed(t *testing.T, env map[string]string) string {
	t.Helper()
	run, err := stack.StartInstance(t.Context(), stack.InstanceOptions{
		Binary: world.binary, Args: []string{"serve", "--log-level", "debug"}, DataDir: t.TempDir(), Env: environment(dbtest.URL(t), env),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run.Stop)
	world.mu.Lock()
	defer world.mu.Unlock()
	world.instances = append(world.instances, run)
	return "http://localhost:" + portOf(run.URL())
}

// plugIn gives the browser an authenticator that knows whose finger it is.
func (b *browser) plugIn() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if _, err := chromedp.Call(ctx, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// passkeyButton sends a form for which the script asks the authenticator.
const passkeyButton = chromedp.CSS(`form[data-passkey] button`)

func (b *browser) signOut() {
	b.t.Helper()
	const button = chromedp.CSS(`form[action="/account/logout"] button`)
	b.do("sign out", chromedp.Navigate(b.origin()+"/account/"), chromedp.Click(button), chromedp.WaitVisible(passBox))
}

// origin is that of the page.
func (b *browser) origin() string { return script[string](b, `location.origin`) }

// at waits until the browser is on the page at that path.
func (b *browser) at(path string) {
	b.t.Helper()
	within(b.t, time.Minute, "the browser is at "+path, func() error {
		if got := script[string](b, `location.pathname`); got != path {
			return &misplaced{got}
		}
		return nil
	})
}

type misplaced struct{ path string }

func (m *misplaced) Error() string { return "it is at " + m.path }

func TestAPasskeySignsInAloneAndAsASecondFactorInTheBrowser(t *testing.T) {
	t.Parallel()
	base, b := startNamed(t, nil), newBrowser(t, "passkey")
	b.plugIn()
	email := "person-" + uuid.NewString()[:8] + "@example.com"
	b.do("register", chromedp.Navigate(base+"/account/register"), chromedp.WaitVisible(passBox),
		chromedp.SendKeys(emailBox, email), chromedp.SendKeys(passBox, password), chromedp.Submit(passBox), chromedp.WaitVisible(home))

	b.do("security", chromedp.Navigate(base+"/account/security"), chromedp.WaitVisible(passkeyButton))
	b.do("set up a passkey", chromedp.Click(passkeyButton), chromedp.WaitVisible(chromedp.CSS(".codes")))
	codes := script[[]string](b, `[...document.querySelectorAll(".codes code")].map(e => e.innerText)`)
	if len(codes) != 8 {
		t.Errorf("recovery codes %q", codes)
	}
	b.do("set up", chromedp.Navigate(base+"/account/security"), chromedp.WaitVisible(chromedp.CSS("form.passkey")))
	b.sees("8 of them are left")

	b.signOut()
	b.do("sign in page", chromedp.Navigate(base+"/account/login"), chromedp.WaitVisible(chromedp.CSS(`a[href="/account/passkey"]`)))
	b.do("passkey page", chromedp.Click(chromedp.CSS(`a[href="/account/passkey"]`)), chromedp.WaitVisible(passkeyButton))
	b.do("signed in by the passkey", chromedp.Click(passkeyButton), chromedp.WaitVisible(home))
	if me := script[string](b, `fetch("/api/users/me").then(r => r.json()).then(u => u.email)`); me != email {
		t.Errorf("signed in is %q", me)
	}

	b.signOut()
	b.do("by password", chromedp.Navigate(base+"/account/login"), chromedp.WaitVisible(passBox),
		chromedp.SendKeys(emailBox, email), chromedp.SendKeys(passBox, password), chromedp.Submit(passBox), chromedp.WaitVisible(passkeyButton))
	b.at("/account/factor")
	if status := script[int](b, `fetch("/api/users/me").then(r => r.status)`); status != http.StatusUnauthorized {
		t.Errorf("before the second factor somebody is signed in: %d", status)
	}
	b.do("with the passkey", chromedp.Click(passkeyButton), chromedp.WaitVisible(home))

	b.do("step up", chromedp.Navigate(base+"/account/step-up"), chromedp.WaitVisible(passkeyButton))
	b.do("stepped up", chromedp.Click(passkeyButton), chromedp.WaitVisible(chromedp.CSS("form.passkey")))
	b.at("/account/security")
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, refused := range b.refused {
		if strings.Contains(refused, "/account/") {
			t.Errorf("the page's policy refused: %s", refused)
		}
	}
}

func TestWhoMustHaveASecondFactorIsLedToIt(t *testing.T) {
	t.Parallel()
	base, b := startNamed(t, map[string]string{"SECOND_FACTOR": "all"}), newBrowser(t, "demanded")
	b.plugIn()
	b.do("register", chromedp.Navigate(base+"/account/register"), chromedp.WaitVisible(passBox),
		chromedp.SendKeys(emailBox, "person-"+uuid.NewString()[:8]+"@example.com"), chromedp.SendKeys(passBox, password), chromedp.Submit(passBox),
		chromedp.WaitVisible(passkeyButton))
	b.at("/account/security")
	b.sees("A second factor is demanded of you here")
	for path, want := range map[string]int{"/api/conversations/search": http.StatusForbidden, "/api/teams": http.StatusForbidden, "/api/users/me": http.StatusOK} {
		if status := script[int](b, `fetch("`+path+`").then(r => r.status)`); status != want {
			t.Errorf("%s is %d", path, status)
		}
	}
	b.do("set up", chromedp.Click(passkeyButton), chromedp.WaitVisible(chromedp.CSS(".codes")))
	b.do("canvas", chromedp.Navigate(base+"/"), chromedp.WaitVisible(home))
	b.content()
}
