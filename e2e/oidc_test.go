package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestPeopleSignInByTwoIssuersThatRunForReal(t *testing.T) {
	t.Parallel()
	s := startSSO(t, map[string]string{"DATABASE_URL": dbtest.URL(t)}, "")

	// The product started without them, and says so to whoever comes too early.
	early := s.visitor(t).get("/account/sign-in/corp")
	if early.status != http.StatusServiceUnavailable || !strings.Contains(early.body, "it does not answer") {
		t.Fatalf("without an issuer: %d %.600s", early.status, early.body)
	}
	login := s.visitor(t).get("/account/login")
	for _, want := range []string{"Continue with The corp", "Continue with The other", "/account/sign-in/other"} {
		if !strings.Contains(login.body, want) {
			t.Errorf("the sign-in page has no %q", want)
		}
	}
	atCorp := s.begin(corp, map[string]map[string]any{"ann": says("ann@example.com"), "bob": says("bob@example.com")})
	s.begin(other, map[string]map[string]any{"ann": says("ann@example.com"), "eve": says("eve@example.com")})
	ann := s.visitor(t)
	within(t, 30*time.Second, "the issuer is asked again", func() error {
		if p := ann.get("/account/sign-in/corp"); p.status != http.StatusOK {
			return fmt.Errorf("%d", p.status)
		}
		return nil
	})

	// Just in time, and again, in this browser and in another.
	ended := ann.signIn(corp, "ann")
	id, email := ann.who()
	if email != "ann@example.com" || ended.at.Path != "/conversations/x" {
		t.Fatalf("signed in as %q, at %s (%d)", email, ended.at, ended.status)
	}
	if me := ann.api("/api/users/me").body; !strings.Contains(me, `"is_verified":true`) || !strings.Contains(me, "Name of ann@example.com") {
		t.Errorf("the account is %s", me)
	}
	ann.signIn(corp, "ann")
	elsewhere := s.visitor(t)
	elsewhere.signIn(corp, "ann")
	for _, v := range []*visitor{ann, elsewhere} {
		if again, _ := v.who(); again != id {
			t.Errorf("the second time it is %q, not %q", again, id)
		}
	}

	// The other issuer proves the same address, which ours has proved, too: the same account. It tells the address by userinfo only.
	third := s.visitor(t)
	third.signIn(other, "ann")
	if same, _ := third.who(); same != id {
		t.Errorf("by the other issuer it is %q, not %q", same, id)
	}

	// Whoever changes the address at the issuer is the same person; whoever gets the address there is not.
	if err := atCorp.Say(map[string]map[string]any{"ann": says("married@example.com"), "new": says("ann@example.com")}); err != nil {
		t.Fatal(err)
	}
	married := s.visitor(t)
	married.signIn(corp, "ann")
	if same, email := married.who(); same != id || email != "ann@example.com" {
		t.Errorf("with another address it is %q %q", same, email)
	}
	taker := s.visitor(t)
	if p := taker.signIn(corp, "new"); p.status != http.StatusBadRequest || !strings.Contains(p.body, "There is an account with this address already") {
		t.Errorf("the new owner of the address: %d %.600s", p.status, p.body)
	}
	if nobody := s.visitor(t).signIn(corp, ""); nobody.status != http.StatusBadRequest || !strings.Contains(nobody.body, "You did not allow it there") {
		t.Errorf("who changes their mind: %d %.600s", nobody.status, nobody.body)
	}
}

