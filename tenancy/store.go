package tenancy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// readMemberships calls a personal team personal only for whose it is: its longest-standing owner. For others it is a team as
// any.
func readMemberships(ctx context.Context, q sqlx.QueryerContext, user uuid.UUID) ([]access.Membership, error) {
	list := []access.Membership{}
	err := sqlx.SelectContext(ctx, q, &list, `
		SELECT m.team_id AS team,
		       m.role AS role,
		       t.is_personal AND m.user_id = (
		           SELECT o.user_id
		             FROM team_members o
		            WHERE o.team_id = m.team_id AND o.role = 'owner'
		            ORDER BY o.created_at, o.id
		            LIMIT 1) IS TRUE AS personal,
		       coalesce(p.require_second_factor, false) AS factor
		  FROM team_members m
		  JOIN teams t ON t.id = m.team_id
		  LEFT JOIN team_policies p ON p.team_id = m.team_id
		 WHERE m.user_id = $1
		 ORDER BY m.created_at, m.id`, user)
	return list, err
}

func readTeams(ctx context.Context, q sqlx.QueryerContext, ids []uuid.UUID) ([]Team, error) {
	teams := []Team{}
	err := sqlx.SelectContext(ctx, q, &teams, `
		SELECT t.id,
		       t.name,
		       t.is_personal,
		       t.created_at,
		       (SELECT o.user_id
		          FROM team_members o
		         WHERE o.team_id = t.id AND o.role = 'owner'
		         ORDER BY o.created_at, o.id
		         LIMIT 1) AS owner_id
		  FROM teams t
		 WHERE t.id = ANY($1)
		 ORDER BY t.created_at, t.id`, pq.Array(ids))
	return teams, err
}

func insertTeam(ctx context.Context, tx *postgres.Tx, t *Team) error {
	err := tx.GetContext(ctx, &t.CreatedAt, `
		INSERT INTO teams (id, name, is_personal)
		VALUES ($1, $2, $3)
		RETURNING created_at`, t.ID, t.Name, t.IsPersonal)
	if err != nil {
		return fmt.Errorf("insert team: %w", err)
	}
	return nil
}

// insertMember decides between two who add the same user at once: one of them gets ErrAlreadyMember.
func insertMember(ctx context.Context, tx *postgres.Tx, team, user uuid.UUID, role access.Role) (uuid.UUID, error) {
	var id uuid.UUID
	err := tx.GetContext(ctx, &id, `
		INSERT INTO team_members (id, team_id, user_id, role)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (team_id, user_id) DO NOTHING
		RETURNING id`, uuid.Must(uuid.NewV7()), team, user, role)
	if errors.Is(err, sql.ErrNoRows) {
		return uuid.Nil, ErrAlreadyMember
	}
	if pq.As(err, pqerror.ForeignKeyViolation) != nil { // the account or the team went at this moment
		return uuid.Nil, access.ErrHidden
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("insert member: %w", err)
	}
	return id, nil
}

// heldRole is the role of the moment, locked, after the team: whoever deletes an account locks both in that order, too. Who is no
// member gets access.ErrHidden.
func heldRole(ctx context.Context, tx *postgres.Tx, team, user uuid.UUID) (access.Role, error) {
	if _, err := tx.ExecContext(ctx, `SELECT FROM teams WHERE id = $1 FOR KEY SHARE`, team); err != nil {
		return "", fmt.Errorf("hold a team: %w", err)
	}
	var role access.Role
	err := tx.GetContext(ctx, &role, `
		SELECT role
		  FROM team_members
		 WHERE team_id = $1 AND user_id = $2
		   FOR SHARE`, team, user)
	if errors.Is(err, sql.ErrNoRows) {
		return "", access.ErrHidden
	}
	if err != nil {
		return "", fmt.Errorf("read role: %w", err)
	}
	return role, nil
}

// userByAddress holds the account, so that it is there as long as the membership that is made for it. Whoever is to be added is
// held first, then the team, then the role of whoever adds: a deletion goes the same way, so that nobody waits in a circle.
func userByAddress(ctx context.Context, tx *postgres.Tx, key string) (Member, error) {
	var user struct {
		ID    uuid.UUID
		Email string
		Name  *string
	}
	err := tx.GetContext(ctx, &user, `
		SELECT id, email, name
		  FROM users
		 WHERE email_key = $1 AND kind = 'person'
		   FOR KEY SHARE`, key)
	if errors.Is(err, sql.ErrNoRows) {
		return Member{}, ErrNoUser
	}
	if err != nil {
		return Member{}, fmt.Errorf("find user: %w", err)
	}
	return Member{UserID: user.ID, UserEmail: user.Email, UserName: user.Name}, nil
}
