package tenancy

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// insertEntry ends what the session had there before. A team that is not there, or going, is access.ErrHidden.
func insertEntry(ctx context.Context, tx *postgres.Tx, e Entry, session uuid.UUID) error {
	if _, err := leave(ctx, tx, session, e.TeamID, e.EnteredAt); err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO team_entries (id, team_id, user_id, session_id, email, reason, entered_at, expires_at)
		SELECT $1, id, $3, $4, $5, $6, $7, $8
		  FROM teams
		 WHERE id = $2 AND deleted_at IS NULL`,
		e.ID, e.TeamID, e.UserID, session, e.UserEmail, e.Reason, e.EnteredAt, e.ExpiresAt)
	if pq.As(err, pqerror.ForeignKeyViolation) != nil {
		return access.ErrHidden
	}
	if err != nil {
		return fmt.Errorf("enter a team: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return firstOf(err, access.ErrHidden)
	}
	return nil
}

// holdSuperuser reads once more whether the user is a superuser who is let in, and holds that until the commit, so that the end of the
// right cannot be overtaken. Otherwise it is problem.Forbidden.
func holdSuperuser(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	var found []uuid.UUID
	if err := tx.SelectContext(ctx, &found, `SELECT id FROM users WHERE id = $1 AND is_superuser AND is_active FOR SHARE`, user); err != nil {
		return fmt.Errorf("hold a superuser: %w", err)
	}
	if len(found) == 0 {
		return problem.Forbidden
	}
	return nil
}

func firstOf(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func leave(ctx context.Context, tx *postgres.Tx, session, team uuid.UUID, now time.Time) (bool, error) {
	result, err := tx.ExecContext(ctx, `
		UPDATE team_entries
		   SET left_at = $3
		 WHERE session_id = $1 AND team_id = $2 AND left_at IS NULL AND expires_at > $3`, session, team, now)
	if err != nil {
		return false, fmt.Errorf("leave a team: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows > 0, err
}

// leaveAll returns the sessions that were somewhere.
func leaveAll(ctx context.Context, tx *postgres.Tx, user uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	var sessions []uuid.UUID
	err := tx.SelectContext(ctx, &sessions, `
		UPDATE team_entries
		   SET left_at = $2
		 WHERE user_id = $1 AND left_at IS NULL AND expires_at > $2
		RETURNING session_id`, user, now)
	if err != nil {
		return nil, fmt.Errorf("leave all teams: %w", err)
	}
	return sessions, nil
}

func readStays(ctx context.Context, q sqlx.QueryerContext, session uuid.UUID, now time.Time) ([]stay, error) {
	stays := []stay{}
	err := sqlx.SelectContext(ctx, q, &stays, `
		SELECT team_id, expires_at, coalesce((SELECT p.require_second_factor
		                                        FROM team_policies p
		                                       WHERE p.team_id = e.team_id), false) AS factor
		  FROM team_entries e
		 WHERE session_id = $1 AND left_at IS NULL AND expires_at > $2
		 ORDER BY entered_at, id`, session, now)
	if err != nil {
		return nil, fmt.Errorf("read where a superuser is: %w", err)
	}
	return stays, nil
}

// readEntries relies on ids in the order of time.
func readEntries(ctx context.Context, q sqlx.QueryerContext, team uuid.UUID, limit int, after uuid.UUID) ([]Entry, error) {
	if after == uuid.Nil {
		after = uuid.Max
	}
	list := []Entry{}
	err := sqlx.SelectContext(ctx, q, &list, `
		SELECT id, team_id, user_id, email, reason, entered_at, expires_at, left_at
		  FROM team_entries
		 WHERE team_id = $1 AND id < $2
		 ORDER BY id DESC
		 LIMIT $3`, team, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list entries: %w", err)
	}
	return list, nil
}

// isInside says whether the session is in the team at this moment, and holds that until the commit.
func isInside(ctx context.Context, tx *postgres.Tx, session, team uuid.UUID, now time.Time) (bool, error) {
	var found []uuid.UUID
	err := tx.SelectContext(ctx, &found, `
		SELECT id
		  FROM team_entries
		 WHERE session_id = $1 AND team_id = $2 AND left_at IS NULL AND expires_at > $3
		   FOR SHARE`, session, team, now)
	if err != nil {
		return false, fmt.Errorf("look for an entry: %w", err)
	}
	return len(found) > 0, nil
}
