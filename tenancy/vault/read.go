package vault

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Layers reads, in one query, the documents of these kinds that count for a user in a team: the team's own first, then the
// user's, each by age and name.
func (s *Store) Layers(ctx context.Context, team, user uuid.UUID, kinds ...Kind) ([]*Document, error) {
	return s.layers(ctx, s.db, Scope{team, user}, kinds)
}

func (s *Store) layers(ctx context.Context, from reader, of Scope, kinds []Kind) ([]*Document, error) {
	return s.list(ctx, from, `
		SELECT `+columns+`
		  FROM vault_documents
		 WHERE team_id = $1
		   AND (user_id IS NULL OR user_id = $2)
		   AND kind = ANY ($3)
		 ORDER BY user_id IS NOT NULL, created_at, name`, of.Team, nullable(of.User), pq.Array(kinds))
}

// Named reads, in one query, the documents of a kind with these names that count for a user in a team, in the order of Layers.
func (s *Store) Named(ctx context.Context, team, user uuid.UUID, kind Kind, names []string) ([]*Document, error) {
	return s.list(ctx, s.db, `
		SELECT `+columns+`
		  FROM vault_documents
		 WHERE team_id = $1
		   AND (user_id IS NULL OR user_id = $2)
		   AND kind = $3
		   AND name = ANY ($4)
		 ORDER BY user_id IS NOT NULL, created_at, name`, team, nullable(user), kind, pq.Array(names))
}

// List reads the documents of one kind in one scope, by age and name.
func (s *Store) List(ctx context.Context, scope Scope, kind Kind) ([]*Document, error) {
	return s.list(ctx, s.db, `
		SELECT `+columns+`
		  FROM vault_documents
		 WHERE team_id = $1
		   AND user_id IS NOT DISTINCT FROM $2
		   AND kind = $3
		 ORDER BY created_at, name`, scope.Team, nullable(scope.User), kind)
}

// Get reads one document, and says whether there is one.
func (s *Store) Get(ctx context.Context, scope Scope, kind Kind, name string) (*Document, bool, error) {
	return s.one(ctx, `
		SELECT `+columns+`
		  FROM vault_documents
		 WHERE team_id = $1
		   AND user_id IS NOT DISTINCT FROM $2
		   AND kind = $3
		   AND name = $4`, scope.Team, nullable(scope.User), kind, name)
}

// reader is the pool or a transaction.
type reader interface {
	SelectContext(ctx context.Context, to any, text string, args ...any) error
}

func (s *Store) list(ctx context.Context, from reader, text string, args ...any) ([]*Document, error) {
	rows, err := query(ctx, from, text, args...)
	return s.documents(rows), err
}

func (s *Store) one(ctx context.Context, text string, args ...any) (*Document, bool, error) {
	rows, err := query(ctx, s.db, text, args...)
	if err != nil || len(rows) == 0 {
		return nil, false, err
	}
	d, err := rows[0].document()
	return d, err == nil, err
}

func query(ctx context.Context, from reader, text string, args ...any) ([]row, error) {
	var rows []row
	if err := from.SelectContext(ctx, &rows, text, args...); err != nil {
		return nil, postgres.Problem(fmt.Errorf("read the vault: %w", err))
	}
	return rows, nil
}

// locked reads a document for a change, whatever the case of its name.
func (c *Changes) locked(kind Kind, name string) (*Document, error) {
	var r row
	err := c.tx.GetContext(c.ctx, &r, `
		SELECT `+columns+`
		  FROM vault_documents
		 WHERE team_id = $1
		   AND user_id IS NOT DISTINCT FROM $2
		   AND kind = $3
		   AND lower(name) = lower($4)
		   FOR UPDATE`, c.scope.Team, nullable(c.scope.User), kind, name)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock a document of the vault: %w", err)
	}
	return r.document()
}

func nullable(id uuid.UUID) uuid.NullUUID { return uuid.NullUUID{UUID: id, Valid: id != uuid.Nil} }
