package conversation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Conversations that end because their team or their starter does: nobody asked the upstream, which has to be told afterwards.
// Until then its agents may go on, though nobody reaches them. One that is just being made is told of when the create must be over.
// The ids stay the team's, as those of all deleted ones.

// manyEvents is from how many on every replica forgets all it knows, rather than one after the other.
const manyEvents = 50

// EndTeam deletes all conversations of a team, in the transaction in which it goes.
func (s *Service) EndTeam(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error {
	return s.orphan(ctx, tx, `team_id = $2`, team)
}

// EndPrivate deletes what a user kept for themself in teams that stay, in the transaction in which the account goes: what was
// private is nobody else's to read. The user's other conversations stay their team's.
func (s *Service) EndPrivate(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	return s.orphan(ctx, tx, `starter_id = $2 AND visibility = 'private'`, user)
}

func (s *Service) orphan(ctx context.Context, tx *postgres.Tx, which string, argument uuid.UUID) error {
	var ended []struct {
		ID   uuid.UUID `db:"id"`
		Team uuid.UUID `db:"team_id"`
	}
	err := tx.SelectContext(ctx, &ended, `
		UPDATE conversations
		   SET state = 'deleted',
		       title = '',
		       updated_at = greatest(updated_at, $1),
		       lease_expires_at = NULL,
		       orphaned_at = CASE WHEN state = 'reserved' THEN greatest($1, lease_expires_at) ELSE $1 END
		 WHERE state <> 'deleted' AND `+which+`
		RETURNING id, team_id`, s.now(), argument)
	if err != nil {
		return fmt.Errorf("end conversations: %w", err)
	}
	for _, c := range ended {
		entry := audit.Entry{Team: c.Team, Actor: "account deletion", Action: "conversation.delete", Object: c.ID.String()}
		if err := audit.Record(ctx, tx, entry); err != nil {
			return err
		}
		if len(ended) > manyEvents {
			continue
		}
		if err := tx.Notify(postgres.TopicConversation, c.ID); err != nil {
			return err
		}
	}
	if len(ended) > manyEvents {
		return tx.Notify("", uuid.Nil)
	}
	return nil
}

// Orphans returns at most limit conversations that the upstream has to be told to delete, the oldest first.
func (s *Service) Orphans(ctx context.Context, limit int) ([]uuid.UUID, error) {
	list := []uuid.UUID{}
	err := s.db.SelectContext(ctx, &list, `
		SELECT id
		  FROM conversations
		 WHERE orphaned_at <= $1
		 ORDER BY orphaned_at, id
		 LIMIT $2`, s.now(), limit)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list orphaned conversations: %w", err))
	}
	return list, nil
}

// orphanRetry is when the upstream is asked again after a refusal.
const orphanRetry = time.Minute

// Told notes that the upstream has one no more. With later it refused, and is asked again in a while.
func (s *Service) Told(ctx context.Context, id uuid.UUID, later bool) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE conversations
		   SET orphaned_at = CASE WHEN $2 THEN $3::timestamptz END
		 WHERE id = $1 AND orphaned_at IS NOT NULL`, id, later, s.now().Add(orphanRetry))
	if err != nil {
		return postgres.Problem(fmt.Errorf("note what the upstream was told: %w", err))
	}
	return nil
}
