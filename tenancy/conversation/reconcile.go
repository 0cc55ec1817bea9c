package conversation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// settleLease is how long a claim on an overdue reservation holds. Who has one must be done, or have given up, by then.
const settleLease = time.Minute

// Overdue is a claim on a reservation whose lease ran out.
type Overdue struct {
	Conversation
	lease time.Time // of the claim: it tells this claim from a later one, and from a new reservation of the id
}

// ClaimOverdue claims at most limit reservations whose lease ran out, the oldest first: whoever made them did not live to say how
// it ended. No two replicas get the same one, and neither waits for the other. End each with Settle, or not at all when nobody can
// say what became of it: then the claim runs out, and after all others it has another turn.
func (s *Service) ClaimOverdue(ctx context.Context, limit int) ([]Overdue, error) {
	var rows []struct {
		row
		Lease time.Time `db:"lease_expires_at"`
	}
	now := s.now()
	err := s.db.SelectContext(ctx, &rows, `
		UPDATE conversations
		   SET lease_expires_at = $3
		 WHERE id = ANY(ARRAY(
			SELECT id
			  FROM conversations
			 WHERE state = 'reserved' AND lease_expires_at < $1
			 ORDER BY lease_expires_at
			 LIMIT $2
			   FOR UPDATE SKIP LOCKED))
		RETURNING `+columns+`, lease_expires_at`, now, limit, now.Add(settleLease))
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("claim overdue reservations: %w", err))
	}
	claims := make([]Overdue, len(rows))
	for i, r := range rows {
		claims[i] = Overdue{Conversation: r.conversation(), lease: r.Lease}
	}
	return claims, nil
}

// Settle ends a claim: a conversation that was made becomes live, another failed; either way the id stays its team's. Where the
// reservation was settled meanwhile, or claimed or made anew, it is somebody else's to end, and Settle says false.
func (s *Service) Settle(ctx context.Context, o Overdue, made bool, title string) (bool, error) {
	to, record := access.StateFailed, recordNothing
	if made {
		to, record = access.StateLive, recordCreation
	}
	settled := true
	err := s.db.InTx(ctx, func(tx *postgres.Tx) (err error) {
		settled, err = s.moveIn(ctx, tx, o.ID, to, title, record, &o.lease, access.StateReserved)
		return err
	})
	return settled && err == nil, err
}

// Adopt gives to team those of the found conversations that have no row, in whatever state: a row once made is never changed
// here. Starter and visibility are not taken over, since nobody is known to have started them. None is adopted, with
// ErrCollecting, while the folder of one is being removed.
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
		if !added {
			continue
		}
		if err := keepClear(ctx, tx, c, s.now()); err != nil {
			return 0, err
		}
		adopted++
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
		 WHERE id = $1 AND deleted_at IS NULL
		   FOR KEY SHARE`, team)
	if errors.Is(err, sql.ErrNoRows) {
		return problem.New(http.StatusNotFound, "Team not found")
	}
	if err != nil {
		return fmt.Errorf("find team: %w", err)
	}
	return nil
}
