package apikey

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/auth"
)

var _ auth.Keys = (*Service)(nil)

// Find returns what a good key proves. A key that is unknown, expired or revoked, or whose owner is inactive, is sql.ErrNoRows;
// what has not the form of a key is so without a query.
func (s *Service) Find(ctx context.Context, token string) (auth.KeyProof, error) {
	if !Plausible(token) {
		return auth.KeyProof{}, sql.ErrNoRows
	}
	return s.proof(ctx, `k.key_hash = $2`, hashed(token))
}

// FindByID is Find for who has proof of a key other than the key itself: its id, and its owner's.
func (s *Service) FindByID(ctx context.Context, key, owner uuid.UUID) (auth.KeyProof, error) {
	return s.proof(ctx, `k.id = $2 AND k.user_id = $3`, key, owner)
}

// proofRow is a key with its owner.
type proofRow struct {
	auth.User
	Key     uuid.UUID      `db:"key_id"`
	Team    uuid.NullUUID  `db:"team_id"`
	Scopes  pq.StringArray `db:"scopes"`
	Expires *time.Time     `db:"expires_at"`
	Seen    time.Time      `db:"seen"`
	Service bool           `db:"service"`
}

func (s *Service) proof(ctx context.Context, which string, args ...any) (auth.KeyProof, error) {
	var row proofRow
	err := s.db.GetContext(ctx, &row, `
		SELECT k.id AS key_id, k.team_id, k.scopes, k.expires_at, coalesce(k.last_used_at, k.created_at - interval '1 hour') AS seen, u.kind = 'service' AS service,
			u.id, u.email, u.name, u.avatar_url, u.is_active, u.is_superuser, u.is_verified, u.created_at
		FROM api_keys k
		JOIN users u ON u.id = k.user_id
		WHERE u.is_active AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $1) AND `+which,
		append([]any{s.cfg.Now()}, args...)...)
	if err != nil {
		return auth.KeyProof{}, fmt.Errorf("read an API key: %w", err)
	}
	proof := auth.KeyProof{User: row.User, Service: row.Service, Key: row.Key, Scope: Highest(row.Scopes), Team: row.Team.UUID, Expires: never, Seen: row.Seen}
	if row.Expires != nil {
		proof.Expires = *row.Expires
	}
	return proof, nil
}

// Touch notes that keys were used. It leaves out those that somebody else is changing: they are being used or ended, and nobody waits for
// the other.
func (s *Service) Touch(ctx context.Context, keys []uuid.UUID, now time.Time) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE api_keys SET last_used_at = $2
		WHERE id = ANY (ARRAY(
			SELECT id FROM api_keys
			WHERE id = ANY ($1) AND (last_used_at IS NULL OR last_used_at < $2)
			FOR NO KEY UPDATE SKIP LOCKED))`, pq.Array(keys), now)
	if err != nil {
		return fmt.Errorf("note the use of API keys: %w", err)
	}
	return nil
}
