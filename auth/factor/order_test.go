package factor_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Both touch the challenges and the app of one user: in one order, or they wait for each other in a circle.
func TestASecondFactorIsShownWhileItIsBeingChanged(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	for range 12 {
		p.enrol()
		me, code := p.me(), p.code(0)
		challenges := []string{p.challenge(), p.challenge(), p.challenge(), p.challenge()}
		var all sync.WaitGroup
		for _, challenge := range challenges {
			all.Go(func() {
				if _, err := p.answer(challenge, auth.Shown{Code: code}); err != nil && problem.Of(err).Status != http.StatusBadRequest {
					t.Errorf("an answer: %v", err)
				}
			})
			all.Go(func() {
				err := p.users.StepUpFactor(t.Context(), me, auth.Shown{Code: code}, auth.Client{})
				if err != nil && problem.Of(err).Status != http.StatusBadRequest {
					t.Errorf("a step up: %v", err)
				}
			})
		}
		all.Go(func() {
			if err := p.factors.RemoveTOTP(t.Context(), me); err != nil {
				t.Errorf("the change: %v", err)
			}
		})
		all.Wait()
	}
}
