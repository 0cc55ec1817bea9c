package factor_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
)

// Each change has a mail sent, and whoever makes them may have an account under somebody else's address.
func TestNobodyIsBuriedInMailByChangesOfFactors(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	limited := auth.New(auth.Config{
		DB: p.db, JWTSecret: []byte(strings.Repeat("k", 32)), Now: p.clock.Now,
		Limits: ratelimit.New(ratelimit.Config{DB: p.db, Secret: []byte("k"), Now: p.clock.Now}),
	})
	t.Cleanup(limited.Close)
	factors, me, made := factor.New(p.factors.Verifier, limited, p.mails), p.me(), 0
	for range 30 {
		_, err := factors.NewRecoveryCodes(t.Context(), me)
		switch {
		case err == nil:
			made++
		case problem.Of(err).Status != http.StatusTooManyRequests:
			t.Fatal(err)
		}
	}
	if made != 20 {
		t.Errorf("%d changes of thirty in a row, want 20", made)
	}
}
