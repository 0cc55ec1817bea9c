package auth_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// These tests compare how long answers take that must not tell who has an account. They are statistical, and measure no speed: the
// tries of all kinds are shuffled, so that whatever else the machine does, and what a try leaves to be done after it, meets all of
// them alike.
//
// The measure is the chance A that a try of one kind takes longer than one of another (Mann and Whitney's U, divided by the number
// of pairs): 1/2 when nothing can be told apart, 0 or 1 when everything can. When the kinds are alike, A over n tries of each has the
// standard deviation √((2n+1)/(12n²)). The bound is 5.2 of those, which chance alone exceeds once in five million comparisons; six
// comparisons are made. With 200 tries that is 0.15 to either side: an effect of three quarters of the standard deviation of
// one answer is found nearly always, and a hash more or less, which shifts all answers, without fail.
const deviations = 5.2

func bound(n int) float64 { return deviations * math.Sqrt(float64(2*n+1)/float64(12*n*n)) }

// kind is one kind of try, with what was measured of it.
type kind struct {
	name  string
	try   func()
	times []float64
}

// race measures each of the kinds so many times. between is run before each try.
func race(tries int, kinds []*kind, between func()) {
	order := rand.New(rand.NewPCG(1, 2)).Perm(tries * len(kinds))
	for _, n := range order {
		between()
		k := kinds[n%len(kinds)]
		began := time.Now()
		k.try()
		k.times = append(k.times, time.Since(began).Seconds())
	}
}

// alike compares every kind with the first.
func alike(t *testing.T, kinds []*kind) {
	t.Helper()
	for _, k := range kinds[1:] {
		a, limit := longer(k.times, kinds[0].times), bound(len(k.times))
		t.Logf("%-28s median %6.2f ms; longer than %q (%.2f ms) with a chance of %.3f (0.5 ± %.3f)",
			k.name, 1000*median(k.times), kinds[0].name, 1000*median(kinds[0].times), a, limit)
		if math.Abs(a-0.5) > limit {
			t.Errorf("%q can be told from %q by its time: the chance that it takes longer is %.3f, not 0.5 ± %.3f", k.name, kinds[0].name, a, limit)
		}
	}
}

// longer is the share of pairs in which the one of a is longer; a tie counts half.
func longer(a, b []float64) float64 {
	wins := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				wins++
			case x == y:
				wins += 0.5
			}
		}
	}
	return wins / float64(len(a)*len(b))
}

func median(times []float64) float64 {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

// TestTheTimeOfASignInDoesNotTellWhoHasAnAccount uses a hash of some milliseconds in the place of the contract's hundred and more:
// what is no hash then weighs more, not less.
func TestTheTimeOfASignInDoesNotTellWhoHasAnAccount(t *testing.T) {
	db, c := dbtest.New(t), testtime.NewClock()
	limits := ratelimit.New(ratelimit.Config{DB: db, Secret: secret, Now: c.Now})
	s := serve(t, db, func(cfg *auth.Config) {
		cfg.Limits, cfg.Now, cfg.Hash = limits, c.Now, auth.HashParams{Memory: 8 * 1024, Passes: 1, Lanes: 1}
	})
	for _, email := range []string{"known@example.com", "inactive@example.com", "open@example.com", "banned@example.com"} {
		register(t, s, email)
	}
	execute(t, db, `UPDATE users SET is_active = false WHERE email = 'inactive@example.com'`)
	execute(t, db, `UPDATE users SET password_hash = '' WHERE email = 'open@example.com'`)
	if err := limits.Ban(t.Context(), ratelimit.KindAccount, "banned@example.com", 300*24*time.Hour, "", "test"); err != nil {
		t.Fatal(err)
	}
	login := func(name, email, password string) *kind {
		return &kind{name: name, try: func() {
			if _, err := s.Login(t.Context(), email, password, mallory); problem.Of(err).Detail != "LOGIN_BAD_CREDENTIALS" {
				t.Fatalf("%s: %v", name, err)
			}
		}}
	}
	kinds := []*kind{
		login("wrong password", "known@example.com", "wrong"),
		login("unknown", "nobody@example.com", "wrong"),
		login("inactive, right password", "inactive@example.com", goodPassword),
		login("inactive, wrong password", "inactive@example.com", "wrong"),
		login("without a password", "open@example.com", "wrong"),
		login("banned, right password", "banned@example.com", goodPassword),
	}
	race(200, kinds, func() { c.Advance(5 * time.Hour) }) // no failure is left over from the try before
	alike(t, kinds)
}

// TestTheTimeOfForgotPasswordDoesNotTellWhoHasAnAccount measures the answer. The mail is made after it.
func TestTheTimeOfForgotPasswordDoesNotTellWhoHasAnAccount(t *testing.T) {
	s, _, c, _ := limited(t)
	register(t, s, "known@example.com")
	forgot := func(name, email string) *kind {
		return &kind{name: name, try: func() {
			if err := s.ForgotPassword(t.Context(), email, mallory); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}}
	}
	kinds := []*kind{forgot("known", "known@example.com"), forgot("unknown", "nobody@example.com")}
	race(600, kinds, func() { c.Advance(24 * time.Hour) })
	alike(t, kinds)
}
