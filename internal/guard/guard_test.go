package guard_test

import (
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/guard"
)

// TestInOrdinaryBuildsEveryGuardStands names all of them in the variable that another build would obey.
func TestInOrdinaryBuildsEveryGuardStands(t *testing.T) {
	for _, g := range guard.All() {
		t.Setenv("OPENHANDS_SAAS_UNTREATED", string(g))
		if !guard.Stands(g) {
			t.Errorf("%s was taken out", g)
		}
	}
}
