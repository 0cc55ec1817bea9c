package device_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Both touch the user and the request: in one order, or they wait for each other in a circle.
func TestAKeyIsFetchedWhileItsOwnerIsPutOut(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for range 12 {
		d.Advance(time.Minute)
		g := d.start("tool", "")
		d.decide(g.UserCode, true)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if _, err := d.Poll(t.Context(), g.DeviceCode); err != nil && problem.Of(err).Status != http.StatusBadRequest {
					t.Errorf("a poll: %v", err)
				}
			})
		}
		all.Go(func() {
			err := d.db.InTx(t.Context(), func(tx *postgres.Tx) error {
				if _, err := tx.ExecContext(t.Context(), `SELECT FROM users WHERE id = $1 FOR UPDATE`, d.ada.User.ID); err != nil {
					return err
				}
				return d.Drop(t.Context(), tx, d.ada.User.ID)
			})
			if err != nil {
				t.Errorf("the end: %v", err)
			}
		})
		all.Wait()
	}
}
