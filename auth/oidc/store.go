package oidc

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// identity is who somebody is at an issuer.
type identity struct {
	ID   uuid.UUID `db:"id"`
	User uuid.UUID `db:"user_id"`
}

func identityOf(ctx context.Context, tx *postgres.Tx, issuer, subject string) (i identity, found bool, err error) {
	err = tx.GetContext(ctx, &i, `
		SELECT id, user_id
		FROM identities
		WHERE issuer = $1 AND subject = $2`, issuer, subject)
	if errors.Is(err, sql.ErrNoRows) {
		return i, false, nil
	}
	if err != nil {
		return i, false, fmt.Errorf("find an identity: %w", err)
	}
	return i, true, nil
}

// hasIdentity says whether the user has an identity of one of the issuers.
func hasIdentity(ctx context.Context, tx *postgres.Tx, user uuid.UUID, issuers ...string) (has bool, err error) {
	err = tx.GetContext(ctx, &has, `
		SELECT EXISTS (
			SELECT FROM identities
			WHERE user_id = $1 AND issuer = ANY($2))`, user, pq.Array(issuers))
	if err != nil {
		return false, fmt.Errorf("look for an identity: %w", err)
	}
	return has, nil
}

// insertIdentity answers auth.ErrTaken when somebody was faster.
func insertIdentity(ctx context.Context, tx *postgres.Tx, user uuid.UUID, p *provider, who claims, now time.Time, used bool) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an id: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO identities (id, user_id, provider, issuer, subject, email, email_verified, created_at, last_login_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, cast($8 AS timestamptz), CASE WHEN cast($9 AS boolean) THEN cast($8 AS timestamptz) END)`,
		id, user, p.Name, p.issuer, who.Subject, who.Email, who.Verified, now, used)
	if pq.As(err, pqerror.UniqueViolation) != nil {
		return auth.ErrTaken
	}
	if err != nil {
		return fmt.Errorf("insert an identity: %w", err)
	}
	return nil
}

func noteUse(ctx context.Context, tx *postgres.Tx, id uuid.UUID, provider string, who claims, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE identities SET provider = $2, email = $3, email_verified = $4, last_login_at = $5
		WHERE id = $1`, id, provider, who.Email, who.Verified, now)
	if err != nil {
		return fmt.Errorf("note the use of an identity: %w", err)
	}
	return nil
}

func readIdentities(ctx context.Context, db *postgres.DB, user uuid.UUID) ([]Linked, error) {
	list := []Linked{}
	err := db.SelectContext(ctx, &list, `
		SELECT id, provider, email, created_at, last_login_at
		FROM identities
		WHERE user_id = $1
		ORDER BY created_at, id`, user)
	if err != nil {
		return nil, fmt.Errorf("list identities: %w", err)
	}
	return list, nil
}

// deleteIdentity returns the name of its provider; access.ErrHidden for somebody else's as for one that is not there.
func deleteIdentity(ctx context.Context, tx *postgres.Tx, user, id uuid.UUID) (provider string, err error) {
	err = tx.GetContext(ctx, &provider, `
		DELETE FROM identities
		WHERE id = $1 AND user_id = $2
		RETURNING provider`, id, user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", access.ErrHidden
	}
	if err != nil {
		return "", fmt.Errorf("delete an identity: %w", err)
	}
	return provider, nil
}

// spend uses a state up: of many who bring it at the same time exactly one goes on. States that ran out are worth nothing anyway,
// so they go.
func (s *Service) spend(ctx context.Context, f flow) error {
	now := s.cfg.Now()
	if _, err := s.db.ExecContext(ctx, `DELETE FROM oauth_states WHERE expires_at < $1`, now); err != nil {
		return postgres.Problem(fmt.Errorf("drop old states: %w", err))
	}
	hash := sha256.Sum256([]byte(f.CSRF))
	result, err := s.db.ExecContext(ctx, `
		INSERT INTO oauth_states (state_hash, expires_at)
		VALUES ($1, $2)
		ON CONFLICT (state_hash) DO NOTHING`, hash[:], f.Expires.Time)
	if err != nil {
		return postgres.Problem(fmt.Errorf("use up a state: %w", err))
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return firstOf(err, errState)
	}
	return nil
}
