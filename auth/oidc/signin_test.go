package oidc_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func TestAnAddressJoinsAnAccountOnlyWhenBothSidesProvedIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ours   bool
		theirs any
		joins  bool
	}{
		"both":                  {true, true, true},
		"only we":               {true, false, false},
		"the issuer is silent":  {true, nil, false},
		"the issuer says a one": {true, 1, false},
		"only the issuer":       {false, true, false},
		"nobody":                {false, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ann := w.register("Ann@example.com", test.ours)
			w.issuer.says(jwt.MapClaims{"email_verified": test.theirs})
			out, err := w.signIn()
			if !test.joins {
				refused(t, err, 400, "OAUTH_USER_ALREADY_EXISTS")
				if w.count(`SELECT count(*) FROM identities`) != 0 {
					t.Error("it was linked all the same")
				}
				return
			}
			if err != nil || w.identify(out.Cookie).User.ID != ann.User.ID {
				t.Errorf("%v", err)
			}
			if w.count(`SELECT count(*) FROM audit_log WHERE action = 'identity.link'`) != 1 {
				t.Error("the linking was not recorded")
			}
		})
	}
}

// postbox keeps what users are told.
type postbox struct {
	mu   sync.Mutex
	told []string
}

func (p *postbox) Put(_ context.Context, _ *postgres.Tx, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, m.To+": "+m.Data["what"])
	return nil
}

func TestUsersAreToldWhatWasLinkedAndUnlinked(t *testing.T) {
	t.Parallel()
	box := &postbox{}
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) { o.Mail = box })
	ann := w.register("ann@example.com", true)
	w.in()
	if err := w.oidc.Unlink(t.Context(), ann, w.identities(ann.User.ID)[0].ID); err != nil {
		t.Fatal(err)
	}
	want := []string{"ann@example.com: signing in by Corp was linked", "ann@example.com: signing in by Corp was unlinked"}
	if !slices.Equal(box.told, want) {
		t.Errorf("told %q", box.told)
	}
}

func TestAnAccountThatWasMadeToWaitForTheOwnerOfAnAddressIsNotTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("ann@example.com", false) // by somebody who knows the password and is not ann
	_, err := w.signIn()
	refused(t, err, 400, "OAUTH_USER_ALREADY_EXISTS")
	w.execute(`UPDATE users SET is_verified = true`) // the mail reached her; she chose a password of her own
	w.in()
}

func TestTheIssuerProvesTheAddressOfAnAccountItMade(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.says(jwt.MapClaims{"email_verified": false})
	if w.in().User.IsVerified {
		t.Error("nobody proved the address")
	}
	w.issuer.says(jwt.MapClaims{"email": "other@example.com"})
	if w.in().User.IsVerified {
		t.Error("another address was proved")
	}
	w.execute(`UPDATE users SET password_hash = 'x'`)
	w.issuer.says(nil)
	if w.in().User.IsVerified {
		t.Error("whoever set the password may be another")
	}
	w.execute(`UPDATE users SET password_hash = ''`)
	if !w.in().User.IsVerified {
		t.Error("the issuer proved the address")
	}
}

func TestWhoMayComeForTheFirstTime(t *testing.T) {
	t.Parallel()
	const closed, domain, verify = "REGISTRATION_CLOSED", "EMAIL_DOMAIN_NOT_ALLOWED", "LOGIN_USER_NOT_VERIFIED"
	for name, test := range map[string]struct {
		mode         string
		allowed, all []string // domains of the provider, of the installation
		strict       bool     // REQUIRE_VERIFIED
		email        string
		unverified   bool
		code         string
	}{
		"open":                            {mode: "open", email: "ann@example.com"},
		"open, unproved":                  {mode: "open", email: "ann@example.com", unverified: true},
		"open, unproved, strict":          {mode: "open", email: "ann@example.com", unverified: true, strict: true, code: verify},
		"open, other domain":              {mode: "open", allowed: []string{"example.org"}, email: "ann@example.com", code: closed},
		"open, installation's domain":     {mode: "open", all: []string{"example.com"}, email: "ann@example.com"},
		"open, not the installation's":    {mode: "open", all: []string{"example.org"}, email: "ann@example.com", code: domain},
		"invite":                          {mode: "invite", email: "ann@example.com", code: closed},
		"invite, allowed":                 {mode: "invite", allowed: []string{"example.com"}, email: "ann@EXAMPLE.com"},
		"invite, allowed, unproved":       {mode: "invite", allowed: []string{"example.com"}, email: "ann@example.com", unverified: true, code: closed},
		"invite, suffix":                  {mode: "invite", allowed: []string{"example.com"}, email: "ann@evil-example.com", code: closed},
		"invite, below":                   {mode: "invite", allowed: []string{"example.com"}, email: "ann@evil.example.com", code: closed},
		"invite, in front":                {mode: "invite", allowed: []string{"example.com"}, email: "ann@example.com.evil.org", code: closed},
		"invite, in the name":             {mode: "invite", allowed: []string{"example.com"}, email: "example.com@evil.org", code: closed},
		"invite, allowed, not everywhere": {mode: "invite", allowed: []string{"example.com"}, all: []string{"example.org"}, email: "ann@example.com", code: domain},
		"invite, only everywhere":         {mode: "invite", all: []string{"example.com"}, email: "ann@example.com", code: closed},
		"closed":                          {mode: "closed", email: "ann@example.com", code: closed},
		"closed, allowed":                 {mode: "closed", allowed: []string{"example.com"}, email: "ann@example.com"},
		"closed, other letters":           {mode: "closed", allowed: []string{"xn--bcher-kva.example"}, email: "ann@bücher.example"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, accounts(func(a *auth.Config) {
				a.Registration, a.EmailDomains, a.RequireVerified = test.mode, test.all, test.strict
			}), provider(func(p *oidc.Provider) { p.AllowedDomains = test.allowed }))
			w.issuer.says(jwt.MapClaims{"email": test.email, "email_verified": !test.unverified})
			out, err := w.signIn()
			if test.code == "" {
				if err != nil || w.identify(out.Cookie).User.IsVerified == test.unverified {
					t.Errorf("got %v", err)
				}
				return
			}
			if err == nil || w.count(`SELECT count(*) FROM users`) != 0 {
				t.Fatalf("accepted")
			}
			refused(t, err, statusOf(test.code), test.code)
		})
	}
}

