package tenancy

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Policy is what a team demands of its members. It holds for what they do in this team, and nowhere else: otherwise whoever adds
// somebody to a team of theirs could keep them out of all their other teams.
type Policy struct {
	RequireSecondFactor bool `json:"require_second_factor" db:"require_second_factor"`
}

// Policy returns what the team demands; access.ErrHidden for strangers.
func (s *Service) Policy(ctx context.Context, p *access.Principal, team uuid.UUID) (policy Policy, err error) {
	if err := p.In(team, access.TeamRead); err != nil {
		return Policy{}, err
	}
	err = s.db.GetContext(ctx, &policy, `
		SELECT coalesce((SELECT require_second_factor
		                   FROM team_policies
		                  WHERE team_id = $1), false) AS require_second_factor`, team)
	if err != nil {
		return Policy{}, postgres.Problem(fmt.Errorf("read a team's policy: %w", err))
	}
	return policy, nil
}

// SetPolicy changes what the team demands, from now on and on every replica. Whoever demands a second factor of others must have shown
// their own: they would lock themselves out.
func (s *Service) SetPolicy(ctx context.Context, p *access.Principal, team uuid.UUID, policy Policy) error {
	if err := p.In(team, access.TeamPolicy); err != nil {
		return err
	}
	if policy.RequireSecondFactor && !p.Factor {
		return access.ErrFactor
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		role, err := s.roleNow(ctx, tx, p, team)
		if err != nil {
			return err
		}
		if !role.Has(access.TeamPolicy) {
			return access.ErrForbidden
		}
		return s.storePolicy(ctx, tx, p, team, policy)
	})
}

// storePolicy leaves no line for a change that changes nothing.
func (s *Service) storePolicy(ctx context.Context, tx *postgres.Tx, p *access.Principal, team uuid.UUID, policy Policy) error {
	result, err := tx.ExecContext(ctx, `
		INSERT INTO team_policies (team_id, require_second_factor)
		VALUES ($1, $2)
		ON CONFLICT (team_id) DO UPDATE SET require_second_factor = $2
		 WHERE team_policies.require_second_factor <> $2`, team, policy.RequireSecondFactor)
	if err != nil {
		return fmt.Errorf("store a team's policy: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return err
	}
	entry := audit.Entry{
		Team: team, ActorID: p.User, Actor: p.Email, Action: "team.policy", Object: team.String(),
		Detail: map[string]any{"require_second_factor": policy.RequireSecondFactor},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicTeam, team)
}
