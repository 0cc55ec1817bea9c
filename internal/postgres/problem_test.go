package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func wantUnavailable(t *testing.T, err error) {
	t.Helper()
	p, ok := errors.AsType[*problem.Error](postgres.Problem(err))
	if !ok || p.Status != http.StatusServiceUnavailable || p.RetryAfter <= 0 || !errors.Is(p, err) {
		t.Errorf("%v became %v, want 503 with Retry-After and the cause", err, postgres.Problem(err))
	}
}

func TestADatabaseThatIsAwayIsA503(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	db := dbtest.Open(t, c.URL())
	inside := db.InTx(soon(t), func(tx *postgres.Tx) error {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		return addTeam(soon(t), tx)
	})
	if _, ok := errors.AsType[*problem.Error](inside); !ok {
		t.Errorf("a transaction that lost its server answered %v", inside)
	}
	_, err := db.ExecContext(soon(t), `SELECT 1`)
	wantUnavailable(t, err)
	wantUnavailable(t, db.PingContext(soon(t)))
	if _, ok := errors.AsType[*problem.Error](db.InTx(soon(t), func(*postgres.Tx) error { return nil })); !ok {
		t.Error("a transaction that could not begin is no problem")
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the pool works again", func() bool { return db.PingContext(soon(t)) == nil })
}

func TestAQueryThatOverrunsItsDeadlineIsA503(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := db.ExecContext(ctx, `SELECT pg_sleep(30)`)
	if err == nil {
		t.Fatal("the query was not cancelled")
	}
	wantUnavailable(t, err)
	_, err = db.ExecContext(ctx, `SELECT 1`)
	wantUnavailable(t, err)
}

func TestATerminatedConnectionIsA503(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	_, err := db.Exec(`SELECT pg_terminate_backend(pg_backend_pid())`)
	wantUnavailable(t, err)
}

func TestWhoeverLosesADeadlockIsToldToTryAgain(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	if _, err := db.Exec(`CREATE TABLE things (id int PRIMARY KEY); INSERT INTO things VALUES (1), (2)`); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Add(2)
	lock := func(first, second int) error {
		return db.InTx(soon(t), func(tx *postgres.Tx) error {
			_, err := tx.ExecContext(soon(t), `SELECT FROM things WHERE id = $1 FOR UPDATE`, first)
			both.Done()
			both.Wait() // now each holds what the other wants
			if err == nil {
				_, err = tx.ExecContext(soon(t), `SELECT FROM things WHERE id = $1 FOR UPDATE`, second)
			}
			return err
		})
	}
	results := make(chan error, 2)
	go func() { results <- lock(1, 2) }()
	go func() { results <- lock(2, 1) }()
	err := errors.Join(<-results, <-results)
	if p, ok := errors.AsType[*problem.Error](err); !ok || p.Status != http.StatusServiceUnavailable || p.RetryAfter <= 0 {
		t.Errorf("%v, want 503 with Retry-After", err)
	}
}

func TestOtherErrorsStayWhatTheyAre(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	_, duplicate := db.Exec(`INSERT INTO teams (id, name) SELECT id, name FROM teams`)
	if pq.As(duplicate, pqerror.UniqueViolation) == nil {
		t.Fatal(duplicate)
	}
	own := problem.Unavailable("busy", context.DeadlineExceeded)
	for _, err := range []error{nil, duplicate, sql.ErrNoRows, context.Canceled, own, problem.NotFound} {
		if got := postgres.Problem(err); got != err { //nolint:errorlint // the very same is wanted
			t.Errorf("%v became %v", err, got)
		}
	}
}
