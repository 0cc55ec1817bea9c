package vault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Changes is what happens to the documents of one scope in one transaction.
type Changes struct {
	store *Store
	ctx   context.Context // of the call that made it; it never outlives that call
	tx    *postgres.Tx
	scope Scope
	by    By
}

// Change makes several changes in one scope, all of them or none. Those of one scope come one after the other, so that they cannot
// wait for each other in a circle, whatever order they take their documents in.
func (s *Store) Change(ctx context.Context, scope Scope, by By, work func(*Changes) error) error {
	return s.changing(ctx, scope, by, func(c *Changes) error {
		if err := c.lock(); err != nil {
			return err
		}
		return work(c)
	})
}

// Update changes one document, which is made when it is missing. Changes of one document come one after the other, each on top
// of the one before, so that none is lost; an error of change leaves everything as it was, and is returned. Errors beside it:
// *LimitError, and problems for what is too large, named badly, or named like another but for the case.
func (s *Store) Update(ctx context.Context, scope Scope, kind Kind, name string, by By, change func(*Draft) error) (d *Document, err error) {
	err = s.changing(ctx, scope, by, func(c *Changes) (err error) {
		d, err = c.Update(kind, name, change)
		return err
	})
	return d, err
}

// Edit is Update for a document that must be there: else ErrMissing.
func (s *Store) Edit(ctx context.Context, scope Scope, kind Kind, name string, by By, change func(*Draft) error) (d *Document, err error) {
	err = s.changing(ctx, scope, by, func(c *Changes) (err error) {
		d, err = c.Edit(kind, name, change)
		return err
	})
	return d, err
}

// Rename gives a document another name: ErrMissing, ErrExists. To change only the case of letters is allowed.
func (s *Store) Rename(ctx context.Context, scope Scope, kind Kind, from, to string, by By) error {
	return s.changing(ctx, scope, by, func(c *Changes) error { return c.Rename(kind, from, to) })
}

// Delete removes a document, and says whether there was one.
func (s *Store) Delete(ctx context.Context, scope Scope, kind Kind, name string, by By) (removed bool, err error) {
	err = s.changing(ctx, scope, by, func(c *Changes) (err error) {
		removed, err = c.Delete(kind, name)
		return err
	})
	return removed && err == nil, err
}

func (s *Store) changing(ctx context.Context, scope Scope, by By, work func(*Changes) error) error {
	err := s.db.InTx(ctx, func(tx *postgres.Tx) error { return work(&Changes{store: s, ctx: ctx, tx: tx, scope: scope, by: by}) })
	if e := pq.As(err); e != nil && e.Code.Class() == pqerror.ClassDataException {
		err = problem.New(http.StatusUnprocessableEntity, "Neither NUL characters nor numbers beyond all bounds can be kept.").Because(err)
	}
	return err
}

// Layers is Store.Layers for this scope, with the changes made so far.
func (c *Changes) Layers(kinds ...Kind) ([]*Document, error) {
	return c.store.layers(c.ctx, c.tx, c.scope, kinds)
}

// lock keeps others from adding and renaming documents of this scope until the transaction ends. It is taken before any document
// is locked, never after.
func (c *Changes) lock() error {
	_, err := c.tx.ExecContext(c.ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, fmt.Sprint("vault ", c.scope.Team, c.scope.User))
	if err != nil {
		return fmt.Errorf("lock a scope of the vault: %w", err)
	}
	return nil
}
