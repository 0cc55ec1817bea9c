package factor_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
)

const origin = "https://openhands.example.com"

// device is an authenticator with one passkey.
type device struct {
	t    *testing.T
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newDevice(p *person) *device {
	return &device{
		t: p.t, rp: virtualwebauthn.RelyingParty{ID: "openhands.example.com", Name: "OpenHands", Origin: origin},
		auth: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: p.id[:]}),
		key:  newKey(),
	}
}

// newKey makes a key whose coordinates both have their full length: of others the library writes too short a form.
func newKey() virtualwebauthn.Credential {
	const full = 77
	for {
		if key := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(key.Key.AttestationData()) == full {
			return key
		}
	}
}

func (d *device) options(c factor.Ceremony) string {
	d.t.Helper()
	text, err := json.Marshal(c.Options)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// create answers a question for a new passkey.
func (d *device) create(c factor.Ceremony) auth.PasskeyAnswer {
	d.t.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(d.options(c))
	if err != nil {
		d.t.Fatal(err)
	}
	return auth.PasskeyAnswer{Ceremony: c.Token, Credential: []byte(virtualwebauthn.CreateAttestationResponse(d.rp, d.auth, d.key, *options))}
}

// get answers a question for one that there is.
func (d *device) get(c factor.Ceremony) auth.PasskeyAnswer {
	d.t.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(d.options(c))
	if err != nil {
		d.t.Fatal(err)
	}
	d.key.Counter++
	return auth.PasskeyAnswer{Ceremony: c.Token, Credential: []byte(virtualwebauthn.CreateAssertionResponse(d.rp, d.auth, d.key, *options))}
}

func (p *person) passkey() *device {
	p.t.Helper()
	d := newDevice(p)
	c, err := p.factors.AskNewPasskey(p.t.Context(), p.me())
	fine(p.t, err)
	_, p.codes, err = p.factors.AddPasskey(p.t.Context(), p.me(), "Laptop", d.create(c))
	fine(p.t, err)
	return d
}

func (p *person) askFactor(challenge string) factor.Ceremony {
	p.t.Helper()
	c, err := p.factors.AskFactor(p.t.Context(), challenge, auth.Client{})
	fine(p.t, err)
	return c
}

const here = "this browser"

func (b *bench) askAnybody() factor.Ceremony {
	b.t.Helper()
	c, err := b.factors.AskAnybody(b.t.Context(), here, auth.Client{})
	fine(b.t, err)
	return c
}

func (b *bench) signIn(a auth.PasskeyAnswer, browser string) (auth.SignIn, error) {
	a.Binding = browser
	return b.factors.SignIn(b.t.Context(), a, auth.Client{})
}

func TestAPasskeyIsSetUpNamedAndRemoved(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	other := p.browse()
	p.passkey()
	if len(p.codes) != 8 {
		t.Errorf("recovery codes %v", p.codes)
	}
	list, err := p.factors.Passkeys(t.Context(), p.id)
	if err != nil || len(list) != 1 || list[0].Name != "Laptop" || list[0].LastUsedAt != nil {
		t.Fatalf("%+v, %v", list, err)
	}
	if id, err := p.identify(p.cookie); err != nil || !id.HasFactor || id.Factor.IsZero() {
		t.Errorf("the session that set it up is %+v, %v", id, err)
	}
	_, err = p.identify(other)
	refused(t, err, 401, "")
	if named, err := p.factors.RenamePasskey(t.Context(), p.me(), list[0].ID, " Phone "); err != nil || named.Name != "Phone" {
		t.Errorf("%+v, %v", named, err)
	}
	for _, name := range []string{strings.Repeat("x", 101), "two\nlines"} {
		_, err := p.factors.RenamePasskey(t.Context(), p.me(), list[0].ID, name)
		refused(t, err, 422, "")
	}
	refused(t, p.factors.RemovePasskey(t.Context(), p.me(), uuid.New()), 404, "")
	fine(t, p.factors.RemovePasskey(t.Context(), p.me(), list[0].ID))
	if s, _ := p.factors.State(t.Context(), p.id); s != factorNone {
		t.Errorf("there is %+v", s)
	}
}

func TestPasskeysOfOthersAreNotThere(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.register("ann@example.com"), b.register("bob@example.com")
	ann.passkey()
	bob.passkey()
	list, _ := b.factors.Passkeys(t.Context(), ann.id)
	_, err := b.factors.RenamePasskey(t.Context(), bob.me(), list[0].ID, "Mine")
	refused(t, err, 404, "")
	refused(t, b.factors.RemovePasskey(t.Context(), bob.me(), list[0].ID), 404, "")
}

func TestAPasskeyIsASecondFactor(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	d := p.passkey()
	challenge := p.challenge()
	cookie, err := p.answer(challenge, auth.Shown{Passkey: d.get(p.askFactor(challenge))})
	fine(t, err)
	if id, err := p.identify(cookie); err != nil || id.Factor.IsZero() {
		t.Errorf("%+v, %v", id, err)
	}
	c, err := p.factors.AskAgain(t.Context(), p.me())
	fine(t, err)
	p.clock.Advance(4 * time.Minute)
	fine(t, p.users.StepUpFactor(t.Context(), p.me(), auth.Shown{Passkey: d.get(c)}, auth.Client{}))
}

func TestAPasskeySignsInAloneAndIsWorthTwoFactors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	d := p.passkey()
	in, err := b.signIn(d.get(b.askAnybody()), here)
	if err != nil || in.User != p.id || !in.Factor || in.Method != "passkey" {
		t.Fatalf("%+v, %v", in, err)
	}
	cookie, _, err := b.users.GrantBrowser(t.Context(), in)
	fine(t, err)
	if id, err := b.identify(cookie); err != nil || id.Factor.IsZero() {
		t.Errorf("%+v, %v", id, err)
	}
}

