package conversation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Overdue returns reservations whose lease ran out, the oldest first: whoever made them did not live to say how it ended.
func (s *Service) Overdue(ctx context.Context, limit int) ([]Conversation, error) {
	var rows []row
	err := s.db.SelectContext(ctx, &rows, `
		SELECT `+columns+`
		  FROM conversations
		 WHERE state = 'reserved' AND lease_expires_at < $1
		 ORDER BY lease_expires_at
		 LIMIT $2`, s.now(), limit)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("find overdue reservations: %w", err))
	}
	return conversations(rows), nil
}

// Adopt gives to team those of the found conversations that have no row, in whatever state: a row once made is never changed
// here. Starter and visibility are not taken over, since nobody is known to have started them.
func (s *Service) Adopt(ctx context.Context, team uuid.UUID, found []Conversation) (adopted int, err error) {
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := mustExist(ctx, tx, team); err != nil {
			return err
		}
		if adopted, err = s.adopt(ctx, tx, team, found); err != nil || adopted == 0 {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{
			Team: team, Actor: "command line", Action: "conversation.adopt", Object: team.String(),
			Detail: map[string]any{"count": adopted},
		})
	})
	if err != nil {
		return 0, err
	}
	return adopted, nil
}

func (s *Service) adopt(ctx context.Context, tx *postgres.Tx, team uuid.UUID, found []Conversation) (adopted int, err error) {
	for _, c := range found {
		added, err := changed(tx.ExecContext(ctx, `
			INSERT INTO conversations (id, team_id, state, title, working_dir, roots, parent_id, created_at, updated_at)
			VALUES ($1, $2, 'live', $3, $4, $5, $6, $7, $8)
			ON CONFLICT (id) DO NOTHING`,
			c.ID, team, cleanTitle(c.Title), cleanFolder(c.WorkingDir), cleanFolders(c.Roots), nullable(c.Parent),
			s.orNow(c.CreatedAt), s.orNow(c.UpdatedAt)))
		if err != nil {
			return 0, fmt.Errorf("adopt conversation: %w", err)
		}
		if added {
			adopted++
		}
	}
	return adopted, nil
}

func (s *Service) orNow(t time.Time) time.Time {
	if t.IsZero() {
		return s.now()
	}
	return t
}

func mustExist(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error {
	var one int
	err := tx.GetContext(ctx, &one, `
		SELECT 1
		  FROM teams
		 WHERE id = $1
		   FOR KEY SHARE`, team)
	if errors.Is(err, sql.ErrNoRows) {
		return problem.New(http.StatusNotFound, "Team not found")
	}
	if err != nil {
		return fmt.Errorf("find team: %w", err)
	}
	return nil
}
