package tenancy

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// lockTeams holds, in one order for all, the teams in which a provider's groups may change something: else two owners could go at
// the same time, each taking the other for the last.
func lockTeams(ctx context.Context, tx *postgres.Tx, user uuid.UUID, provider string, teams []uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `
		SELECT id
		  FROM teams
		 WHERE id = ANY($3) OR id IN (
		       SELECT team_id
		         FROM team_members
		        WHERE user_id = $1 AND mapped_by = $2)
		 ORDER BY id
		   FOR UPDATE`, user, provider, pq.Array(teams))
	if err != nil {
		return fmt.Errorf("lock teams: %w", err)
	}
	return nil
}

func mappedBy(ctx context.Context, tx *postgres.Tx, user uuid.UUID, provider string) ([]mapped, error) {
	held := []mapped{}
	err := tx.SelectContext(ctx, &held, `
		SELECT team_id, role
		  FROM team_members
		 WHERE user_id = $1 AND mapped_by = $2
		 ORDER BY team_id
		   FOR UPDATE`, user, provider)
	if err != nil {
		return nil, fmt.Errorf("read memberships by groups: %w", err)
	}
	return held, nil
}

// lastOwner says whether nobody but the user owns the team.
func lastOwner(ctx context.Context, tx *postgres.Tx, team, user uuid.UUID) (last bool, err error) {
	err = tx.GetContext(ctx, &last, `
		SELECT NOT EXISTS (
			SELECT FROM team_members
			 WHERE team_id = $1 AND user_id <> $2 AND role = 'owner')`, team, user)
	if err != nil {
		return false, fmt.Errorf("count owners: %w", err)
	}
	return last, nil
}

func setRole(ctx context.Context, tx *postgres.Tx, team, user uuid.UUID, role access.Role) error {
	_, err := tx.ExecContext(ctx, `UPDATE team_members SET role = $3 WHERE team_id = $1 AND user_id = $2`, team, user, role)
	if err != nil {
		return fmt.Errorf("set a role: %w", err)
	}
	return nil
}

func deleteMember(ctx context.Context, tx *postgres.Tx, team, user uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM team_members WHERE team_id = $1 AND user_id = $2`, team, user)
	if err != nil {
		return fmt.Errorf("delete a member: %w", err)
	}
	return nil
}
