package oidc

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// DropSince takes from a user, in the caller's transaction, the identities that were linked since then: whoever linked them may not
// have been the user. It is as if each were unlinked.
func (s *Service) DropSince(ctx context.Context, tx *postgres.Tx, u auth.User, since time.Time) error {
	var dropped []string
	err := tx.SelectContext(ctx, &dropped, `
		DELETE FROM identities
		WHERE user_id = $1 AND created_at >= $2
		RETURNING provider`, u.ID, since)
	if err != nil {
		return fmt.Errorf("drop the identities of an account that is taken back: %w", err)
	}
	for _, provider := range dropped {
		if err := s.dropped(ctx, tx, u, provider, uuid.Nil); err != nil {
			return err
		}
	}
	return nil
}
