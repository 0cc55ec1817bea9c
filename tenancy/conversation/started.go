package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// StartedBy returns at most limit conversations that a user started and that are not deleted, in whatever team, behind the one with
// the id after. It decides on no rights: it is for an account of what is held about the user.
func (s *Service) StartedBy(ctx context.Context, user, after uuid.UUID, limit int) ([]Conversation, error) {
	var rows []row
	err := s.db.SelectContext(ctx, &rows, `
		SELECT `+columns+`
		  FROM conversations
		 WHERE starter_id = $1 AND id > $2 AND state <> 'deleted'
		 ORDER BY id
		 LIMIT $3`, user, after, limit)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list what a user started: %w", err))
	}
	return conversations(rows), nil
}
