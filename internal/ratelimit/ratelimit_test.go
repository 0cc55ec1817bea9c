package ratelimit_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var secret = []byte("a secret of the tests")

// desk is a limiter whose time stands still unless the test moves it.
type desk struct {
	*ratelimit.Limiter
	t  *testing.T
	db *postgres.DB
	*testtime.Clock
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := dbtest.New(t)
	c := testtime.NewClock()
	return &desk{ratelimit.New(ratelimit.Config{DB: db, Secret: secret, Now: c.Now}), t, db, c}
}

// passes counts how many of tries pass.
func (d *desk) passes(tries int, action string, keys ...string) (passed int) {
	d.t.Helper()
	for range tries {
		err := d.Take(d.t.Context(), action, keys...)
		if err == nil {
			passed++
		} else if problem.Of(err).Status != http.StatusTooManyRequests {
			d.t.Fatal(err)
		}
	}
	return passed
}

// wait is how long a try must wait; zero: it passed.
func (d *desk) wait(action string, keys ...string) time.Duration {
	d.t.Helper()
	err := d.Take(d.t.Context(), action, keys...)
	if err == nil {
		return 0
	}
	p := problem.Of(err)
	if p.Status != http.StatusTooManyRequests || p.RetryAfter <= 0 {
		d.t.Fatal(err)
	}
	return p.RetryAfter
}

// fail is a wrong try that was let in.
func (d *desk) fail(action string, keys ...string) {
	d.t.Helper()
	if err := d.Take(d.t.Context(), action, keys...); err != nil {
		d.t.Fatalf("not let in: %v", err)
	}
	d.must(d.Failed(d.t.Context(), action, keys...))
}

