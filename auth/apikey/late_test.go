package apikey_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// A request that began before its owner was suspended must not leave a key behind that is good when they are let in again.
func TestNoKeyIsMadeForAnOwnerWhoIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	old := w.key(ann, apikey.Draft{})
	_, err := w.auth.Suspend(t.Context(), auth.CommandLine(), ann.ID)
	w.must(err)
	_, err = w.Create(t.Context(), of(ann), apikey.Draft{Name: "late"})
	w.refused(err, 404)
	_, err = w.Rotate(t.Context(), of(ann), old.ID, apikey.Rotation{})
	w.refused(err, 404)
	_, err = w.auth.Reactivate(t.Context(), auth.CommandLine(), ann.ID)
	w.must(err)
	if n := one[int](w, `SELECT count(*) FROM api_keys WHERE user_id = $1 AND id <> $2`, ann.ID, old.ID); n != 0 {
		t.Errorf("%d keys were made", n)
	}
}

// Two replicas note the use of the same keys, and a suspension ends them, each in an order of its own.
func TestNotingTheUseOfKeysWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	held, free := w.key(ann, apikey.Draft{}), w.key(ann, apikey.Draft{})
	w.must(w.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `SELECT FROM api_keys WHERE id = $1 FOR UPDATE`, held.ID); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		return w.Touch(ctx, []uuid.UUID{held.ID, free.ID}, w.now.Now())
	}))
	if n := one[int](w, `SELECT count(*) FROM api_keys WHERE last_used_at IS NOT NULL`); n != 1 {
		t.Errorf("%d keys were noted, want the one that nobody held", n)
	}
}
