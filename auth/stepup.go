package auth

import (
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// freshFor is how long a proof of who somebody is counts for sensitive changes.
const freshFor = 10 * time.Minute

// ErrStepUp answers a sensitive change in a session whose last proof is too old.
var ErrStepUp = problem.New(http.StatusForbidden, "STEP_UP_REQUIRED")

// RequireFresh answers ErrStepUp unless the user proved a moment ago, in this session, who they are. An API key proves nothing of
// its holder, so it never does.
func (s *Service) RequireFresh(id Identity) error {
	if id.Key || s.cfg.Now().Sub(id.Proved) > freshFor {
		return ErrStepUp
	}
	return nil
}
