package postgres_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// as is the connection string of the same server for another account and database.
func as(t *testing.T, server, account, database string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.User(account), "/"+database
	return u.String()
}

func TestAMissingDatabaseIsCreatedByWhoeverIsFirst(t *testing.T) {
	t.Parallel()
	url := as(t, dbtest.NewCluster(t).URL(), "postgres", `made "at" once`)
	if err := postgres.WaitFor(soon(t), url, nil); err != nil {
		t.Fatalf("a server without the database does answer: %v", err)
	}
	var replicas sync.WaitGroup
	for range 3 {
		replicas.Go(func() {
			if err := postgres.EnsureDatabase(soon(t), url); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	var encoding string
	if err := dbtest.Open(t, url).Get(&encoding, `SHOW server_encoding`); err != nil || encoding != "UTF8" {
		t.Fatalf("encoding %q, %v", encoding, err)
	}
}

func TestAnAccountThatMayNotCreateTheDatabaseIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	if _, err := dbtest.Open(t, c.URL()).Exec(`CREATE ROLE modest LOGIN`); err != nil {
		t.Fatal(err)
	}
	err := postgres.EnsureDatabase(soon(t), as(t, c.URL(), "modest", "wanted"))
	if err == nil || !strings.Contains(err.Error(), `CREATE DATABASE "wanted" OWNER "modest"`) {
		t.Fatalf("answered %v", err)
	}
}

func TestWaitingEndsWhenTheServerComes(t *testing.T) {
	t.Parallel()
	c := dbtest.NewCluster(t)
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	came := make(chan error)
	log := &gate{Handler: slog.NewTextHandler(&text, nil), said: make(chan struct{})}
	go func() { came <- postgres.WaitFor(soon(t), c.URL(), slog.New(log)) }()
	<-log.said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := <-came; err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "waiting for the database") {
		t.Fatalf("said %q", text.String())
	}
}

// gate is a log that tells when the first line was written.
type gate struct {
	slog.Handler
	once sync.Once
	said chan struct{}
}

func (g *gate) Handle(ctx context.Context, r slog.Record) error {
	defer g.once.Do(func() { close(g.said) })
	return g.Handler.Handle(ctx, r)
}

func TestWaitingGivesUpAndNamesTheDatabaseWithoutItsPassword(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	err := postgres.WaitFor(ctx, "postgres://someone:hidden-word@127.0.0.1:1/shop?sslmode=disable", nil)
	if err == nil || !strings.Contains(err.Error(), `"shop" at 127.0.0.1:1 did not answer`) || strings.Contains(err.Error(), "hidden-word") {
		t.Fatalf("answered %v", err)
	}
}

func TestWaitingForAnAccountThatIsRefusedIsPointless(t *testing.T) {
	t.Parallel()
	url := as(t, dbtest.URL(t), "nobody-knows", "postgres")
	began := time.Now()
	err := postgres.WaitFor(soon(t), url, nil)
	if err == nil || !strings.Contains(err.Error(), "check the account") || time.Since(began) > 10*time.Second {
		t.Fatalf("answered %v after %s", err, time.Since(began))
	}
}

func TestAMalformedURLIsExplainedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://someone:hidden%zzword@host/db", "postgres://someone:hidden word@host/db", "postgres://someone:hidden:/word@host/db",
		"postgres://someone:5432/hidden@host/db",
		"postgres://someone:hidden@host:hidden/db", "user=someone password=sesame hidden", "mysql://someone:hidden@host/db",
		"postgres://someone:hidden@host:99999/db", "host=x password='hidden", "user=u password=hidden port=nineteen",
	} {
		_, err := postgres.Open(soon(t), postgres.Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "hidden") || !strings.Contains(err.Error(), "postgres://USER") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestAConnectionStringOfKeysAndValuesIsTakenToo(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	words := "host='" + u.Query().Get("host") + "' user=postgres dbname=" + strings.TrimPrefix(u.Path, "/") + " sslmode=disable"
	db := dbtest.Open(t, words) // the bus has to find its way by it, too
	heard := record(db.Bus)
	e := announce(t, db)
	eventually(t, 10*time.Second, "the event comes back", func() bool { return heard.count(e) == 2 })
	dbtest.Cut(t, db)
}

func TestConnectionsSayWhoTheyAreAndCountInUTC(t *testing.T) {
	t.Parallel()
	var name, zone string
	db := dbtest.New(t)
	if err := db.QueryRow(`SELECT current_setting('application_name'), current_setting('timezone')`).Scan(&name, &zone); err != nil {
		t.Fatal(err)
	}
	if name != "openhands-saas" || zone != "UTC" {
		t.Fatalf("%q in %q", name, zone)
	}
}
