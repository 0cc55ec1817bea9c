package tenancy

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Grant is a role in a team that the operator gives to a group of an issuer.
type Grant struct {
	Team uuid.UUID
	Role access.Role
}

// mapped is a membership that a provider's groups gave.
type mapped struct {
	Team uuid.UUID   `db:"team_id"`
	Role access.Role `db:"role"`
}

// ApplyGroups gives a user exactly the memberships that their groups at a provider grant, in the transaction in which the provider
// said so: of several for one team the highest role counts. Memberships that people gave, or another provider, are not touched, and
// a team keeps its last owner. It returns the teams that were granted and do not exist.
func (s *Service) ApplyGroups(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, grants []Grant) (missing []uuid.UUID, err error) {
	wanted := highest(grants)
	if err := lockTeams(ctx, tx, u.ID, provider, slices.Collect(maps.Keys(wanted))); err != nil {
		return nil, err
	}
	held, err := mappedBy(ctx, tx, u.ID, provider)
	if err != nil {
		return nil, err
	}
	for _, m := range held {
		if err := s.adjust(ctx, tx, u, provider, m, wanted[m.Team]); err != nil {
			return nil, err
		}
		delete(wanted, m.Team)
	}
	for _, team := range slices.SortedFunc(maps.Keys(wanted), compareIDs) {
		found, err := s.grant(ctx, tx, u, provider, team, wanted[team])
		if err != nil {
			return nil, err
		}
		if !found {
			missing = append(missing, team)
		}
	}
	return missing, nil
}

func compareIDs(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) }

func highest(grants []Grant) map[uuid.UUID]access.Role {
	wanted := map[uuid.UUID]access.Role{}
	for _, g := range grants {
		if has, ok := wanted[g.Team]; !ok || g.Role.Above(has) {
			wanted[g.Team] = g.Role
		}
	}
	return wanted
}

// adjust brings one membership to the role that is granted now; none ends it.
func (s *Service) adjust(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, m mapped, role access.Role) error {
	if m.Role == role {
		return nil
	}
	if m.Role == access.Owner {
		if last, err := lastOwner(ctx, tx, m.Team, u.ID); err != nil || last {
			return err
		}
	}
	if role == "" {
		if err := deleteMember(ctx, tx, m.Team, u.ID); err != nil {
			return err
		}
		return announceGroups(ctx, tx, u, provider, "member.remove", m.Team, map[string]any{"role": m.Role})
	}
	if err := setRole(ctx, tx, m.Team, u.ID, role); err != nil {
		return err
	}
	return announceGroups(ctx, tx, u, provider, "member.role", m.Team, map[string]any{"role": role, "before": m.Role})
}

// grant adds the user to a team that they are not in yet. Personal teams are nobody's to give, nor is the anonymous one.
func (s *Service) grant(ctx context.Context, tx *postgres.Tx, u auth.User, provider string, team uuid.UUID, role access.Role) (found bool, err error) {
	err = tx.GetContext(ctx, &found, `
		SELECT EXISTS (
			SELECT FROM teams
			 WHERE id = $1 AND NOT is_personal AND deleted_at IS NULL AND id <> $2)`, team, access.AnonymousTeam)
	if err != nil || !found {
		return found, err
	}
	result, err := tx.ExecContext(ctx, `
		INSERT INTO team_members (id, team_id, user_id, role, mapped_by)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (team_id, user_id) DO NOTHING`, uuid.Must(uuid.NewV7()), team, u.ID, role, provider)
	if err != nil {
		return false, fmt.Errorf("insert a member by a group: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		return true, err // people, or another provider, gave the membership
	}
	return true, announceGroups(ctx, tx, u, provider, "member.add", team, map[string]any{"role": role})
}

// announceGroups records what the operator's rule did to a membership, and has every replica forget the user's.
func announceGroups(ctx context.Context, tx *postgres.Tx, u auth.User, provider, action string, team uuid.UUID, detail map[string]any) error {
	detail["email"], detail["provider"] = u.Email, provider
	err := audit.Record(ctx, tx, audit.Entry{Team: team, Actor: "groups of " + provider, Action: action, Object: u.ID.String(), Detail: detail})
	if err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, u.ID)
}
