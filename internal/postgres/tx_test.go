package postgres_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func addTeam(ctx context.Context, tx *postgres.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO teams (id, name) VALUES ($1, 'made in a test')`, uuid.New())
	return err
}

func teams(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	if err := db.Get(&n, `SELECT count(*) FROM teams WHERE name = 'made in a test'`); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestATransactionIsCommittedOnSuccess(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.New(t), soon(t)
	if err := db.InTx(ctx, func(tx *postgres.Tx) error { return addTeam(ctx, tx) }); err != nil {
		t.Fatal(err)
	}
	if teams(t, db) != 1 {
		t.Fatal("the row is not there")
	}
}

func TestATransactionIsRolledBackOnAnError(t *testing.T) {
	t.Parallel()
	db, ctx, refused := dbtest.New(t), soon(t), errors.New("refused")
	err := db.InTx(ctx, func(tx *postgres.Tx) error { return errors.Join(addTeam(ctx, tx), refused) })
	if !errors.Is(err, refused) {
		t.Fatalf("InTx answered %v", err)
	}
	if teams(t, db) != 0 {
		t.Fatal("the row stayed")
	}
}

func TestATransactionIsRolledBackOnAPanic(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.New(t), soon(t)
	func() {
		defer func() {
			if recover() != "oops" {
				t.Error("the panic did not reach the caller")
			}
		}()
		_ = db.InTx(ctx, func(tx *postgres.Tx) error {
			if err := addTeam(ctx, tx); err != nil {
				t.Error(err)
			}
			panic("oops")
		})
	}()
	if teams(t, db) != 0 {
		t.Fatal("the row stayed")
	}
	if used := db.Stats().InUse; used != 0 {
		t.Fatalf("%d connections were not given back", used)
	}
}
