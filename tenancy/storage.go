package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The storage backends as they are recorded.
const (
	backendFile     = "file"
	backendDatabase = "database"
)

// What must not come together: files are for anonymous people alone.
var (
	errFilesInUse = problem.New(http.StatusConflict,
		"Anonymous use cannot be turned off while STORAGE_BACKEND is file. Start the server with STORAGE_BACKEND=database first.")
	errKeptOff = problem.New(http.StatusConflict,
		"Anonymous use was turned off at run time, and STORAGE_BACKEND=file serves nobody else. Run `openhands-saas anonymous on`, or set STORAGE_BACKEND=database.")
)

// Declare records the storage backend that this server runs with, so that a command line with another configuration knows it.
// A server calls it once, when it starts. It refuses files while the mode is kept off.
func (a *Anonymous) Declare(ctx context.Context) error {
	err := a.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := lockInstallation(ctx, tx); err != nil {
			return err
		}
		off, err := keptOff(ctx, tx)
		if err != nil {
			return err
		}
		if a.files && off {
			return errKeptOff
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO installation (key, value)
			VALUES ('storage_backend', to_jsonb($1::text))
			ON CONFLICT (key) DO UPDATE
			   SET value = excluded.value, updated_at = now()
			 WHERE installation.value <> excluded.value`, a.backend())
		return err
	})
	if err != nil {
		return postgres.Problem(fmt.Errorf("record the storage backend: %w", err))
	}
	return nil
}

func (a *Anonymous) backend() string {
	if a.files {
		return backendFile
	}
	return backendDatabase
}

// mayTurn refuses to turn the mode off under a server with the file backend. It holds until the transaction ends.
func (a *Anonymous) mayTurn(ctx context.Context, tx *postgres.Tx, on bool) error {
	if err := lockInstallation(ctx, tx); err != nil {
		return err
	}
	backend, err := a.declared(ctx, tx)
	if err != nil {
		return err
	}
	if !on && backend == backendFile {
		return errFilesInUse
	}
	return nil
}

// declared is what the server recorded that started last; before any did, it is the own configuration.
func (a *Anonymous) declared(ctx context.Context, tx *postgres.Tx) (string, error) {
	var backend string
	err := tx.GetContext(ctx, &backend, `
		SELECT value #>> '{}'
		  FROM installation
		 WHERE key = 'storage_backend'`)
	if errors.Is(err, sql.ErrNoRows) {
		return a.backend(), nil
	}
	if err != nil {
		return "", fmt.Errorf("read the storage backend: %w", err)
	}
	return backend, nil
}

func keptOff(ctx context.Context, tx *postgres.Tx) (off bool, err error) {
	err = tx.GetContext(ctx, &off, `
		SELECT EXISTS (SELECT
		                 FROM installation
		                WHERE key = 'anonymous_mode' AND value = 'false')`)
	return off, err
}

// lockInstallation makes what was read of the installation hold until the transaction ends.
func lockInstallation(ctx context.Context, tx *postgres.Tx) error {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('openhands-saas installation'))`); err != nil {
		return fmt.Errorf("lock the installation: %w", err)
	}
	return nil
}
