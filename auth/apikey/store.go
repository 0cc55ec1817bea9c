package apikey

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const columns = `id, name, prefix, team_id, scopes, created_at, last_used_at, expires_at`

// List returns a page of an owner's keys, the newest first: those that were not revoked, also expired ones.
func (s *Service) List(ctx context.Context, owner uuid.UUID, w Window) (Page, error) {
	page := Page{Items: []Key{}}
	err := s.db.SelectContext(ctx, &page.Items, `
		SELECT `+columns+`
		FROM api_keys
		WHERE user_id = $1 AND revoked_at IS NULL AND ($2::uuid IS NULL OR id < $2)
		ORDER BY id DESC
		LIMIT $3`, owner, uuid.NullUUID{UUID: w.After, Valid: w.After != uuid.Nil}, w.Limit+1)
	if err != nil {
		return Page{}, postgres.Problem(fmt.Errorf("list API keys: %w", err))
	}
	if len(page.Items) > w.Limit {
		page.Items = page.Items[:w.Limit]
		page.Next = &page.Items[w.Limit-1].ID
	}
	for i := range page.Items {
		page.Items[i] = page.Items[i].utc()
	}
	return page, nil
}

// Get returns one of the owner's keys, or ErrMissing.
func (s *Service) Get(ctx context.Context, owner, id uuid.UUID) (k Key, err error) {
	err = s.db.GetContext(ctx, &k, `
		SELECT `+columns+`
		FROM api_keys
		WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL`, owner, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, ErrMissing
	}
	if err != nil {
		return Key{}, postgres.Problem(fmt.Errorf("read an API key: %w", err))
	}
	return k.utc(), nil
}

// Purge deletes keys that were over before that moment, and says how many.
func (s *Service) Purge(ctx context.Context, before time.Time) (int64, error) {
	result, err := s.db.ExecContext(ctx, `DELETE FROM api_keys WHERE least(expires_at, revoked_at) < $1`, before)
	if err != nil {
		return 0, postgres.Problem(fmt.Errorf("delete old API keys: %w", err))
	}
	return result.RowsAffected()
}

// lockOwner holds who gets a key or has one changed. Of who was put out meanwhile there is none: a key that is made now would be good
// when they are let in again.
func lockOwner(ctx context.Context, tx *postgres.Tx, owner uuid.UUID) error {
	var id uuid.UUID
	err := tx.GetContext(ctx, &id, `SELECT id FROM users WHERE id = $1 AND is_active FOR NO KEY UPDATE`, owner)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrMissing
	}
	if err != nil {
		return fmt.Errorf("lock the owner of API keys: %w", err)
	}
	return nil
}

// find is Get in the transaction; replaced says whether another took the key's place.
func find(ctx context.Context, tx *postgres.Tx, owner, id uuid.UUID) (k Key, replaced bool, err error) {
	var row struct {
		Key
		Replaced bool `db:"replaced"`
	}
	err = tx.GetContext(ctx, &row, `
		SELECT `+columns+`, replaced_by IS NOT NULL AS replaced
		FROM api_keys
		WHERE user_id = $1 AND id = $2 AND revoked_at IS NULL
		FOR UPDATE`, owner, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, false, ErrMissing
	}
	if err != nil {
		return Key{}, false, fmt.Errorf("read an API key: %w", err)
	}
	return row.Key, row.Replaced, nil
}

// count is how many keys of an owner are good at the moment.
func count(ctx context.Context, tx *postgres.Tx, owner uuid.UUID, now time.Time) (n int, err error) {
	err = tx.GetContext(ctx, &n, `
		SELECT count(*)
		FROM api_keys
		WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`, owner, now)
	if err != nil {
		return 0, fmt.Errorf("count API keys: %w", err)
	}
	return n, nil
}

func insert(ctx context.Context, tx *postgres.Tx, a Act, k Created) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO api_keys (id, user_id, team_id, name, prefix, key_hash, scopes, created_at, created_by, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		k.ID, a.Owner, k.TeamID, k.Name, k.Prefix, hashed(k.Secret), k.Scopes, k.CreatedAt,
		uuid.NullUUID{UUID: a.ActorID, Valid: a.ActorID != uuid.Nil}, k.ExpiresAt)
	if err != nil {
		return fmt.Errorf("insert an API key: %w", err)
	}
	return nil
}

func update(ctx context.Context, tx *postgres.Tx, k Key) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE api_keys SET name = $2, scopes = $3, expires_at = $4
		WHERE id = $1`, k.ID, k.Name, k.Scopes, k.ExpiresAt)
	if err != nil {
		return fmt.Errorf("change an API key: %w", err)
	}
	return nil
}

func revoke(ctx context.Context, tx *postgres.Tx, id uuid.UUID, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked_at = $2 WHERE id = $1`, id, now); err != nil {
		return fmt.Errorf("revoke an API key: %w", err)
	}
	return nil
}

// expire lets a key that was replaced end, if it would not anyway before, and has every replica hear of it.
func expire(ctx context.Context, tx *postgres.Tx, k Key, by uuid.UUID, at time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE api_keys SET replaced_by = $2, expires_at = least(expires_at, $3)
		WHERE id = $1`, k.ID, by, at)
	if err != nil {
		return fmt.Errorf("let a rotated API key end: %w", err)
	}
	return tx.Notify(postgres.TopicSession, k.ID)
}

func revokeAll(ctx context.Context, tx *postgres.Tx, owner uuid.UUID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL`, owner, now)
	if err != nil {
		return fmt.Errorf("revoke all API keys of a user: %w", err)
	}
	return nil
}
