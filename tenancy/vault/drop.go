package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// EndTeam removes all that a team and its members keep there, in the transaction in which the team goes.
func EndTeam(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM vault_documents WHERE team_id = $1`, team); err != nil {
		return fmt.Errorf("empty a team's vault: %w", err)
	}
	return nil
}