func TestTheRoutesOfFastAPIUsersLeadThroughAnIssuerAndNameEveryFault(t *testing.T) {
	t.Parallel()
	s := startSSO(t, map[string]string{"DATABASE_URL": dbtest.URL(t)}, "")
	s.begin(corp, map[string]map[string]any{"ann": says("ann@example.com"), "bob": says("bob@example.com")})
	callback := s.base + "/api/auth/corp/callback"

	script := s.visitor(t)
	given := script.api("/api/auth/corp/authorize")
	to := regexp.MustCompile(`^\{"authorization_url":"([^"]+)"\}$`).FindStringSubmatch(given.body)
	if given.status != http.StatusOK || to == nil || given.header.Get("Content-Type") != "application/json" {
		t.Fatalf("authorize: %d %s", given.status, given.body)
	}
	script.as("ann", script.get(strings.ReplaceAll(to[1], `\u0026`, "&")))
	if _, email := script.who(); email != "ann@example.com" {
		t.Errorf("signed in as %q", email)
	}
	if alike := script.api("/api/auth/corp/login"); alike.status != http.StatusOK || !strings.Contains(alike.body, "authorization_url") {
		t.Errorf("login: %d %s", alike.status, alike.body)
	}

	used := s.visitor(t)
	back := used.until(corp, "ann")
	stranger := s.visitor(t)
	if a := stranger.api(back); a.status != 400 || a.body != `{"detail":"OAUTH_INVALID_STATE"}` {
		t.Errorf("in another browser: %d %s", a.status, a.body)
	}
	jar := used.http.Jar.Cookies(parse(t, s.base))
	if p := used.get(back); p.status >= 400 && p.at.Path != "/conversations/x" {
		t.Errorf("in its own browser: %d at %s", p.status, p.at)
	}
	used.http.Jar.SetCookies(parse(t, s.base), jar) // as they were before
	if a := used.api(back); a.status != 400 || a.body != `{"detail":"OAUTH_INVALID_STATE"}` {
		t.Errorf("the same answer again: %d %s", a.status, a.body)
	}

	// A code that was made for another sign-in: the issuer's challenge does not fit.
	victim, thief := s.visitor(t), s.visitor(t)
	stolen, own := parse(t, victim.until(corp, "bob")).Query(), parse(t, thief.until(corp, "ann")).Query()
	own.Set("code", stolen.Get("code"))
	if a := thief.api(callback + "?" + own.Encode()); a.status != 400 || !strings.Contains(a.body, "did not accept this sign-in") {
		t.Errorf("somebody else's code: %d %s", a.status, a.body)
	}
	if _, email := thief.who(); email != "" {
		t.Errorf("the thief is %s", email)
	}

	fresh := parse(t, s.visitor(t).until(corp, "ann")).Query()
	for name, test := range map[string]struct {
		query url.Values
		body  string
	}{
		"no code":       {url.Values{"state": fresh["state"]}, `{"detail":"Bad Request"}`},
		"an error":      {url.Values{"error": {"access_denied"}}, `{"detail":"access_denied"}`},
		"no state":      {url.Values{"code": {"x"}}, `{"detail":"ACCESS_TOKEN_DECODE_ERROR"}`},
		"a wrong state": {url.Values{"code": {"x"}, "state": {"a.b.c"}}, `{"detail":"ACCESS_TOKEN_DECODE_ERROR"}`},
		"no cookie":     {fresh, `{"detail":"OAUTH_INVALID_STATE"}`},
	} {
		if a := s.visitor(t).api(callback + "?" + test.query.Encode()); a.status != 400 || a.body != test.body {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.body, test.body)
		}
	}
	for _, path := range []string{"/api/auth/nobody/authorize", "/api/auth/github/callback", "/api/auth/corp", "/account/sign-in/nobody"} {
		if a := s.visitor(t).api(path); a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
}

