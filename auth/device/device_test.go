package device_test

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var secret = []byte("0123456789abcdef0123456789abcdef")

// makeKeys is how internal/app makes the keys of devices.
type makeKeys struct{ *apikey.Service }

func (m makeKeys) MakeKey(ctx context.Context, u auth.User, name string, scopes []string, allowed func(context.Context, *postgres.Tx) error) (string, error) {
	made, err := m.Create(ctx, apikey.Act{Owner: u.ID, ActorID: u.ID, Actor: u.Email, Allowed: allowed}, apikey.Draft{Name: name, Scopes: scopes})
	return made.Secret, err
}

// desk is the service with somebody who is signed in.
type desk struct {
	*device.Service
	*testtime.Clock
	t    *testing.T
	db   *postgres.DB
	keys *apikey.Service
	ada  auth.Identity
}

var (
	there = auth.Client{IP: "198.51.100.1", UserAgent: "tool/1.0"}
	here  = auth.Client{IP: "203.0.113.1", UserAgent: "browser"}
)

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, db: dbtest.New(t), Clock: testtime.NewClock()}
	d.keys = apikey.New(apikey.Config{DB: d.db, Now: d.Now})
	d.Service = device.New(device.Config{
		DB: d.db, Keys: makeKeys{d.keys}, Secret: secret, Page: "https://example.com/account/device", Now: d.Now,
		Limits: ratelimit.New(ratelimit.Config{DB: d.db, Secret: secret, Now: d.Now}),
	})
	accounts := auth.New(auth.Config{DB: d.db, JWTSecret: secret, Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}})
	t.Cleanup(accounts.Close)
	user, err := accounts.CreateUser(t.Context(), auth.Registration{Email: "ada@example.com", Password: "correct horse"}, false)
	d.must(err)
	d.ada = auth.Identity{User: user}
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) start(name, scope string) device.Grant {
	d.t.Helper()
	g, err := d.Start(d.t.Context(), name, scope, there)
	d.must(err)
	return g
}

// poll wants an error of OAuth; "" wants a key.
func (d *desk) poll(g device.Grant, want string) (key string) {
	d.t.Helper()
	key, err := d.Poll(d.t.Context(), g.DeviceCode)
	got := ""
	if err != nil {
		p := problem.Of(err)
		got, _ = p.With["error"].(string)
		if p.Status != http.StatusBadRequest || p.Detail == "" || got == "" {
			d.t.Fatalf("poll: %v", err)
		}
	}
	if got != want {
		d.t.Fatalf("poll: got %q, want %q", got, want)
	}
	return key
}

func (d *desk) decide(code string, approve bool) {
	d.t.Helper()
	d.must(d.Decide(d.t.Context(), d.ada, code, approve, here))
}

func TestADeviceGetsItsKeyOnceSomebodyApproved(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("build server", "")
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(g.UserCode) || g.ExpiresIn != 600 || g.Interval != 5 ||
		g.URI != "https://example.com/account/device" || g.URIComplete != g.URI+"?user_code="+g.UserCode || len(g.DeviceCode) < 32 {
		t.Errorf("the grant is %+v", g)
	}
	d.poll(g, "authorization_pending")
	d.Advance(5 * time.Second)
	d.poll(g, "authorization_pending")
	r, err := d.Look(t.Context(), d.ada, strings.ToLower(strings.ReplaceAll(g.UserCode, "-", " ")), here)
	d.must(err)
	if r.Name != "build server" || r.IP != "198.51.100.1" || r.UserAgent != "tool/1.0" || !r.Created.Equal(d.Now().Add(-5*time.Second)) {
		t.Errorf("the request shows as %+v", r)
	}
	d.decide(g.UserCode, true)
	proof, err := d.keys.Find(t.Context(), d.poll(g, ""))
	d.must(err)
	if proof.User.ID != d.ada.User.ID || proof.Scope != access.ScopeWrite {
		t.Errorf("the key proves %+v", proof)
	}
	d.poll(g, "invalid_grant")
	if err := d.Decide(t.Context(), d.ada, g.UserCode, false, here); problem.Of(err) != device.ErrNoCode {
		t.Errorf("a second decision: %v", err)
	}
}

func TestOfTwoHundredPollsExactlyOneGetsTheKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "")
	d.decide(g.UserCode, true)
	var keys, refused atomic.Int64
	var all sync.WaitGroup
	for range 200 {
		all.Go(func() {
			switch _, err := d.Poll(t.Context(), g.DeviceCode); {
			case err == nil:
				keys.Add(1)
			case problem.Of(err).With["error"] == "invalid_grant":
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	var made int
	d.must(d.db.GetContext(t.Context(), &made, `SELECT count(*) FROM api_keys`))
	if keys.Load() != 1 || refused.Load() != 199 || made != 1 {
		t.Errorf("%d got a key, %d were refused, %d keys were made", keys.Load(), refused.Load(), made)
	}
}

func TestPollingTooOftenMakesTheIntervalLonger(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "")
	d.poll(g, "authorization_pending")
	d.Advance(2 * time.Second)
	d.poll(g, "slow_down")
	d.Advance(6 * time.Second)
	d.poll(g, "slow_down")
	d.Advance(15 * time.Second)
	d.poll(g, "authorization_pending")
	d.decide(g.UserCode, true)
	d.poll(g, "") // who was approved waits no longer
}

func TestADeniedDeviceGetsNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "")
	d.decide(g.UserCode, false)
	d.poll(g, "access_denied")
	if err := d.Decide(t.Context(), d.ada, g.UserCode, true, here); problem.Of(err) != device.ErrNoCode {
		t.Errorf("approved after it was denied: %v", err)
	}
}

func TestCodesRunOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	late, approved := d.start("tool", ""), d.start("tool", "")
	d.Advance(10*time.Minute - time.Second)
	d.decide(approved.UserCode, true)
	d.Advance(time.Second)
	d.poll(late, "expired_token")
	d.poll(approved, "expired_token")
	if _, err := d.Look(t.Context(), d.ada, late.UserCode, here); problem.Of(err) != device.ErrNoCode {
		t.Errorf("a code that ran out is shown: %v", err)
	}
	d.Advance(2 * time.Hour)
	if deleted, err := d.Purge(t.Context()); err != nil || deleted != 2 {
		t.Errorf("%d deleted, %v", deleted, err)
	}
	d.poll(late, "invalid_grant")
}

func TestAKeyHasAtMostTheScopesThatWereAskedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "read")
	d.decide(g.UserCode, true)
	proof, err := d.keys.Find(t.Context(), d.poll(g, ""))
	d.must(err)
	if proof.Scope != access.ScopeRead {
		t.Errorf("the scope is %s", proof.Scope)
	}
	for _, scope := range []string{"admin", "read admin", "openid", "read,write"} {
		if _, err := d.Start(t.Context(), "tool", scope, there); problem.Of(err).With["error"] != "invalid_scope" {
			t.Errorf("%q: %v", scope, err)
		}
	}
}

func TestNamesOfDevicesAreOnePlainLine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for name, want := range map[string]string{
		"":                       "A device",
		" \r\n\t":                "A device",
		"a\r\nBcc: x\x00\u202eb": "a Bcc: xb",
		strings.Repeat("ü", 500): strings.Repeat("ü", 80),
		"<b>x</b>":               "<b>x</b>",
	} {
		g := d.start(name, "")
		r, err := d.Look(t.Context(), d.ada, g.UserCode, here)
		d.must(err)
		if r.Name != want {
			t.Errorf("%q shows as %q", name, r.Name)
		}
	}
}

func TestShortCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "")
	limited := false
	for range 12 {
		_, err := d.Look(t.Context(), d.ada, "BBBB-BBBB", here)
		limited = limited || problem.Of(err).Status == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("twelve wrong codes in a row are not slowed down")
	}
	if err := d.Decide(t.Context(), d.ada, g.UserCode, true, here); problem.Of(err).Status != http.StatusTooManyRequests {
		t.Errorf("the decision is another way to guess: %v", err)
	}
	var all string
	d.must(d.db.GetContext(t.Context(), &all, `SELECT string_agg(device_requests::text, ' ') FROM device_requests`))
	if strings.Contains(all, g.DeviceCode) || strings.Contains(all, strings.ReplaceAll(g.UserCode, "-", "")) {
		t.Error("a code is kept in the clear")
	}
}

func TestOnlyAPersonLetsADeviceIn(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	g := d.start("tool", "")
	program := d.ada
	program.Key = true
	if _, err := d.Look(t.Context(), program, g.UserCode, here); problem.Of(err).Status != http.StatusForbidden {
		t.Errorf("look: %v", err)
	}
	if err := d.Decide(t.Context(), program, g.UserCode, true, here); problem.Of(err).Status != http.StatusForbidden {
		t.Errorf("decide: %v", err)
	}
}

func TestAnApprovalDiesWithTheOneWhoGaveIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	inactive, dropped := d.start("tool", ""), d.start("tool", "")
	d.decide(inactive.UserCode, true)
	d.decide(dropped.UserCode, true)
	d.must(d.db.InTx(t.Context(), func(tx *postgres.Tx) error { return d.Drop(t.Context(), tx, d.ada.User.ID) }))
	d.poll(dropped, "access_denied")
	d.must(d.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE device_requests SET approved = true; UPDATE users SET is_active = false`)
		return err
	}))
	d.poll(inactive, "invalid_grant")
}

func TestWhatIsNoDeviceCodeIsNotLookedUp(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, code := range []string{"x", strings.Repeat("A", 52), strings.Repeat("\x00", 52), strings.Repeat("A", 10_000)} {
		if _, err := d.Poll(t.Context(), code); problem.Of(err).With["error"] != "invalid_grant" {
			t.Errorf("%.20q: %v", code, err)
		}
	}
}
