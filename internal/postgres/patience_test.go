package postgres_test

import (
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// freeze stops all processes of the server, as a machine does that hangs: connections stay, and new ones are made by the kernel.
func freeze(t *testing.T, db *postgres.DB) {
	t.Helper()
	var all []int
	if err := db.Select(&all, `SELECT pid FROM pg_stat_activity`); err != nil {
		t.Fatal(err)
	}
	var postmaster int
	if err := db.Get(&postmaster, `SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 1)::int`); err != nil {
		t.Fatal(err)
	}
	for _, pid := range append(all, postmaster) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
	}
}

func TestAServerThatHangsIsA503InTime(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	db, err := postgres.Open(soon(t), postgres.Config{URL: c.URL(), Patience: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	freeze(t, db)
	ctx, cancel := context.WithCancel(t.Context()) // such as a request has
	defer cancel()
	for _, name := range []string{"on a connection at hand", "on a new one"} {
		began := time.Now()
		_, err := db.ExecContext(ctx, `SELECT 1 WHERE $1`, true)
		wantUnavailable(t, err)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s it took %s", name, took)
		}
		t.Logf("%s it took %s: %v", name, time.Since(began), err)
	}
}

func TestAQueryMayTakeLongerThanASilenceWhereItsAnswerComesBitByBit(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(soon(t), postgres.Config{URL: dbtest.URL(t), Patience: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rows, err := db.QueryContext(soon(t), `SELECT repeat('x', 100000), pg_sleep(0.1) FROM generate_series(1, 8)`) // too large to wait in the server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	count := 0
	for rows.Next() {
		count++
	}
	if err := rows.Err(); err != nil || count != 8 {
		t.Errorf("got %d rows, %v", count, err)
	}
}

// A balancer without a server behind it takes connections and closes them.
func TestAServerThatHangsUpIsA503(t *testing.T) {
	t.Parallel()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = front.Close() })
	go func() {
		for {
			c, err := front.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 1000))
			_ = c.Close()
		}
	}()
	_, err = postgres.Open(soon(t), postgres.Config{URL: "postgres://me@" + front.Addr().String() + "/it?sslmode=disable"})
	wantUnavailable(t, errors.Unwrap(err.(interface{ Unwrap() []error }).Unwrap()[0]))
}
