package conversation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Reserve gives the id to c.Team before the upstream is asked, or says why not: ErrTaken, or ErrExists. A failed id may be
// reserved again by its own team; if it was private, by its starter. A folder that is too long to be compared is refused.
func (s *Service) Reserve(ctx context.Context, c Conversation) error {
	if len(c.WorkingDir) > maxFolder {
		return errLongFolder
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		reserved, err := s.reserve(ctx, tx, c)
		if err != nil {
			return fmt.Errorf("reserve conversation: %w", err)
		}
		if !reserved {
			return refusal(ctx, tx, c)
		}
		if err := keepClear(ctx, tx, c, s.now()); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicConversation, c.ID)
	})
}

// reserve is one statement, so that Postgres decides between all who reserve the same id at once.
func (s *Service) reserve(ctx context.Context, tx *postgres.Tx, c Conversation) (bool, error) {
	now := s.now()
	return changed(tx.ExecContext(ctx, `
		INSERT INTO conversations AS known
		       (id, team_id, starter_id, visibility, state, title, working_dir, roots, parent_id, forked_from_id,
		        created_at, updated_at, lease_expires_at)
		VALUES ($1, $2, $3, $4, 'reserved', $5, $6, $7, $8, $9, $10, $10, $11)
		ON CONFLICT (id) DO UPDATE
		   SET starter_id = excluded.starter_id,
		       visibility = excluded.visibility,
		       state = excluded.state,
		       title = excluded.title,
		       working_dir = excluded.working_dir,
		       roots = excluded.roots,
		       parent_id = excluded.parent_id,
		       forked_from_id = excluded.forked_from_id,
		       created_at = excluded.created_at,
		       updated_at = excluded.updated_at,
		       lease_expires_at = excluded.lease_expires_at
		 WHERE known.state = 'failed'
		   AND known.team_id = excluded.team_id
		   AND (known.visibility = 'team' OR known.starter_id IS NOT DISTINCT FROM excluded.starter_id)`,
		c.ID, c.Team, nullable(c.Starter), visibility(c.Private), cleanTitle(c.Title), cleanFolder(c.WorkingDir),
		cleanFolders(c.Roots), nullable(c.Parent), nullable(c.ForkedFrom), now, now.Add(s.lease)))
}

// refusal tells ErrExists from ErrTaken: only who could read the conversation learns that it exists.
func refusal(ctx context.Context, tx *postgres.Tx, c Conversation) error {
	known, err := readOne(ctx, tx, c.ID)
	if err != nil {
		return fmt.Errorf("read taken conversation: %w", err)
	}
	hidden := known.Private && known.Starter != c.Starter
	if known.Team == c.Team && known.State == access.StateLive && !hidden {
		return ErrExists
	}
	return ErrTaken
}

// Commit makes a reserved conversation live. An empty title keeps the one that was reserved. The audit log has it as its
// starter's, whoever settles it.
func (s *Service) Commit(ctx context.Context, id uuid.UUID, title string) error {
	return s.move(ctx, id, access.StateLive, title, recordCreation, access.StateReserved)
}

// Fail gives up a reservation: the upstream refused, or does not have it. Its team may reserve it again.
func (s *Service) Fail(ctx context.Context, id uuid.UUID) error {
	return s.move(ctx, id, access.StateFailed, "", recordNothing, access.StateReserved)
}

// Delete ends a conversation for good. One that is being made is ErrState: the upstream might still bring it to life. by is who
// the audit log says did it; nil is the command line.
func (s *Service) Delete(ctx context.Context, id uuid.UUID, by *access.Principal) error {
	return s.move(ctx, id, access.StateDeleted, "", recordDeletion(by), access.StateLive, access.StateFailed)
}

// move is the only way between states. To move where one is already is fine, so that every change may be tried again.
func (s *Service) move(ctx context.Context, id uuid.UUID, to access.State, title string, record recorder, from ...access.State) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		moved, err := s.moveIn(ctx, tx, id, to, title, record, nil, from...)
		if err == nil && !moved {
			return unmoved(ctx, tx, id, to)
		}
		return err
	})
}

// moveIn says whether the conversation was in one of the states that the change is from, and, where a lease is given, still under it.
func (s *Service) moveIn(ctx context.Context, tx *postgres.Tx, id uuid.UUID, to access.State, title string, record recorder,
	lease *time.Time, from ...access.State,
) (bool, error) {
	allowed := pq.StringArray{}
	for _, state := range from {
		allowed = append(allowed, words[state])
	}
	moved, err := changed(tx.ExecContext(ctx, `
		UPDATE conversations
		   SET state = $2,
		       title = COALESCE(NULLIF($3, ''), title),
		       updated_at = greatest(updated_at, $4),
		       lease_expires_at = NULL
		 WHERE id = $1
		   AND state = ANY($5)
		   AND ($6::timestamptz IS NULL OR lease_expires_at = $6)`, id, words[to], cleanTitle(title), s.now(), allowed, lease))
	if err != nil {
		return false, fmt.Errorf("make conversation %s: %w", words[to], err)
	}
	if !moved {
		return false, nil
	}
	if err := record(ctx, tx, id); err != nil {
		return false, err
	}
	return true, tx.Notify(postgres.TopicConversation, id)
}

func unmoved(ctx context.Context, tx *postgres.Tx, id uuid.UUID, to access.State) error {
	known, err := readOne(ctx, tx, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return access.ErrHidden
	case err != nil:
		return fmt.Errorf("read conversation's state: %w", err)
	case known.State == to:
		return nil
	}
	return ErrState
}

// Touch notes that something happened in a live conversation. At most one write a second is kept, however many come.
func (s *Service) Touch(ctx context.Context, id uuid.UUID) error {
	_, err := s.db.ExecContext(ctx, `
		UPDATE conversations
		   SET updated_at = $2
		 WHERE id = $1 AND state = 'live' AND updated_at < $2::timestamptz - interval '1 second'`, id, s.now())
	if err != nil {
		return postgres.Problem(fmt.Errorf("touch conversation: %w", err))
	}
	return nil
}

// Rename gives a live conversation a title. Rights do not change, so nobody is told.
func (s *Service) Rename(ctx context.Context, id uuid.UUID, title string) error {
	renamed, err := changed(s.db.ExecContext(ctx, `
		UPDATE conversations
		   SET title = $2, updated_at = greatest(updated_at, $3)
		 WHERE id = $1 AND state = 'live'`, id, cleanTitle(title), s.now()))
	if err != nil {
		return postgres.Problem(fmt.Errorf("rename conversation: %w", err))
	}
	if !renamed {
		return access.ErrHidden
	}
	return nil
}

func changed(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}
