package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Database is where the installation keeps its truth.
type Database struct {
	URL     string // of an external one
	DataDir string // the folder of an embedded one, when URL is empty
	Name    string // the database inside the embedded server
}

const (
	oldestPostgres = 140000 // server_version_num of PostgreSQL 14
	maxSkew        = 5 * time.Second
)

func (e *examiner) database(ctx context.Context) {
	const check = "database"
	if e.Database == nil {
		e.skip(check, unsound)
		return
	}
	url, stop, found := e.server(ctx)
	defer stop()
	db := e.connect(ctx, url, found)
	if db == nil {
		e.skip("migrations, vault, notifications, clock", "the database must be there first")
		return
	}
	defer func() { _ = db.Close() }()
	if e.schema(ctx, db) {
		e.vault(ctx, db)
	} else {
		e.skip("vault", "the migrations must be applied first")
	}
	e.notifications(ctx, db)
	e.clock(ctx, db)
}

// server finds the database server. An embedded one that is not running is started for as long as it is looked at; one that was
// never made is not made now.
func (e *examiner) server(ctx context.Context) (url string, stop func(), found bool) {
	const check = "database"
	stop = func() {}
	if e.Database.URL != "" {
		return e.Database.URL, stop, true
	}
	if _, err := os.Stat(filepath.Join(e.Database.DataDir, "postgres")); errors.Is(err, os.ErrNotExist) {
		e.note(check, "the embedded one does not exist yet in "+e.Database.DataDir, "start `openhands-saas serve`, which makes it; if it was there before, DATA_DIR names another folder now")
		return "", stop, false
	}
	cfg := embedpg.Config{DataDir: e.Database.DataDir, Fsync: true}
	server, err := embedpg.Attach(cfg)
	if errors.Is(err, embedpg.ErrNotRunning) {
		if server, err = embedpg.Start(ctx, cfg); err == nil {
			stop = func() { _ = server.Stop() }
		}
	}
	if err != nil {
		e.problem(check, err.Error(), "follow the message; `openhands-saas serve` will meet the same")
		return "", stop, false
	}
	return server.URL(e.Database.Name), stop, true
}

// connect returns nil when there is no database to go on with.
func (e *examiner) connect(ctx context.Context, url string, found bool) *postgres.DB {
	const check = "database"
	if !found {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	if err := postgres.WaitFor(ctx, url, nil); err != nil {
		e.problem(check, err.Error(), "look at DATABASE_URL, or DB_HOST, DB_PORT, DB_USERNAME, DB_PASSWORD and DB_SSLMODE; is the server up, and does a firewall let you through?")
		return nil
	}
	db, err := postgres.Open(ctx, postgres.Config{URL: url, MaxOpen: 2})
	switch {
	case pq.As(err, pqerror.InvalidCatalogName) != nil:
		e.problem(check, err.Error(), "start `openhands-saas serve`, which makes the database where its account may; else let an administrator create it")
		return nil
	case err != nil:
		e.problem(check, err.Error(), "look at DATABASE_URL, or at DB_DATABASE and the rights of DB_USERNAME")
		return nil
	}
	e.version(ctx, db)
	return db
}

func (e *examiner) version(ctx context.Context, db *postgres.DB) {
	const check = "database"
	var number int
	var name string
	err := db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version')`).Scan(&number, &name)
	switch {
	case err != nil:
		e.problem(check, err.Error(), "look at the database server's log")
	case number < oldestPostgres:
		e.problem(check, "PostgreSQL "+name+" is too old", "upgrade it to 14 or newer")
	default:
		e.ok(check, "PostgreSQL %s answers", name)
	}
}

// schema compares the steps that this binary knows with those that were made, and says whether none is missing.
func (e *examiner) schema(ctx context.Context, db *postgres.DB) bool {
	const check = "migrations"
	list, err := postgres.MigrationStatus(ctx, db)
	if err != nil {
		e.problem(check, err.Error(), "let DB_USERNAME own the database and its tables")
		return false
	}
	var pending, newer []string
	for _, m := range list {
		switch {
		case m.Unknown:
			newer = append(newer, m.ID)
		case m.AppliedAt == nil:
			pending = append(pending, m.ID)
		}
	}
	if len(newer) > 0 {
		e.note(check, "a newer version was here: "+strings.Join(newer, ", "), "use that version, unless you are rolling back to this one")
	}
	if len(pending) > 0 {
		e.problem(check, "not applied yet: "+strings.Join(pending, ", "), "start `openhands-saas serve`, which applies them, or run `openhands-saas migrate up`")
		return false
	}
	e.ok(check, "all %d are applied", len(list)-len(newer))
	return true
}

// notifications are what a revocation rests on.
func (e *examiner) notifications(ctx context.Context, db *postgres.DB) {
	const check = "notifications"
	ctx, cancel := context.WithTimeout(ctx, e.Patience)
	defer cancel()
	if err := db.Listen(ctx); err != nil {
		e.problem(check, "what one replica announces does not arrive at another: "+err.Error(), "connect to the database directly, or through a pooler in session mode")
		return
	}
	e.ok(check, "LISTEN and NOTIFY work")
}

// clock compares the database's time with ours, as of the middle of the question's way.
func (e *examiner) clock(ctx context.Context, db *postgres.DB) {
	const check = "clock"
	var theirs time.Time
	begun := e.Now()
	if err := db.GetContext(ctx, &theirs, `SELECT clock_timestamp()`); err != nil {
		e.problem(check, err.Error(), "look at the database server's log")
		return
	}
	took := e.Now().Sub(begun)
	skew := theirs.Sub(begun.Add(took / 2))
	if skew.Abs()-took/2 > maxSkew {
		e.problem(check, fmt.Sprintf("the database's is %s from ours, so that sessions and links end too early or too late", skew.Round(time.Second)),
			"let both machines take their time from the network (NTP)")
		return
	}
	e.ok(check, "the database's is within %s of ours", maxSkew)
}
