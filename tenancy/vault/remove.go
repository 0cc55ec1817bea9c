package vault

import (
	"errors"
	"fmt"
)

// Errors of changes to what must, or must not, be there.
var (
	ErrMissing = errors.New("there is no such document")
	ErrExists  = errors.New("there is a document of that name already")
)

// Delete is Store.Delete among these changes.
func (c *Changes) Delete(kind Kind, name string) (bool, error) {
	result, err := c.tx.ExecContext(c.ctx, `
		DELETE FROM vault_documents
		 WHERE team_id = $1
		   AND user_id IS NOT DISTINCT FROM $2
		   AND kind = $3
		   AND name = $4`, c.scope.Team, nullable(c.scope.User), kind, name)
	if err != nil {
		return false, fmt.Errorf("remove a document of the vault: %w", err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return true, c.record(kind, name, "delete")
}

// Rename is Store.Rename among these changes.
func (c *Changes) Rename(kind Kind, from, to string) error {
	if err := errors.Join(checkName(to), c.lock()); err != nil {
		return err
	}
	d, err := c.locked(kind, from)
	if err != nil || d == nil || d.Name != from {
		return orMissing(err)
	}
	other, err := c.locked(kind, to)
	if err != nil {
		return err
	}
	if other != nil && other.ID != d.ID {
		return ErrExists
	}
	_, err = c.tx.ExecContext(c.ctx, `
		UPDATE vault_documents
		   SET name = $2, version = version + 1, updated_at = now()
		 WHERE id = $1`, d.ID, to)
	if err != nil {
		return fmt.Errorf("rename a document of the vault: %w", err)
	}
	return c.record(kind, from, "rename")
}

// orMissing is ErrMissing when nothing went wrong.
func orMissing(err error) error {
	if err != nil {
		return err
	}
	return ErrMissing
}