// exhaust fails count times, each as soon as it may.
func (d *desk) exhaust(count int, action string, keys ...string) {
	d.t.Helper()
	for range count {
		if wait := d.wait(action, keys...); wait > 0 {
			d.Advance(wait)
			d.must(d.Take(d.t.Context(), action, keys...))
		}
		d.must(d.Failed(d.t.Context(), action, keys...))
	}
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func TestABurstPassesAndThenOneForEachRefill(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if got := d.passes(5, "forgot-password", "email:a@example.com"); got != 3 {
		t.Errorf("%d passed, want 3", got)
	}
	if got := d.wait("forgot-password", "email:a@example.com"); got != 5*time.Minute {
		t.Errorf("wait %v, want 5m", got)
	}
	d.Advance(5*time.Minute - time.Second)
	if got := d.wait("forgot-password", "email:a@example.com"); got != time.Second {
		t.Errorf("wait %v, want 1s", got)
	}
	d.Advance(time.Second)
	if got := d.passes(3, "forgot-password", "email:a@example.com"); got != 1 {
		t.Errorf("%d passed after one refill, want 1", got)
	}
	d.Advance(time.Hour)
	if got := d.passes(5, "forgot-password", "email:a@example.com"); got != 3 {
		t.Errorf("%d passed after an hour, want 3", got)
	}
}

func TestOfTwoHundredAtOnceOnTwoReplicasExactlyABurstPasses(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	c := testtime.NewClock()
	replica := func() *ratelimit.Limiter {
		return ratelimit.New(ratelimit.Config{DB: dbtest.Open(t, url), Secret: secret, Now: c.Now})
	}
	replicas := []*ratelimit.Limiter{replica(), replica()}
	var passed, refused atomic.Int64
	var all sync.WaitGroup
	for n := range 200 {
		all.Go(func() {
			keys := []string{"email:a@example.com", fmt.Sprintf("ip:198.51.100.%d", n%7)}
			if n%2 == 0 {
				keys[0], keys[1] = keys[1], keys[0]
			}
			switch err := replicas[n%2].Take(t.Context(), "login", keys...); {
			case err == nil:
				passed.Add(1)
			case problem.Of(err).Status == http.StatusTooManyRequests:
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if passed.Load() != 10 || refused.Load() != 190 {
		t.Errorf("%d passed and %d were refused, want 10 and 190", passed.Load(), refused.Load())
	}
}

func TestWhoIsRefusedForOneKeyTakesFromNoOther(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if got := d.passes(80, "login", "ip:198.51.100.1"); got != 60 {
		t.Fatalf("%d passed, want 60", got)
	}
	if got := d.passes(50, "login", "ip:198.51.100.1", "email:victim@example.com"); got != 0 {
		t.Fatalf("%d passed, want none", got)
	}
	if got := d.passes(20, "login", "ip:203.0.113.1", "email:victim@example.com"); got != 10 {
		t.Errorf("%d tries were left to the victim, want 10", got)
	}
	if rows := d.rows(`SELECT count(*) FROM limits`); rows != 3 {
		t.Errorf("%d rows, want 3", rows)
	}
}

func (d *desk) rows(query string) (n int) {
	d.t.Helper()
	d.must(d.db.GetContext(d.t.Context(), &n, query))
	return n
}

func TestAllSpellingsOfAnAccountAndAllAddressesOfANetworkAreOne(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n, spelling := range []string{
		"jose\u0301@example.com", "JOS\u00c9@Example.COM", " jos\u00e9@example.com\t", "\uff4a\uff4f\uff53\u00e9@example.com", "Jose\u0301@EXAMPLE.com",
	} {
		if got := d.passes(2, "login", "email:"+spelling); got != 2 {
			t.Errorf("spelling %d: %d passed, want 2", n, got)
		}
	}
	if got := d.passes(1, "login", "email:jos\u00e9@example.com"); got != 0 {
		t.Error("another spelling has tries of its own")
	}
	if got := d.passes(1, "login", "email:jose@example.com"); got != 1 {
		t.Error("another account has none")
	}
	for n := range 60 {
		d.must(d.Take(t.Context(), "login", fmt.Sprintf("ip:2001:db8:1:2:%x::%x", n, n)))
	}
	if got := d.passes(1, "login", "ip:2001:db8:1:2::ffff"); got != 0 {
		t.Error("another address of the same network has tries of its own")
	}
	if got := d.passes(1, "login", "ip:2001:db8:1:3::1"); got != 1 {
		t.Error("another network has none")
	}
	for range 60 {
		d.must(d.Take(t.Context(), "login", "ip:::ffff:198.51.100.9"))
	}
	if got := d.passes(1, "login", "ip:198.51.100.9"); got != 0 {
		t.Error("an IPv4 address inside IPv6 has tries of its own")
	}
}

func TestPausesDoubleAfterThreeFreeFailuresUpToFifteenMinutes(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 3 {
		d.fail("login", "email:a@example.com")
	}
	for _, seconds := range []int{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} {
		d.must(d.Take(t.Context(), "login", "email:a@example.com"))
		d.must(d.Failed(t.Context(), "login", "email:a@example.com"))
		if got := d.wait("login", "email:a@example.com"); got != time.Duration(seconds)*time.Second {
			t.Fatalf("wait %v, want %d s", got, seconds)
		}
		d.Advance(time.Duration(seconds) * time.Second)
	}
	for range 3 { // one failure is forgotten in each pause of fifteen minutes, and one comes
		d.must(d.Take(t.Context(), "login", "email:a@example.com"))
		d.must(d.Failed(t.Context(), "login", "email:a@example.com"))
		got := d.wait("login", "email:a@example.com")
		if got > 15*time.Minute || got < 8*time.Minute {
			t.Fatalf("wait %v, want at most 15m", got)
		}
		d.Advance(got)
	}
	d.Advance(24 * time.Hour)
	d.fail("login", "email:a@example.com")
	if got := d.wait("login", "email:a@example.com"); got != 0 {
		t.Errorf("after a day there is a pause of %v still", got)
	}
}

func TestAnOwnerIsNotKeptOutByGuessesFromElsewhere(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	home := []string{"email:victim@example.com", "ip:203.0.113.1"}
	d.must(d.Take(t.Context(), "login", home...))
	d.must(d.Succeeded(t.Context(), "login", home...))
	for n := range 12 {
		d.exhaust(1, "login", "email:victim@example.com", fmt.Sprintf("ip:198.51.100.%d", n))
	}
	if got := d.wait("login", "email:victim@example.com", "ip:198.51.100.99"); got < time.Minute {
		t.Errorf("at an unknown address the wait is %v", got)
	}
	if got := d.wait("login", home...); got != 0 {
		t.Errorf("where the owner signed in before, the wait is %v", got)
	}
	for range 4 {
		d.must(d.Failed(t.Context(), "login", home...))
	}
	if got := d.wait("login", home...); got == 0 {
		t.Error("at a known address failures do not count at all")
	}
	d.Advance(31 * 24 * time.Hour)
	d.exhaust(8, "login", "email:victim@example.com", "ip:198.51.100.1")
	if got := d.wait("login", home...); got == 0 {
		t.Error("an address is known for longer than 30 days")
	}
}

func TestSuccessForgetsTheAccountsFailuresButNotTheAddresss(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	keys := []string{"email:a@example.com", "ip:198.51.100.1"}
	d.exhaust(6, "login", keys...)
	d.Advance(d.wait("login", keys...))
	d.must(d.Take(t.Context(), "login", keys...))
	d.must(d.Succeeded(t.Context(), "login", keys...))
	for range 3 {
		d.fail("login", keys...)
	}
	for n := range 2 {
		d.exhaust(1, "login", fmt.Sprintf("email:%d@example.com", n), "ip:198.51.100.1")
	}
	if got := d.wait("login", "email:other@example.com", "ip:198.51.100.1"); got == 0 {
		t.Error("eleven failures at an address bring no pause, because one sign-in in between was right")
	}
}

func TestRightTriesCostNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n := range 50 {
		if err := d.Take(t.Context(), "login", "email:a@example.com", "ip:198.51.100.1"); err != nil {
			t.Fatalf("sign-in %d: %v", n, err)
		}
		d.must(d.Succeeded(t.Context(), "login", "email:a@example.com", "ip:198.51.100.1"))
	}
}

func TestTwentyFailuresWithinMinutesBanAnAddress(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n := range 20 {
		d.exhaust(1, "login", fmt.Sprintf("email:%d@example.com", n), "ip:2001:db8::7")
	}
	err := d.Take(t.Context(), "login", "email:a@example.com", "ip:2001:db8::8")
	if !errors.Is(err, ratelimit.ErrBanned) {
		t.Fatalf("not banned: %v", err)
	}
	bans, err := d.Bans(t.Context())
	d.must(err)
	if len(bans) != 1 || bans[0].Kind != "ip" || bans[0].Key != "2001:db8::/64" || bans[0].MadeBy != "automatic" ||
		bans[0].Until.Sub(d.Now()) != 30*time.Minute {
		t.Errorf("bans are %+v", bans)
	}
	if err := d.Take(t.Context(), "login", "email:1@example.com", "ip:2001:db8:0:1::1"); err != nil {
		t.Errorf("the next network: %v", err)
	}
	for range 5 { // what somebody banned tries is not counted, and the ban ends
		d.must(d.Failed(t.Context(), "login", "email:a@example.com", "ip:2001:db8::8"))
	}
	d.Advance(30*time.Minute + time.Second)
	if got := d.wait("login", "email:a@example.com", "ip:2001:db8::8"); got != 0 {
		t.Errorf("after the ban there is a pause of %v", got)
	}
}

func TestTwentyFailuresOverADayBanNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n := range 40 {
		d.fail("login", fmt.Sprintf("email:%d@example.com", n), "ip:198.51.100.1")
		d.Advance(31 * time.Second)
	}
	if bans, err := d.Bans(t.Context()); err != nil || len(bans) > 0 {
		t.Errorf("banned: %v, %v", bans, err)
	}
}

func TestBansAreMadeListedAndEndedByHand(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.must(d.Ban(t.Context(), "account", " Mallory@Example.com ", time.Hour, "spam\x00", "root@example.com"))
	d.must(d.Ban(t.Context(), "ip", "198.51.100.1", 2*time.Hour, "", "command line"))
	if err := d.Take(t.Context(), "login", "email:MALLORY@example.com", "ip:203.0.113.1"); !errors.Is(err, ratelimit.ErrBanned) {
		t.Errorf("the account is not banned: %v", err)
	}
	if err := d.Take(t.Context(), "forgot-password", "email:a@example.com", "ip:198.51.100.1"); !errors.Is(err, ratelimit.ErrBanned) {
		t.Errorf("the address is not banned: %v", err)
	}
	if err := d.Unban(t.Context(), "account", "mallory@EXAMPLE.com", "root@example.com"); err != nil {
		t.Error(err)
	}
	if err := d.Take(t.Context(), "login", "email:mallory@example.com", "ip:203.0.113.1"); err != nil {
		t.Errorf("still banned: %v", err)
	}
	if err := d.Unban(t.Context(), "account", "mallory@example.com", "x"); problem.Of(err).Status != http.StatusNotFound {
		t.Errorf("no ban was ended: %v", err)
	}
	for what, err := range map[string]error{
		"a host name":  d.Ban(t.Context(), "ip", "example.com", time.Hour, "", "x"),
		"no kind":      d.Ban(t.Context(), "team", "a", time.Hour, "", "x"),
		"no account":   d.Ban(t.Context(), "account", " ", time.Hour, "", "x"),
		"no time":      d.Ban(t.Context(), "ip", "198.51.100.1", 0, "", "x"),
		"for a decade": d.Ban(t.Context(), "ip", "198.51.100.1", 10*366*24*time.Hour, "", "x"),
	} {
		if problem.Of(err).Status != http.StatusBadRequest {
			t.Errorf("%s: %v", what, err)
		}
	}
	if rows := d.rows(`SELECT count(*) FROM audit_log WHERE action LIKE 'ban.%'`); rows != 3 {
		t.Errorf("%d lines of the audit, want 3", rows)
	}
}

func TestNoAddressIsReadableInTheCounts(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fail("login", "email:ada@example.com", "ip:198.51.100.1")
	var all []string
	d.must(d.db.SelectContext(t.Context(), &all, `SELECT limits::text || encode(key, 'escape') FROM limits`))
	if text := strings.Join(all, " "); len(all) != 2 || strings.Contains(text, "ada") || strings.Contains(text, "198.51") {
		t.Errorf("the rows are %q", all)
	}
}

func TestCountsThatSayNothingAreDeleted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.fail("login", "email:a@example.com", "ip:198.51.100.1")
	d.must(d.Take(t.Context(), "login", "email:b@example.com", "ip:198.51.100.2"))
	d.must(d.Succeeded(t.Context(), "login", "email:b@example.com", "ip:198.51.100.2"))
	d.must(d.Ban(t.Context(), "ip", "198.51.100.3", time.Hour, "", "x"))
	if deleted, err := d.Purge(t.Context()); err != nil || deleted != 0 {
		t.Errorf("%d deleted too early, %v", deleted, err)
	}
	d.Advance(16 * time.Minute)
	if deleted, err := d.Purge(t.Context()); err != nil || deleted != 4 {
		t.Errorf("%d deleted, want the four counts; %v", deleted, err)
	}
	d.Advance(31 * 24 * time.Hour)
	if deleted, err := d.Purge(t.Context()); err != nil || deleted != 2 || d.rows(`SELECT count(*) FROM limits`) != 0 {
		t.Errorf("%d deleted, want the known address and the ban; %v", deleted, err)
	}
}

func TestWithoutTheDatabaseATryIs503(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	l := ratelimit.New(ratelimit.Config{DB: dbtest.Open(t, cluster.URL()), Secret: secret})
	if err := l.Take(t.Context(), "login", "ip:198.51.100.1"); err != nil {
		t.Fatal(err)
	}
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := l.Take(t.Context(), "login", "ip:198.51.100.1"); problem.Of(err).Status != http.StatusServiceUnavailable {
		t.Errorf("got %v", err)
	}
}

func TestAnActionWithoutARuleIsAFault(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := d.Take(t.Context(), "nothing", "ip:198.51.100.1"); problem.Of(err).Status != http.StatusInternalServerError {
		t.Errorf("got %v", err)
	}
}

func TestAnyTextNamesAnAccount(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for _, name := range []string{"a\x00b@example.com", "\xff@example.com", "\x00"} {
		if err := d.Take(t.Context(), "login", "email:"+name, "ip:203.0.113.9"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if err := d.Failed(t.Context(), "login", "email:"+name, "ip:203.0.113.9"); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}