func TestAPasskeyWithoutAVerifiedUserDoesNotSignInAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	d := p.passkey()
	d.auth.Options.UserNotVerified = true
	_, err := b.signIn(d.get(b.askAnybody()), here)
	refused(t, err, 400, bad)
	challenge := p.challenge() // as a second factor it is enough
	_, err = p.answer(challenge, auth.Shown{Passkey: d.get(p.askFactor(challenge))})
	fine(t, err)
}

func TestAnAnswerCountsOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	d := p.passkey()
	answer := d.get(b.askAnybody())
	if n := crowd(20, func(int) error { _, err := b.signIn(answer, here); return err }); n != 1 {
		t.Errorf("%d signed in by one answer", n)
	}
	c, err := p.factors.AskNewPasskey(t.Context(), p.me())
	fine(t, err)
	second := newDevice(p)
	made := second.create(c)
	_, _, err = p.factors.AddPasskey(t.Context(), p.me(), "", made)
	fine(t, err)
	_, _, err = p.factors.AddPasskey(t.Context(), p.me(), "", made)
	refused(t, err, 400, "")
}

func TestAnAnswerFromAnotherPlaceCountsForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p, bob := b.register("ann@example.com"), b.register("bob@example.com")
	d := p.passkey()
	bob.passkey()

	answer := d.get(b.askAnybody())
	_, err := b.signIn(answer, "another browser")
	refused(t, err, 400, bad)
	_, err = b.signIn(answer, here)
	fine(t, err)

	first, second := p.challenge(), p.challenge()
	answer = d.get(p.askFactor(first))
	_, err = p.answer(second, auth.Shown{Passkey: answer})
	refused(t, err, 400, bad)
	_, err = p.answer(first, auth.Shown{Passkey: answer})
	fine(t, err)

	// A question of signing in alone is none of the second step, nor the other way round.
	_, err = p.answer(p.challenge(), auth.Shown{Passkey: d.get(b.askAnybody())})
	refused(t, err, 400, bad)
	challenge := p.challenge()
	_, err = b.signIn(d.get(p.askFactor(challenge)), challenge)
	refused(t, err, 400, bad)

	// Nor is the question to one user one to another.
	challenge = bob.challenge()
	_, err = bob.answer(challenge, auth.Shown{Passkey: d.get(bob.askFactor(challenge))})
	refused(t, err, 400, bad)

	// A new passkey is for the session that asked.
	c, err := p.factors.AskNewPasskey(t.Context(), p.me())
	fine(t, err)
	_, _, err = p.factors.AddPasskey(t.Context(), bob.me(), "", newDevice(bob).create(c))
	refused(t, err, 400, "")
}

func TestAnAnswerThatComesTooLateCountsForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	d := p.passkey()
	answer := d.get(b.askAnybody())
	b.clock.Advance(5 * time.Minute)
	_, err := b.signIn(answer, here)
	refused(t, err, 400, bad)
}

func TestACopiedPasskeyIsFoundOut(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	d := b.register("ann@example.com").passkey()
	d.key.Counter = 7
	_, err := b.signIn(d.get(b.askAnybody()), here)
	fine(t, err)
	d.key.Counter = 3
	_, err = b.signIn(d.get(b.askAnybody()), here)
	refused(t, err, 400, bad)
}

func TestForgedAnswersCountForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	d := p.passkey()
	for name, forge := range map[string]func(*device){
		"another key":    func(d *device) { d.key.Key = newKey().Key },
		"another id":     func(d *device) { d.key.ID = []byte("another") },
		"another site":   func(d *device) { d.rp.Origin = "https://evil.example.com" },
		"another rp id":  func(d *device) { d.rp.ID = "example.com" },
		"another handle": func(d *device) { id := uuid.New(); d.auth.Options.UserHandle = id[:] },
		"no handle":      func(d *device) { d.auth.Options.UserHandle = nil },
		"nobody there":   func(d *device) { d.auth.Options.UserNotPresent = true },
	} {
		forged := *d
		forge(&forged)
		if _, err := b.signIn(forged.get(b.askAnybody()), here); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			refused(t, err, 400, bad)
		}
	}
	_, err := b.signIn(auth.PasskeyAnswer{Ceremony: b.askAnybody().Token, Credential: []byte(`{"garbage`)}, here)
	refused(t, err, 400, bad)
}

func TestThereAreNoMoreThanTwentyPasskeys(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	for range 20 {
		p.passkey()
	}
	_, err := p.factors.AskNewPasskey(t.Context(), p.me())
	refused(t, err, 409, "")
}

func TestPasskeysNeedAHostName(t *testing.T) {
	t.Parallel()
	for url, good := range map[string]bool{
		"https://openhands.example.com": true, "https://openhands.example.com:8443": true, "http://localhost:3001": true, "http://a.localhost": true,
		"": false, "http://127.0.0.1:3001": false, "https://192.0.2.1": false, "https://[::1]": false,
		"http://openhands.example.com": false, "https://openhands": false,
	} {
		err := factor.NewVerifier(factor.Config{PublicURL: url}).PasskeysAvailable()
		if (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil {
			refused(t, err, 503, "")
		}
	}
}
