package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/cache"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Where the anonymous mode was set.
const (
	SourceKept        = "kept"        // at run time; it wins for good
	SourceEnvironment = "environment" // by the configuration
)

// Anonymous is the switch of the anonymous mode: may people come without credentials, as the anonymous team.
type Anonymous struct {
	db    *postgres.DB
	start bool // holds until the mode is set at run time
	files bool // settings of anonymous people are the upstream's files, which nobody else may use
	known *cache.Cache[struct{}, mode]
}

type mode struct{ on, kept bool }

// NewAnonymous makes the switch. start is the configuration's value; storageFile forbids to turn the mode off.
func NewAnonymous(db *postgres.DB, start, storageFile bool) *Anonymous {
	a := &Anonymous{db: db, start: start, files: storageFile, known: cache.New[struct{}, mode](1, db.Bus.Fresh)}
	db.Bus.Subscribe(func(e postgres.Event) {
		if e.Topic == "" || e.Topic == postgres.TopicInstallation {
			a.known.DropAll()
		}
	})
	return a
}

// On says whether people may come without credentials.
func (a *Anonymous) On(ctx context.Context) (bool, error) {
	m, err := a.mode(ctx)
	return m.on, err
}

// Source says where the value of On comes from; it is empty when that cannot be told now.
func (a *Anonymous) Source(ctx context.Context) string {
	m, err := a.mode(ctx)
	switch {
	case err != nil:
		return ""
	case m.kept:
		return SourceKept
	}
	return SourceEnvironment
}

func (a *Anonymous) mode(ctx context.Context) (mode, error) {
	if m, ok := a.known.Get(struct{}{}); ok {
		return m, nil
	}
	mark := a.known.Begin()
	m, err := a.read(ctx)
	if err != nil {
		return mode{}, postgres.Problem(fmt.Errorf("read the anonymous mode: %w", err))
	}
	a.known.Put(mark, struct{}{}, m)
	return m, nil
}

func (a *Anonymous) read(ctx context.Context) (mode, error) {
	m := mode{kept: true}
	err := a.db.GetContext(ctx, &m.on, `
		SELECT value = 'true'
		  FROM installation
		 WHERE key = 'anonymous_mode'`)
	if errors.Is(err, sql.ErrNoRows) {
		return mode{on: a.start}, nil
	}
	return m, err
}

// Set turns the mode on or off for every replica, for good. actor is who the audit log names. A value that is kept already
// changes nothing. What the servers declared counts, not the caller's configuration: the command line may have another.
func (a *Anonymous) Set(ctx context.Context, on bool, actor string) error {
	return a.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := a.mayTurn(ctx, tx, on); err != nil {
			return err
		}
		changed, err := keep(ctx, tx, on)
		if err != nil || !changed {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Actor: actor, Action: "anonymous." + word(on), Object: "installation"}); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicInstallation, uuid.Nil)
	})
}

func keep(ctx context.Context, tx *postgres.Tx, on bool) (changed bool, err error) {
	result, err := tx.ExecContext(ctx, `
		INSERT INTO installation (key, value)
		VALUES ('anonymous_mode', to_jsonb($1::boolean))
		ON CONFLICT (key) DO UPDATE
		   SET value = excluded.value, updated_at = now()
		 WHERE installation.value <> excluded.value`, on)
	if err != nil {
		return false, fmt.Errorf("keep the anonymous mode: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

func word(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
