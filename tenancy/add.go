package tenancy

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// AddMember adds the account with that address at once; an empty role means developer. Personal teams may have further members
// too.
func (s *Service) AddMember(ctx context.Context, p *access.Principal, team uuid.UUID, email string, role access.Role) (Member, error) {
	if err := p.In(team, access.MemberAdd); err != nil {
		return Member{}, err
	}
	if role == "" {
		role = access.Developer
	}
	if faults := RoleFaults(role); len(faults) > 0 {
		return Member{}, problem.Fields(faults...)
	}
	key, err := addressKey(email)
	if err != nil {
		return Member{}, err
	}
	var added Member
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		who, missing := userByAddress(ctx, tx, key)
		if err := s.mayGrant(ctx, tx, p, team, role); err != nil {
			return err
		}
		if missing != nil {
			return missing
		}
		if who.UserID == p.User && entered(p, team) {
			return ErrEntered
		}
		if added, err = add(ctx, tx, team, who, role); err != nil {
			return err
		}
		return announce(ctx, tx, p, added)
	})
	if err != nil {
		return Member{}, err
	}
	return added, nil
}

// entered says whether p is in the team for a while, as a superuser who is no member.
func entered(p *access.Principal, team uuid.UUID) bool {
	return slices.ContainsFunc(p.Memberships, func(m access.Membership) bool { return m.Team == team && m.Entered })
}

// mayGrant reads the caller's role once more and holds it until the commit, so that a demotion at the same moment cannot be
// overtaken. Nobody grants a rank at or above their own.
func (s *Service) mayGrant(ctx context.Context, tx *postgres.Tx, p *access.Principal, team uuid.UUID, wanted access.Role) error {
	own, err := s.roleNow(ctx, tx, p, team)
	if err != nil {
		return err
	}
	now := access.Principal{Memberships: []access.Membership{{Team: team, Role: own}}}
	if err := now.In(team, access.MemberAdd); err != nil {
		return err
	}
	if !own.Above(wanted) {
		return ErrRank
	}
	return nil
}

func add(ctx context.Context, tx *postgres.Tx, team uuid.UUID, m Member, role access.Role) (Member, error) {
	id, err := insertMember(ctx, tx, team, m.UserID, role)
	m.ID, m.TeamID, m.Role = id, team, role
	return m, err
}

// announce records the addition and has every replica forget the new member's memberships.
func announce(ctx context.Context, tx *postgres.Tx, p *access.Principal, m Member) error {
	entry := audit.Entry{
		Team: m.TeamID, ActorID: p.User, Actor: p.Email, Action: "member.add", Object: m.UserID.String(),
		Detail: map[string]any{"email": m.UserEmail, "role": m.Role},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, m.UserID)
}
