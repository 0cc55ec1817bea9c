package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// What becomes of teams when an account goes. Every team that is left has an owner: the teams are locked first, in one order, and
// only then is it read who is in them.

// ErrOwnsShared refuses to those who delete their own account what an administrator may do: leave others without their owner.
var ErrOwnsShared = problem.New(http.StatusConflict,
	"You own a team that has other members. Make another member its owner or remove them first; then delete your account.")

// lockTeamsOf holds the user and all their teams until the transaction ends: nobody joins, and the user founds none, meanwhile.
func lockTeamsOf(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `SELECT FROM users WHERE id = $1 FOR UPDATE`, user); err != nil {
		return fmt.Errorf("lock a user: %w", err)
	}
	_, err := tx.ExecContext(ctx, `
		SELECT
		  FROM teams
		 WHERE id IN (SELECT team_id FROM team_members WHERE user_id = $1)
		 ORDER BY id
		   FOR UPDATE`, user)
	if err != nil {
		return fmt.Errorf("lock a user's teams: %w", err)
	}
	return nil
}

// MayLeave is auth.Hooks.MayLeave: it refuses who owns a team with other people in it, unless another owner can sign in.
func (s *Service) MayLeave(ctx context.Context, tx *postgres.Tx, u auth.User) error {
	if err := lockTeamsOf(ctx, tx, u.ID); err != nil {
		return err
	}
	var shared bool
	err := tx.GetContext(ctx, &shared, `
		SELECT EXISTS (SELECT
		                 FROM team_members own
		                 JOIN team_members other ON other.team_id = own.team_id AND other.user_id <> own.user_id
		                 JOIN users ON users.id = other.user_id AND users.kind = 'person'
		                WHERE own.user_id = $1
		                  AND own.role = 'owner'
		                  AND NOT EXISTS (SELECT
		                                    FROM team_members beside
		                                    JOIN users b ON b.id = beside.user_id AND b.is_active
		                                   WHERE beside.team_id = own.team_id AND beside.role = 'owner' AND beside.user_id <> $1))`, u.ID)
	if err != nil {
		return fmt.Errorf("look for shared teams: %w", err)
	}
	if shared {
		return ErrOwnsShared
	}
	return nil
}

// Purge removes, in the transaction, what others keep for a team that is about to go.
type Purge func(ctx context.Context, tx *postgres.Tx, team uuid.UUID) error

// Depart settles what becomes of a user's teams, in the transaction that deletes the account and before it does. Where the last
// owner goes, the longest-standing Admin owns the team from then on, or else the longest-standing member, those who can sign in
// before those who cannot; a personal team is then one like others. A team without anybody else goes.
func (s *Service) Depart(ctx context.Context, tx *postgres.Tx, u auth.User, purge Purge) error {
	if err := lockTeamsOf(ctx, tx, u.ID); err != nil {
		return err
	}
	owned, err := ownedAlone(ctx, tx, u.ID)
	if err != nil {
		return err
	}
	for _, team := range owned {
		if err := s.inherit(ctx, tx, team, u, purge); err != nil {
			return err
		}
	}
	return unpersonal(ctx, tx, u.ID)
}

// ownedAlone are the teams of which nobody else is an owner.
func ownedAlone(ctx context.Context, tx *postgres.Tx, user uuid.UUID) ([]uuid.UUID, error) {
	var teams []uuid.UUID
	err := tx.SelectContext(ctx, &teams, `
		SELECT own.team_id
		  FROM team_members own
		 WHERE own.user_id = $1
		   AND own.role = 'owner'
		   AND NOT EXISTS (SELECT
		                     FROM team_members other
		                    WHERE other.team_id = own.team_id AND other.role = 'owner' AND other.user_id <> $1)
		 ORDER BY own.team_id`, user)
	if err != nil {
		return nil, fmt.Errorf("list owned teams: %w", err)
	}
	return teams, nil
}

func (s *Service) inherit(ctx context.Context, tx *postgres.Tx, team uuid.UUID, u auth.User, purge Purge) error {
	heir, err := promote(ctx, tx, team, u.ID)
	if err != nil {
		return err
	}
	if heir == uuid.Nil {
		return drop(ctx, tx, team, u, purge)
	}
	entry := audit.Entry{
		Team: team, ActorID: u.ID, Actor: "account deletion", Action: "member.promote", Object: heir.String(),
		Detail: map[string]any{"role": access.Owner},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, heir)
}

// promote makes the heir the owner; uuid.Nil when there is nobody.
func promote(ctx context.Context, tx *postgres.Tx, team, without uuid.UUID) (heir uuid.UUID, err error) {
	err = tx.GetContext(ctx, &heir, `
		UPDATE team_members
		   SET role = 'owner'
		 WHERE id = (SELECT m.id
		               FROM team_members m
		               JOIN users u ON u.id = m.user_id
		              WHERE m.team_id = $1 AND m.user_id <> $2 AND u.kind = 'person'
		              ORDER BY u.is_active DESC, m.role = 'admin' DESC, m.created_at, m.id
		              LIMIT 1)
		RETURNING user_id`, team, without)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, nil
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("promote an owner: %w", err)
	}
	return heir, nil
}

// drop ends a team. Its row stays while ids of conversations hang on it, without a name and without members: an id is never freed
// for another team.
func drop(ctx context.Context, tx *postgres.Tx, team uuid.UUID, u auth.User, purge Purge) error {
	if err := purge(ctx, tx, team); err != nil {
		return err
	}
	for _, statement := range []string{
		`DELETE FROM users WHERE kind = 'service' AND id IN (SELECT user_id FROM team_members WHERE team_id = $1)`,
		`UPDATE team_entries SET left_at = now() WHERE team_id = $1 AND left_at IS NULL AND expires_at > now()`,
		`DELETE FROM team_members WHERE team_id = $1`,
		`UPDATE teams SET name = 'deleted', deleted_at = now() WHERE id = $1`,
		`DELETE FROM teams WHERE id = $1 AND NOT EXISTS (SELECT FROM conversations WHERE team_id = $1)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, team); err != nil {
			return fmt.Errorf("end a team: %w", err)
		}
	}
	entry := audit.Entry{Team: team, ActorID: u.ID, Actor: "account deletion", Action: "team.delete", Object: team.String()}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicTeam, team)
}

// unpersonal makes of the user's personal team, where others stay in it, a team like others: to whoever owns it next it would
// otherwise be a second personal one.
func unpersonal(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	var teams []uuid.UUID
	err := tx.SelectContext(ctx, &teams, `
		UPDATE teams
		   SET is_personal = false
		 WHERE is_personal AND id IN (SELECT team_id
		                                FROM team_members
		                               WHERE user_id = $1 AND role = 'owner'
		                                 AND user_id = (SELECT first.user_id
		                                                  FROM team_members first
		                                                 WHERE first.team_id = teams.id AND first.role = 'owner'
		                                                 ORDER BY first.created_at, first.id
		                                                 LIMIT 1))
		RETURNING id`, user)
	if err != nil {
		return fmt.Errorf("keep a personal team for those who stay: %w", err)
	}
	for _, team := range teams {
		if err := tx.Notify(postgres.TopicTeam, team); err != nil {
			return err
		}
	}
	return nil
}
