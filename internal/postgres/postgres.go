// Package postgres owns the way to the database: the pool, transactions, the bus of invalidations, the schema's migrations and
// what a failure of the database means for a caller.
//
// It never holds a query of the product; those live beside their domain. Its key idea: what a transaction changes is announced
// inside the same transaction (Tx.Notify), so that every replica hears of a change exactly when it becomes true, and the bus
// says at any moment whether it can be trusted (Bus.Fresh).
package postgres

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
)

// Config says how to reach the database.
type Config struct {
	URL     string       // a URL or a key=value string as lib/pq takes it; required
	MaxOpen int          // connections of the pool; 0 means 20. The bus uses two more
	Log     *slog.Logger // nil discards

	// Patience is how long the server may be silent in the middle of anything before its connection is given up; 0 means 5 s.
	Patience time.Duration
}

// DB is the pool of one replica and its end of the bus.
type DB struct {
	*sqlx.DB
	Bus *Bus

	dsn dsn
	log *slog.Logger
}

// Open connects and makes sure that the database answers. It changes nothing there: see EnsureDatabase and Migrate.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	d, err := parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	d.patience = cfg.Patience
	log := orDiscard(cfg.Log)
	pool := d.pool("openhands-saas", maxOpen(cfg.MaxOpen))
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the database %s: %w", d, err), pool.Close())
	}
	return &DB{DB: sqlx.NewDb(pool, "postgres"), Bus: newBus(d, log), dsn: d, log: log}, nil
}

// Listen starts the bus and returns once it is fresh. ctx bounds the start only; the bus runs until Close.
func (db *DB) Listen(ctx context.Context) error { return db.Bus.start(ctx) }

// Close ends the bus and the pool.
func (db *DB) Close() error {
	db.Bus.close()
	return db.DB.Close()
}

// Tx is a transaction that remembers what it will have to announce.
type Tx struct {
	*sqlx.Tx
	ctx    context.Context // of the InTx that made it; a Tx never outlives that call
	events []Event
}

// Notify announces that what (topic, id) stands for has changed. Nobody hears of it unless the transaction commits.
func (tx *Tx) Notify(topic Topic, id uuid.UUID) error {
	e := Event{Topic: topic, ID: id}
	if _, err := tx.ExecContext(tx.ctx, `SELECT pg_notify($1, $2)`, channel, e.encode()); err != nil {
		return fmt.Errorf("announce a change of %s: %w", topic, err)
	}
	tx.events = append(tx.events, e)
	return nil
}

// InTx runs work in a transaction: committed when it returns nil, rolled back when it fails or panics. The events of a
// committed transaction have reached this replica's subscribers when InTx returns.
func (db *DB) InTx(ctx context.Context, work func(tx *Tx) error) error {
	inner, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return Problem(fmt.Errorf("begin a transaction: %w", err))
	}
	defer func() { _ = inner.Rollback() }() // does nothing after a commit, and is what a panic needs
	tx := &Tx{Tx: inner, ctx: ctx}
	if err := work(tx); err != nil {
		return Problem(err)
	}
	err = inner.Commit()
	// A commit whose answer was lost may have happened, and to forget too much harms nobody: so the events go out either way.
	db.Bus.dispatch(tx.events...)
	if err != nil {
		return Problem(fmt.Errorf("commit a transaction: %w", err))
	}
	return nil
}

// pool opens connections under name, which give up a server that says nothing. Nothing is dialled yet.
func (d dsn) pool(name string, limit int) *sql.DB {
	return d.poolOver(name, limit, &patientDialer{within: cmp.Or(d.patience, max(answerWithin, d.cfg.ConnectTimeout))})
}

// unhurried is a pool whose statements may take as long as they like.
func (d dsn) unhurried(name string, limit int) *sql.DB {
	return d.poolOver(name, limit, nil)
}

func (d dsn) poolOver(name string, limit int, dialer pq.Dialer) *sql.DB {
	connector, _ := pq.NewConnectorConfig(d.named(name)) // the configuration was parsed before: this cannot fail
	if dialer != nil {
		connector.Dialer(dialer)
	}
	p := sql.OpenDB(connector)
	p.SetMaxOpenConns(limit)
	p.SetMaxIdleConns(limit)
	p.SetConnMaxIdleTime(5 * time.Minute)
	return p
}

func maxOpen(n int) int {
	if n <= 0 {
		return 20
	}
	return n
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
