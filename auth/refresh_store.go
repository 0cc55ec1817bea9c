package auth

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func hashRefresh(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

// lockByRefreshToken locks before the token is read: what others did to it meanwhile must be seen.
func lockByRefreshToken(ctx context.Context, tx *postgres.Tx, hash []byte) (row sessionRow, err error) {
	err = tx.GetContext(ctx, &row, selectSession+`
			AND s.offline AND s.id = (SELECT session_id FROM refresh_tokens WHERE token_hash = $1)
		FOR UPDATE OF s`, hash)
	if err != nil {
		return sessionRow{}, fmt.Errorf("lock the session of a refresh token: %w", err)
	}
	return row, nil
}

// useOfRefreshToken says when a token was used; nil: never.
func useOfRefreshToken(ctx context.Context, tx *postgres.Tx, hash []byte) (used *time.Time, err error) {
	if err = tx.GetContext(ctx, &used, `SELECT used_at FROM refresh_tokens WHERE token_hash = $1`, hash); err != nil {
		return nil, fmt.Errorf("read a refresh token: %w", err)
	}
	return used, nil
}

// useRefreshToken notes that a token, and so its session, was used.
func useRefreshToken(ctx context.Context, tx *postgres.Tx, hash []byte, session uuid.UUID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		WITH used AS (UPDATE refresh_tokens SET used_at = $3 WHERE token_hash = $1)
		UPDATE sessions SET last_seen_at = greatest(last_seen_at, $3)
		WHERE id = $2`, hash, session, now)
	if err != nil {
		return fmt.Errorf("use a refresh token: %w", err)
	}
	return nil
}

func insertRefreshToken(ctx context.Context, tx *postgres.Tx, hash []byte, session uuid.UUID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO refresh_tokens (token_hash, session_id, created_at)
		VALUES ($1, $2, $3)`, hash, session, now)
	if err != nil {
		return fmt.Errorf("insert a refresh token: %w", err)
	}
	return nil
}
