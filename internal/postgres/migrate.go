package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	migrate "github.com/rubenv/sql-migrate"

	"github.com/openhands-saas/openhands-saas/migrations"
)

// migrationLock is the advisory lock of whoever changes the schema: the letters "ohsaas" as a number.
const migrationLock = 0x6f6873616173

// Migration is one step of the schema.
type Migration struct {
	ID        string
	AppliedAt *time.Time // nil: pending
	Unknown   bool       // applied by a newer version; this one does not have it
}

// Migrate brings the schema up to date. Replicas that start at once take turns. Steps of a newer version are left in peace, so
// that an older binary still starts.
func Migrate(ctx context.Context, db *DB, log *slog.Logger) (applied int, err error) {
	err = db.exclusively(ctx, orDiscard(log), func(pool *sql.DB) error {
		applied, err = steps(true).ExecContext(ctx, pool, "postgres", source(), migrate.Up)
		return err
	})
	if err != nil {
		return applied, fmt.Errorf("migrate the database up: %w", err)
	}
	return applied, nil
}

// MigrateDown takes back the last steps. It refuses when the database has steps that this version does not know: their ways
// back are in the newer version.
func MigrateDown(ctx context.Context, db *DB, count int) (taken int, err error) {
	if count < 1 {
		return 0, errors.New("say how many migrations to take back: 1 or more")
	}
	err = db.exclusively(ctx, db.log, func(pool *sql.DB) error {
		if err := noGaps(ctx, db); err != nil {
			return err
		}
		taken, err = steps(false).ExecMaxContext(ctx, pool, "postgres", source(), migrate.Down, count)
		return err
	})
	if err != nil {
		return taken, fmt.Errorf("migrate the database down: %w", err)
	}
	return taken, nil
}

// noGaps keeps the library from running the way up of a step that is missing in the middle on the way down.
func noGaps(ctx context.Context, db *DB) error {
	list, err := MigrationStatus(ctx, db)
	pending := ""
	for _, m := range list {
		switch {
		case m.Unknown:
			return fmt.Errorf("%s was applied by a newer version; take it back with that version first", m.ID)
		case m.AppliedAt == nil && pending == "":
			pending = m.ID
		case m.AppliedAt != nil && pending != "":
			return fmt.Errorf("%s is missing below %s; migrate up first", pending, m.ID)
		}
	}
	return err
}

// MigrationStatus lists the steps in their order. It changes nothing, so it works on an empty database too.
func MigrationStatus(ctx context.Context, db *DB) ([]Migration, error) {
	known, err := source().FindMigrations()
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	done, err := appliedAt(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read which migrations were applied: %w", err)
	}
	var list []Migration
	for _, m := range known {
		list = append(list, Migration{ID: m.Id, AppliedAt: done.take(m.Id)})
	}
	for _, m := range done {
		list = append(list, Migration{ID: m.ID, AppliedAt: m.AppliedAt, Unknown: true})
	}
	return list, nil
}

// records are the rows of the migrations' table that nobody has taken yet.
type records []Migration

func (r *records) take(id string) *time.Time {
	for i, m := range *r {
		if m.ID == id {
			*r = append((*r)[:i], (*r)[i+1:]...)
			return m.AppliedAt
		}
	}
	return nil
}

func appliedAt(ctx context.Context, db *DB) (records, error) {
	var exists bool
	if err := db.GetContext(ctx, &exists, `SELECT to_regclass('schema_migrations') IS NOT NULL`); err != nil || !exists {
		return nil, err
	}
	var rows []struct {
		ID        string
		AppliedAt time.Time `db:"applied_at"`
	}
	err := db.SelectContext(ctx, &rows, `SELECT id, applied_at FROM schema_migrations ORDER BY id`)
	var list records
	for _, r := range rows {
		list = append(list, Migration{ID: r.ID, AppliedAt: &r.AppliedAt})
	}
	return list, err
}

func steps(ignoreUnknown bool) migrate.MigrationSet {
	return migrate.MigrationSet{TableName: "schema_migrations", IgnoreUnknown: ignoreUnknown}
}

func source() migrate.MigrationSource {
	return migrate.EmbedFileSystemMigrationSource{FileSystem: migrations.Files, Root: "."}
}

// exclusively runs work on a pool of its own, one connection of which holds the lock: a step may take longer than any other
// statement. The lock is polled: a session that waits inside
// pg_advisory_lock keeps a snapshot, and a CREATE INDEX CONCURRENTLY of the holder would wait for that one for ever.
func (db *DB) exclusively(ctx context.Context, log *slog.Logger, work func(*sql.DB) error) error {
	pool := db.dsn.unhurried("openhands-saas migrate", 3)
	defer func() { _ = pool.Close() }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // back to the pool, whose end ends the session and with it the lock
	if err := lock(ctx, conn, log); err != nil {
		return err
	}
	return work(pool)
}

func lock(ctx context.Context, conn *sql.Conn, log *slog.Logger) error {
	for tries := 0; ; tries++ {
		var got bool
		if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(migrationLock)).Scan(&got); err != nil {
			return fmt.Errorf("wait for another replica that migrates the database: %w", err)
		}
		if got {
			return nil
		}
		if tries%50 == 0 {
			log.Info("waiting for another replica that migrates the database")
		}
		pause(ctx, 100*time.Millisecond)
	}
}