func statusOf(code string) int {
	if code == "LOGIN_USER_NOT_VERIFIED" {
		return 400
	}
	return 403
}

func TestWhoIsKeptOutIsKeptOutHereToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.in()
	w.execute(`UPDATE users SET is_active = false`)
	_, err := w.signIn()
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")

	strict := newWorld(t, accounts(func(a *auth.Config) { a.RequireVerified = true }))
	strict.in()
	strict.execute(`UPDATE users SET is_verified = false, password_hash = 'x'`)
	_, err = strict.signIn()
	refused(t, err, 400, "LOGIN_USER_NOT_VERIFIED")
}

func TestAnInactiveAccountIsNotJoined(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register("ann@example.com", true)
	w.execute(`UPDATE users SET is_active = false`)
	_, err := w.signIn()
	refused(t, err, 400, "OAUTH_USER_ALREADY_EXISTS")
}

func TestGroupsAreToldAtEachSignInInItsTransaction(t *testing.T) {
	t.Parallel()
	var told [][]string
	var fails error
	w := newWorld(t, provider(func(p *oidc.Provider) { p.GroupsClaim = "groups" }), func(_ *auth.Config, o *oidc.Config) {
		o.Groups = func(_ context.Context, _ *postgres.Tx, _ auth.User, provider string, groups []string) error {
			told = append(told, append([]string{provider}, groups...))
			return fails
		}
	})
	w.issuer.says(jwt.MapClaims{"groups": []any{"staff", 5, "leads"}})
	fails = errors.New("no")
	if _, err := w.signIn(); err == nil || w.count(`SELECT count(*) FROM users`) != 0 {
		t.Error("the account was made although the roles were not given")
	}
	fails = nil
	w.in()
	w.issuer.says(jwt.MapClaims{"groups": "staff"})
	w.in()
	w.issuer.info = map[string]any{"sub": "ann", "groups": []any{"from userinfo"}}
	w.issuer.says(nil)
	w.in()
	w.issuer.info = map[string]any{"sub": "ann"}
	w.in() // an issuer that says nothing says that there are none
	before := len(told)
	w.issuer.says(jwt.MapClaims{"_claim_names": map[string]any{"groups": "src"}, "_claim_sources": map[string]any{"src": map[string]any{"endpoint": "https://x.example.com"}}})
	w.in() // too many to say: nothing is known
	want := [][]string{{"corp", "staff", "leads"}, {"corp", "staff", "leads"}, {"corp", "staff"}, {"corp", "from userinfo"}, {"corp"}}
	if !slices.EqualFunc(told, want, slices.Equal[[]string]) || len(told) != before {
		t.Errorf("told %v", told)
	}
}

