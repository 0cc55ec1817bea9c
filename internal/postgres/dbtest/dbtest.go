// Package dbtest gives tests a real Postgres: one throw-away server per test process, and for each test a database of its own,
// cloned from a template that has the migrations.
//
// It never touches a server that it did not start. Its key idea: a clone costs about 30 ms, so every test can have its own and
// all can run in parallel. A package that uses it says once:
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
package dbtest

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// patience bounds everything that a helper waits for.
const patience = 60 * time.Second

// maxOpen is the size of the pools that Open makes.
const maxOpen = 8

// shared is the server of this test process. It is started by the first test that needs it.
var shared struct {
	sync.Mutex
	main    bool // Main runs, so somebody will stop it
	cluster *Cluster
	err     error
}

// Main runs the tests and stops the server afterwards. It ends the process with the tests' result.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for those who have more to clean up: it returns the result instead of ending the process.
func Run(m *testing.M) (code int) {
	shared.Lock()
	shared.main = true
	shared.Unlock()
	defer func() {
		shared.Lock()
		defer shared.Unlock()
		if shared.cluster == nil {
			return
		}
		if err := shared.cluster.remove(); err != nil {
			fmt.Fprintln(os.Stderr, "dbtest:", err)
			code = max(code, 1)
		}
	}()
	return m.Run()
}

// New returns a database of the test's own, migrated, with its bus running and fresh. It is dropped when the test ends.
func New(t testing.TB) *postgres.DB {
	t.Helper()
	return Open(t, URL(t))
}

// URL returns the connection string of a migrated database of the test's own, for tests that open it more than once.
func URL(t testing.TB) string {
	t.Helper()
	return cluster(t).clone(t, template)
}

// Empty returns the connection string of a database without any table.
func Empty(t testing.TB) string {
	t.Helper()
	return cluster(t).clone(t, "template0")
}

// Open connects to url and starts the bus. All is closed when the test ends.
func Open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	db, err := postgres.Open(ctx, postgres.Config{URL: url, MaxOpen: maxOpen})
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Listen(ctx); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return db
}

// Cut ends the connection by which db hears of changes, as a network failure would. The bus dials anew by itself.
func Cut(t testing.TB, db *postgres.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var cut int
	err := db.GetContext(ctx, &cut, `
		SELECT count(pg_terminate_backend(pid))
		FROM pg_stat_activity
		WHERE application_name = $1`, db.Bus.ListenerName())
	if err != nil || cut != 1 {
		t.Fatalf("dbtest: cut the listening connection: %d were cut, %v", cut, err)
	}
}

// CutOff is Cut, and returns when db knows of it. The moment in which it trusts nothing may be over before anybody looks, so that
// having forgotten everything counts, too.
func CutOff(t testing.TB, db *postgres.DB) {
	t.Helper()
	var forgotten atomic.Bool
	db.Bus.Subscribe(func(e postgres.Event) {
		if e == (postgres.Event{}) {
			forgotten.Store(true)
		}
	})
	Cut(t, db)
	testtime.Eventually(t, patience, "the cut is noticed", func() bool { return forgotten.Load() || !db.Bus.Fresh() })
}

// cluster returns the shared server.
func cluster(t testing.TB) *Cluster {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.main {
		t.Fatal(`dbtest: add to a _test file of this package: func TestMain(m *testing.M) { dbtest.Main(m) }`)
	}
	if shared.cluster == nil && shared.err == nil {
		shared.cluster, shared.err = start()
	}
	if shared.err != nil {
		t.Fatalf("dbtest: start a database server: %v", shared.err)
	}
	return shared.cluster
}
