package factor

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// DropSince removes, in the caller's transaction, the second factors that were set up since then: whoever did it may not have been the
// user. The caller ends the sessions.
func (v *Verifier) DropSince(ctx context.Context, tx *postgres.Tx, user uuid.UUID, since time.Time) error {
	for _, statement := range []string{
		`DELETE FROM totp_factors WHERE user_id = $1 AND (confirmed_at IS NULL OR confirmed_at >= $2)`,
		`UPDATE totp_factors SET pending = NULL, pending_session = NULL, pending_until = NULL WHERE user_id = $1 AND confirmed_at < $2`,
		`DELETE FROM passkeys WHERE user_id = $1 AND created_at >= $2`,
		`DELETE FROM recovery_codes WHERE user_id = $1 AND created_at >= $2`,
	} {
		if _, err := tx.ExecContext(ctx, statement, user, since); err != nil {
			return fmt.Errorf("remove the second factors of an account that is taken back: %w", err)
		}
	}
	return nil
}
