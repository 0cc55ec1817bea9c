package factor_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const password = "correct horse"

// postbox keeps what would be sent.
type postbox struct {
	mu    sync.Mutex
	mails []mail.Message
}

func (p *postbox) Put(_ context.Context, _ *postgres.Tx, m mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mails = append(p.mails, m)
	return nil
}

// bench is accounts with second factors on a database of their own.
type bench struct {
	t       *testing.T
	db      *postgres.DB
	clock   *testtime.Clock
	users   *auth.Service
	factors *factor.Service
	mails   *postbox
	must    bool // everybody must have a second factor
}

func newBench(t *testing.T) *bench {
	t.Helper()
	db := dbtest.New(t)
	ring, _, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db, clock: testtime.NewClock(), mails: &postbox{}}
	v := factor.NewVerifier(factor.Config{DB: db, Keys: ring, PublicURL: origin, Now: b.clock.Now})
	b.users = auth.New(auth.Config{
		DB: db, JWTSecret: []byte(strings.Repeat("k", 32)), Registration: auth.RegistrationOpen, Now: b.clock.Now,
		Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}, Factors: v, SessionLifetime: 1000 * time.Hour, JWTLifetime: 1000 * time.Hour,
		Hooks: auth.Hooks{FactorRequired: func(context.Context, auth.User) (bool, error) { return b.must, nil }},
	})
	t.Cleanup(b.users.Close)
	b.factors = factor.New(v, b.users, b.mails)
	return b
}

// person is a user with a browser session.
type person struct {
	*bench
	id     uuid.UUID
	email  string
	cookie string
	secret string   // of the authenticator app
	codes  []string // recovery codes
}

func (b *bench) register(email string) *person {
	b.t.Helper()
	u, err := b.users.Register(b.t.Context(), auth.Registration{Email: email, Password: password})
	if err != nil {
		b.t.Fatal(err)
	}
	p := &person{bench: b, id: u.ID, email: email}
	p.cookie = p.browse()
	return p
}

// browse opens another browser session, of somebody without a second factor.
func (p *person) browse() string {
	p.t.Helper()
	cookie, _, err := p.users.OpenBrowser(p.t.Context(), p.email, password, auth.Client{})
	if err != nil {
		p.t.Fatal(err)
	}
	return cookie
}

func (b *bench) identify(cookie string) (auth.Identity, error) {
	return b.users.Authenticate(b.t.Context(), access.Credential{Form: access.FormCookie, Token: cookie})
}

// me is who the person's session says they are, whatever is demanded of them.
func (p *person) me() auth.Identity {
	p.t.Helper()
	id, err := p.users.Identify(p.t.Context(), access.Credential{Form: access.FormCookie, Token: p.cookie})
	if err != nil {
		p.t.Fatal(err)
	}
	return id
}

// enrol sets up an authenticator app, a while ago.
func (p *person) enrol() *person {
	p.t.Helper()
	e, err := p.factors.Enrol(p.t.Context(), p.me())
	if err != nil {
		p.t.Fatal(err)
	}
	p.secret = e.Secret
	if p.codes, err = p.factors.Confirm(p.t.Context(), p.me(), p.code(0)); err != nil {
		p.t.Fatal(err)
	}
	p.clock.Advance(2 * time.Minute)
	return p
}

// code is what the authenticator app shows so many steps from now.
func (p *person) code(steps int) string {
	p.t.Helper()
	code, err := totp.GenerateCode(p.secret, p.clock.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		p.t.Fatal(err)
	}
	return code
}

// challenge signs in by the password as far as that goes.
func (p *person) challenge() string {
	p.t.Helper()
	_, _, err := p.users.OpenBrowser(p.t.Context(), p.email, password, auth.Client{})
	return p.challengeIn(err)
}

func (p *person) challengeIn(err error) string {
	p.t.Helper()
	challenge, _, found := auth.ChallengeIn(err)
	if !found {
		p.t.Fatalf("no challenge: %v", err)
	}
	return challenge
}

// answer is the second step of signing in.
func (p *person) answer(challenge string, shown auth.Shown) (string, error) {
	cookie, _, err := p.users.AnswerBrowser(p.t.Context(), challenge, shown, auth.Client{})
	return cookie, err
}

func refused(t *testing.T, err error, status int, detail string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want %d %s", status, detail)
	}
	if p := problem.Of(err); p.Status != status || detail != "" && p.Detail != detail {
		t.Fatalf("got %v; want %d %s", err, status, detail)
	}
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func one[T any](t *testing.T, db *postgres.DB, query string, args ...any) (value T) {
	t.Helper()
	if err := db.GetContext(t.Context(), &value, query, args...); err != nil {
		t.Fatal(err)
	}
	return value
}

const (
	bad          = "LOGIN_BAD_SECOND_FACTOR"
	badChallenge = "LOGIN_BAD_CHALLENGE"
)
