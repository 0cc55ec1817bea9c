package factor_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func TestThePasskeyOfSomebodyWithoutAnotherWayInStays(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	p.passkey()
	_, err := p.db.ExecContext(t.Context(), `UPDATE users SET password_hash = ''`)
	fine(t, err)
	list, err := p.factors.Passkeys(t.Context(), p.id)
	fine(t, err)
	refused(t, p.factors.RemovePasskey(t.Context(), p.me(), list[0].ID), 409, "")
	if one[int](t, p.db, `SELECT count(*) FROM passkeys`) != 1 {
		t.Fatal("it went all the same")
	}
	p.factors.OtherWay = func(_ context.Context, _ *postgres.Tx, user uuid.UUID) (bool, error) { return user == p.id, nil }
	fine(t, p.factors.RemovePasskey(t.Context(), p.me(), list[0].ID))
}
