package postgres_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/migrations"
)

// files counts the migrations that there are.
func files(t *testing.T) int {
	t.Helper()
	entries, err := migrations.Files.ReadDir(".")
	if err != nil || len(entries) == 0 {
		t.Fatal(len(entries), err)
	}
	return len(entries)
}

// schema lists everything that the migrations have made, one line for each thing.
func schema(t *testing.T, db *postgres.DB) []string {
	t.Helper()
	var lines []string
	err := db.Select(&lines, `
		SELECT concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default)
		FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_migrations'
		UNION ALL
		SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
		UNION ALL
		SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid <> to_regclass('schema_migrations')
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestTheSchemaGoesUpAndDownAndUp(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.Open(t, dbtest.Empty(t)), soon(t)
	if n, err := postgres.Migrate(ctx, db, nil); err != nil || n != files(t) {
		t.Fatalf("up: %d, %v", n, err)
	}
	before := schema(t, db)
	if len(before) == 0 {
		t.Fatal("there is no schema")
	}
	if n, err := postgres.MigrateDown(ctx, db, files(t)); err != nil || n != files(t) {
		t.Fatalf("down: %d, %v", n, err)
	}
	if left := schema(t, db); len(left) != 0 {
		t.Fatalf("the way down leaves %q", left)
	}
	if n, err := postgres.Migrate(ctx, db, nil); err != nil || n != files(t) {
		t.Fatalf("up again: %d, %v", n, err)
	}
	if diff := cmp.Diff(before, schema(t, db)); diff != "" {
		t.Fatalf("up, down, up is not the same as up:\n%s", diff)
	}
	if n, err := postgres.Migrate(ctx, db, nil); err != nil || n != 0 {
		t.Fatalf("nothing was left to do, but: %d, %v", n, err)
	}
}

func TestThreeReplicasThatStartAtOnceAllComeUp(t *testing.T) {
	t.Parallel()
	url := dbtest.Empty(t)
	var replicas sync.WaitGroup
	var applied atomic.Int64
	for range 3 {
		db := dbtest.Open(t, url)
		replicas.Go(func() {
			n, err := postgres.Migrate(soon(t), db, nil)
			if err != nil {
				t.Error(err)
			}
			applied.Add(int64(n))
		})
	}
	replicas.Wait()
	if int(applied.Load()) != files(t) {
		t.Fatalf("%d migrations were applied together, there are %d", applied.Load(), files(t))
	}
}

func TestAReplicaWaitsForAnotherThatMigratesAndNotForEver(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	other, err := db.Conn(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	if _, err := other.ExecContext(soon(t), `SELECT pg_advisory_lock($1)`, int64(0x6f6873616173)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := postgres.Migrate(short, db, nil); err == nil || !strings.Contains(err.Error(), "another replica") {
		t.Fatalf("answered %v", err)
	}
	done := make(chan error)
	go func() { _, err := postgres.Migrate(soon(t), db, nil); done <- err }()
	// Were the waiting one inside a statement, this index build would wait for its snapshot, and it for us.
	if _, err := other.ExecContext(soon(t), `CREATE INDEX CONCURRENTLY made_meanwhile ON teams (created_at)`); err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(soon(t), `SELECT pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestAPoolOfOneConnectionIsEnoughToMigrate(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(soon(t), postgres.Config{URL: dbtest.Empty(t), MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if n, err := postgres.Migrate(soon(t), db, nil); err != nil || n != files(t) {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestTheStatusListsWhatIsPendingAndWhatIsApplied(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.Open(t, dbtest.Empty(t)), soon(t)
	list, err := postgres.MigrationStatus(ctx, db)
	if err != nil || len(list) != files(t) || list[0].ID != "0001_accounts.sql" || list[0].AppliedAt != nil {
		t.Fatalf("on an empty database: %+v, %v", list, err)
	}
	var tables int
	if err := db.Get(&tables, `SELECT count(*) FROM pg_tables WHERE schemaname = 'public'`); err != nil || tables != 0 {
		t.Fatalf("to ask for the status made %d tables, %v", tables, err)
	}
	if _, err := postgres.Migrate(ctx, db, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.MigrateDown(ctx, db, 1); err != nil {
		t.Fatal(err)
	}
	list, err = postgres.MigrationStatus(ctx, db)
	if err != nil || list[0].AppliedAt == nil || time.Since(*list[0].AppliedAt).Abs() > time.Hour || list[len(list)-1].AppliedAt != nil {
		t.Fatalf("after all but one: %+v, %v", list, err)
	}
}

func TestAnOlderVersionStartsOnANewerSchemaButTakesNothingBack(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.New(t), soon(t)
	if _, err := db.Exec(`INSERT INTO schema_migrations (id, applied_at) VALUES ('9999_later.sql', now())`); err != nil {
		t.Fatal(err)
	}
	if n, err := postgres.Migrate(ctx, db, nil); err != nil || n != 0 {
		t.Fatalf("up: %d, %v", n, err)
	}
	if n, err := postgres.MigrateDown(ctx, db, 1); err == nil || n != 0 || !strings.Contains(err.Error(), "9999_later.sql was applied by a newer version") {
		t.Fatalf("down: %d, %v", n, err)
	}
	list, err := postgres.MigrationStatus(ctx, db)
	if err != nil || !list[len(list)-1].Unknown || list[0].Unknown {
		t.Fatalf("status: %+v, %v", list, err)
	}
}

func TestTheWayDownRefusesAGap(t *testing.T) {
	t.Parallel()
	db, ctx := dbtest.New(t), soon(t)
	if _, err := db.Exec(`DELETE FROM schema_migrations WHERE id = '0001_accounts.sql'`); err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.MigrateDown(ctx, db, 1); err == nil || !strings.Contains(err.Error(), "migrate up first") {
		t.Fatalf("answered %v", err)
	}
	if _, err := postgres.MigrateDown(ctx, db, 0); err == nil {
		t.Fatal("zero steps were accepted")
	}
}

func TestEveryTenantTableHasAnIndexThatBeginsWithItsTeam(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	const tenantTables = `
		SELECT c.relname
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'team_id' AND NOT a.attisdropped`
	var all, bare []string
	if err := db.Select(&all, tenantTables); err != nil || len(all) < 3 {
		t.Fatalf("tenant tables: %q, %v", all, err)
	}
	err := db.Select(&bare, tenantTables+`
		AND NOT EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum)`)
	if err != nil || len(bare) != 0 {
		t.Fatalf("without an index that begins with team_id: %q, %v", bare, err)
	}
}
