package vault

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// LimitError is the answer when a scope has as many documents of a kind as it may have.
type LimitError struct {
	Kind Kind
	Max  int
}

// Error says which limit it is.
func (e *LimitError) Error() string {
	return fmt.Sprintf("there are %d documents of kind %s already", e.Max, e.Kind)
}

// Update is Store.Update among these changes.
func (c *Changes) Update(kind Kind, name string, change func(*Draft) error) (*Document, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	present, err := c.present(kind, name)
	switch {
	case err != nil:
		return nil, err
	case present == nil:
		fresh := &Document{ID: uuid.New(), Scope: c.scope, Kind: kind, Name: name, Body: map[string]any{}, sealed: map[string][]byte{}}
		if err := c.room(kind); err != nil {
			return nil, err
		}
		return c.keep(c.draft(fresh, true), change)
	case present.Name != name:
		return nil, alike(present.Name)
	}
	return c.keep(c.draft(present, false), change)
}

// Edit is Store.Edit among these changes.
func (c *Changes) Edit(kind Kind, name string, change func(*Draft) error) (*Document, error) {
	present, err := c.locked(kind, name)
	if err != nil || present == nil || present.Name != name {
		return nil, orMissing(err)
	}
	return c.keep(c.draft(present, false), change)
}

// present locks the document. One that is missing is missing under a lock of its scope, so that its name and number stay unique.
func (c *Changes) present(kind Kind, name string) (*Document, error) {
	d, err := c.locked(kind, name)
	if err != nil || d != nil {
		return d, err
	}
	if err := c.lock(); err != nil {
		return nil, err
	}
	return c.locked(kind, name)
}

func (c *Changes) draft(d *Document, created bool) *Draft {
	return &Draft{Body: d.Body, Created: created, document: d, values: map[string]string{}, changes: c}
}

func (c *Changes) keep(d *Draft, change func(*Draft) error) (*Document, error) {
	if err := change(d); err != nil {
		return nil, err
	}
	if err := d.checked(); err != nil {
		return nil, err
	}
	if d.document.Body = d.Body; d.Body == nil {
		d.document.Body = map[string]any{}
	}
	if _, err := d.seal(); err != nil {
		return nil, err
	}
	if err := c.write(d.document); err != nil {
		return nil, err
	}
	return d.document, c.record(d.document.Kind, d.document.Name, "set")
}

func alike(present string) error {
	return problem.Newf(http.StatusConflict, "There is %q already: names must differ by more than the case of letters.", present)
}

func (c *Changes) room(kind Kind) error {
	var count int
	err := c.tx.GetContext(c.ctx, &count, `
		SELECT count(*)
		  FROM vault_documents
		 WHERE team_id = $1
		   AND user_id IS NOT DISTINCT FROM $2
		   AND kind = $3`, c.scope.Team, nullable(c.scope.User), kind)
	if err != nil {
		return fmt.Errorf("count documents of the vault: %w", err)
	}
	if count >= most(kind) {
		return &LimitError{Kind: kind, Max: most(kind)}
	}
	return nil
}

// write keeps a document; its version grows by one.
func (c *Changes) write(d *Document) error {
	body, err := json.Marshal(d.Body)
	if err != nil {
		return fmt.Errorf("encode a document: %w", err)
	}
	closed, err := json.Marshal(d.sealed)
	if err != nil {
		return fmt.Errorf("encode sealed values: %w", err)
	}
	if len(body)+unfolded(d.Body)+len(closed) > maxDocument {
		return problem.Newf(http.StatusRequestEntityTooLarge, "A document may hold %d KiB in all; remove some of it first.", maxDocument>>10)
	}
	err = c.tx.QueryRowxContext(c.ctx, `
		INSERT INTO vault_documents (id, team_id, user_id, kind, name, body, sealed, key_ids)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE
		   SET body = excluded.body, sealed = excluded.sealed, key_ids = excluded.key_ids,
		       version = vault_documents.version + 1, updated_at = now()
		RETURNING version, created_at, updated_at`,
		d.ID, d.Scope.Team, nullable(d.Scope.User), d.Kind, d.Name, string(body), string(closed), pq.Array(d.keys())).
		Scan(&d.Version, &d.CreatedAt, &d.UpdatedAt)
	if err != nil {
		return fmt.Errorf("keep a document of the vault: %w", err)
	}
	return nil
}

func (c *Changes) record(kind Kind, name, what string) error {
	detail := map[string]any{}
	if c.scope.User != uuid.Nil {
		detail["user"] = c.scope.User
	}
	return audit.Record(c.ctx, c.tx, audit.Entry{
		Team: c.scope.Team, ActorID: c.by.ID, Actor: c.by.Name, Action: action(kind, what), Object: name, Detail: detail,
	})
}

func action(kind Kind, what string) string { return "vault." + string(kind) + "." + what }