func TestAnIdentityIsLinkedAndUnlinkedOnTheAccountPage(t *testing.T) {
	t.Parallel()
	s := startSSO(t, map[string]string{"DATABASE_URL": dbtest.URL(t)}, "")
	s.begin(corp, map[string]map[string]any{"work": says("work@example.com"), "own": says("own@example.com")})
	c := newClient(t, s.base)
	c.want(http.StatusCreated, c.post("/api/auth/register", map[string]any{"email": "own@example.com", "password": password}))

	// Nobody proved the address to us, so the issuer's word does not open the account.
	if p := s.visitor(t).signIn(corp, "own"); !strings.Contains(p.body, "There is an account with this address already") {
		t.Errorf("an unproved account: %d %.600s", p.status, p.body)
	}
	v := s.visitor(t)
	v.post("/account/login", url.Values{"email": {"own@example.com"}, "password": {password}})
	id, _ := v.who()
	if p := v.link(corp, "work"); p.at.Path != "/account/identities" || !strings.Contains(p.body, "work@example.com") {
		t.Fatalf("linked: %d at %s %.900s", p.status, p.at, p.body)
	}
	by := s.visitor(t)
	by.signIn(corp, "work")
	if same, _ := by.who(); same != id {
		t.Errorf("the identity opens %q, not %q", same, id)
	}
	unlink := regexp.MustCompile(`name="identity" value="([^"]+)"`).FindStringSubmatch(v.get("/account/identities").body)
	if unlink == nil {
		t.Fatal("there is nothing to unlink")
	}
	if p := v.post("/account/identities/unlink", url.Values{"identity": {unlink[1]}}); !strings.Contains(p.body, "Nothing is linked") {
		t.Errorf("unlinked: %d %.600s", p.status, p.body)
	}
	if _, email := by.who(); email != "" {
		t.Error("the session that the identity began goes on")
	}

	// Somebody without a password keeps the only way in.
	only := s.visitor(t)
	only.signIn(corp, "work")
	last := regexp.MustCompile(`name="identity" value="([^"]+)"`).FindStringSubmatch(only.get("/account/identities").body)
	if p := only.post("/account/identities/unlink", url.Values{"identity": {last[1]}}); p.status != http.StatusConflict || !strings.Contains(p.body, "only way by which you can sign in") {
		t.Errorf("the last way: %d %.600s", p.status, p.body)
	}
}

func TestGroupsOfAnIssuerGiveAndTakeRolesAtEachSignIn(t *testing.T) {
	t.Parallel()
	first := start(t, nil)
	owner := signedUp(t, first.url)
	team := owner.field(owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Staff"})), "id")
	first.Stop()

	roles := "    roles:\n      - {group: staff, team: " + team + ", role: viewer}\n      - {group: leads, team: " + team + ", role: admin}\n"
	s := startSSO(t, map[string]string{"DATABASE_URL": first.database}, roles)
	issuer := s.begin(corp, map[string]map[string]any{"ann": says("ann@example.com", "staff")})
	for _, step := range []struct {
		groups []string
		role   string
	}{{[]string{"staff"}, "viewer"}, {[]string{"staff", "leads"}, "admin"}, {[]string{"others"}, ""}, {[]string{"leads"}, "admin"}} {
		if err := issuer.Say(map[string]map[string]any{"ann": says("ann@example.com", step.groups...)}); err != nil {
			t.Fatal(err)
		}
		v := s.visitor(t)
		v.signIn(corp, "ann")
		a := v.api("/api/teams/" + team)
		if step.role == "" && a.status == http.StatusNotFound || step.role != "" && strings.Contains(a.body, `"role":"`+step.role+`"`) {
			continue
		}
		t.Errorf("with %v: %d %.300s, want %q", step.groups, a.status, a.body, step.role)
	}
}

func TestOnePersonSignsInAndLinksInABrowser(t *testing.T) {
	t.Parallel()
	s := startSSO(t, map[string]string{"DATABASE_URL": dbtest.URL(t)}, "")
	s.begin(corp, map[string]map[string]any{"ann": says("ann@example.com")})
	s.begin(other, map[string]map[string]any{"private": says("private@example.com")})
	account := func(id string) chromedp.CSS { return chromedp.CSS(`button[value="` + id + `"]`) }

	b := newBrowser(t, "sso")
	b.do("sign in page", chromedp.Navigate(s.base+"/account/login"), chromedp.WaitVisible(passBox))
	b.do("at the issuer", chromedp.Click(chromedp.CSS(`a[href^="/account/sign-in/corp"]`)), chromedp.WaitVisible(account("ann")))
	b.do("signed in", chromedp.Click(account("ann")), chromedp.WaitVisible(home))
	b.do("ways to sign in", chromedp.Navigate(s.base+"/account/identities"))
	b.sees("ann@example.com")
	b.do("at the other", chromedp.Click(chromedp.CSS(`form[action="/account/identities/link"] button`)), chromedp.WaitVisible(account("private")))
	b.do("linked", chromedp.Click(account("private")))
	b.sees("private@example.com")
	b.do("listed")
	b.content()
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
