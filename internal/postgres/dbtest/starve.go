package dbtest

import (
	"context"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// WithoutQueries returns what f says while nobody can get a connection of the pool of db, which Open made: a query would wait until f's context
// ends. On a busy machine the bus may not be fresh for a moment, and then a query is right; so f is tried more than once, each
// time after warm.
func WithoutQueries(t testing.TB, db *postgres.DB, warm func(), f func(context.Context) error) (err error) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		warm()
		if err = Starved(t, db, f); err == nil {
			return nil
		}
	}
	return err
}

// Starved is one try of WithoutQueries.
func Starved(t testing.TB, db *postgres.DB, f func(context.Context) error) error {
	t.Helper()
	db.SetMaxOpenConns(1)
	defer db.SetMaxOpenConns(maxOpen)
	held, err := db.Conn(t.Context())
	if err != nil {
		t.Fatalf("dbtest: take the last connection: %v", err)
	}
	defer func() { _ = held.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	return f(ctx)
}