func TestLinkingTakesTheSameSessionAndAFreshProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob, eve := w.register("bob@example.com", false), w.register("eve@example.com", true)
	begin := func() oidc.Answer {
		t.Helper()
		begun, err := w.oidc.Link(t.Context(), "corp", bob)
		return w.away(begun, err)
	}
	for name, id := range map[string]*auth.Identity{"nobody": nil, "somebody else": &eve, "another session": {User: bob.User, Session: eve.Session}} {
		a := begin()
		a.Identity = id
		_, err := w.finish(a)
		t.Run(name, func(t *testing.T) { refused(t, err, 403, "Whoever began to link this") })
	}
	a := begin()
	a.Identity = &bob
	if out, err := w.finish(a); err != nil || !out.Linked || out.Cookie != "" {
		t.Fatalf("%+v, %v", out, err)
	}
	if w.in().User.ID != bob.User.ID { // by the identity, whatever its address is
		t.Error("it opens another account")
	}
	stolen, err := w.oidc.Link(t.Context(), "corp", eve)
	b := w.away(stolen, err)
	b.Identity = &eve
	_, err = w.finish(b)
	refused(t, err, 409, "This identity belongs to another account")
	w.issuer.says(jwt.MapClaims{"sub": "a second"})
	c := begin()
	c.Identity = &bob
	_, err = w.finish(c)
	refused(t, err, 409, "Your account has another identity of this provider")

	w.clock.Advance(11 * time.Minute)
	_, err = w.oidc.Link(t.Context(), "corp", bob)
	refused(t, err, 403, "STEP_UP_REQUIRED")
	key := bob
	key.Key = true
	_, err = w.oidc.Link(t.Context(), "corp", key)
	refused(t, err, 403, "STEP_UP_REQUIRED")
}

func TestUnlinkingNeverTakesTheLastWayToSignIn(t *testing.T) {
	t.Parallel()
	passkey := false
	var told []string
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) {
		o.Passkeys = func(context.Context, *postgres.Tx, uuid.UUID) (bool, error) { return passkey, nil }
		o.Groups = func(_ context.Context, _ *postgres.Tx, _ auth.User, provider string, groups []string) error {
			told = append(told, provider)
			return nil
		}
	})
	ann, other := w.in(), w.in()
	id := w.identities(ann.User.ID)[0].ID
	refused(t, w.oidc.Unlink(t.Context(), ann, id), 409, "This is the only way by which you can sign in")
	if len(w.identities(ann.User.ID)) != 1 {
		t.Fatal("it went all the same")
	}
	w.execute(`INSERT INTO identities (id, user_id, provider, issuer, subject, created_at) VALUES (gen_random_uuid(), $1, 'gone', 'https://gone.example.com', 'x', now())`, ann.User.ID)
	refused(t, w.oidc.Unlink(t.Context(), ann, id), 409, "This is the only way") // nobody signs in by what is not configured any more
	eve := w.register("eve@example.com", true)
	if err := w.oidc.Unlink(t.Context(), eve, id); err == nil {
		t.Error("somebody else's")
	}
	passkey = true
	if err := w.oidc.Unlink(t.Context(), ann, id); err != nil {
		t.Fatal(err)
	}
	if w.count(`SELECT count(*) FROM sessions WHERE id = $1 AND ended_at IS NOT NULL`, other.Session) != 1 ||
		w.count(`SELECT count(*) FROM sessions WHERE id = $1 AND ended_at IS NULL`, ann.Session) != 1 {
		t.Error("other sessions that it began end, and this one stays")
	}
	if len(told) != 1 || w.count(`SELECT count(*) FROM audit_log WHERE action = 'identity.unlink'`) != 1 {
		t.Errorf("groups told to %v", told)
	}
	w.clock.Advance(11 * time.Minute)
	refused(t, w.oidc.Unlink(t.Context(), ann, id), 403, "STEP_UP_REQUIRED")
}

// factors is somebody's authenticator app.
type factors struct{ on bool }

func (f *factors) Methods(context.Context, uuid.UUID) ([]string, error) {
	if !f.on {
		return nil, nil
	}
	return []string{auth.FactorTOTP}, nil
}

func (f *factors) Verify(_ context.Context, _ *postgres.Tx, _ uuid.UUID, shown auth.Shown) error {
	if shown.Code != "123456" {
		return auth.ErrBadFactor
	}
	return nil
}

func TestWhoHasASecondFactorIsAskedForItHereToo(t *testing.T) {
	t.Parallel()
	app := &factors{}
	w := newWorld(t, accounts(func(a *auth.Config) { a.Factors = app }))
	w.in()
	app.on = true
	out, err := w.signIn()
	challenge, methods, found := auth.ChallengeIn(err)
	if !found || out.Cookie != "" || out.Return != "/back" || !slices.Equal(methods, []string{"totp"}) {
		t.Fatalf("%+v, %v", out, err)
	}
	cookie, _, err := w.auth.AnswerBrowser(t.Context(), challenge, auth.Shown{Code: "123456"}, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	if id := w.identify(cookie); id.User.Email != "ann@example.com" || w.count(`SELECT count(*) FROM sessions WHERE id = $1 AND method = 'corp'`, id.Session) != 1 {
		t.Errorf("got %+v", id)
	}
}
