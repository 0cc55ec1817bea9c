package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"sync"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Statement is one that was sent to the database, with its arguments as they went over the wire.
type Statement struct {
	SQL  string
	Args []any
}

// Record is what a database was asked.
type Record struct {
	mu   sync.Mutex
	seen []Statement
}

// Forget begins anew.
func (r *Record) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = nil
}

// Statements are those since the beginning, in order. The beginning of a transaction is one of them.
func (r *Record) Statements() []Statement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.seen)
}

func (r *Record) add(query string, args []driver.NamedValue) {
	s := Statement{SQL: query}
	for _, a := range args {
		s.Args = append(s.Args, a.Value)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, s)
}

// OpenRecorded is Open with a record of what is asked through the returned pool. The bus is not recorded.
func OpenRecorded(t testing.TB, url string) (*postgres.DB, *Record) {
	t.Helper()
	inner, err := pq.NewConnector(url)
	if err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	record := &Record{}
	pool := sql.OpenDB(recorder{inner, record})
	pool.SetMaxOpenConns(8)
	t.Cleanup(func() { _ = pool.Close() })
	db := *Open(t, url)
	db.DB = sqlx.NewDb(pool, "postgres")
	return &db, record
}

// recorder is a connector whose connections note what they are asked.
type recorder struct {
	driver.Connector
	record *Record
}

func (r recorder) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := r.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return recorded{c.(conn), r.record}, nil
}

// conn is all that lib/pq's connections are to database/sql. One that hid a part would be asked in another way.
type conn interface {
	driver.Conn
	driver.QueryerContext
	driver.ExecerContext
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
	driver.NamedValueChecker
}

type recorded struct {
	conn
	record *Record
}

func (r recorded) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	r.record.add(query, args)
	return r.conn.QueryContext(ctx, query, args)
}

func (r recorded) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r.record.add(query, args)
	return r.conn.ExecContext(ctx, query, args)
}

func (r recorded) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	r.record.add(query, nil)
	return r.conn.PrepareContext(ctx, query)
}

func (r recorded) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	r.record.add("BEGIN", nil)
	return r.conn.BeginTx(ctx, o)
}
