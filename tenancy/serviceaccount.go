package tenancy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// maxServiceAccounts bounds how many a team may have.
const maxServiceAccounts = 100

// ServiceAccount is an account without a person: it belongs to a team, is a member there and nowhere else, and acts by keys alone,
// which are bound to the team. It never signs in, owns nothing and is nobody's address.
type ServiceAccount struct {
	ID        uuid.UUID   `json:"id" db:"id"`
	TeamID    uuid.UUID   `json:"team_id" db:"team_id"`
	Name      string      `json:"name" db:"name"`
	Role      access.Role `json:"role" db:"role"`
	CreatedBy *uuid.UUID  `json:"created_by" db:"created_by"`
	CreatedAt time.Time   `json:"created_at" db:"created_at"`
}

var (
	errNoServiceAccount   = problem.New(http.StatusNotFound, "Service account not found")
	errServiceAccountFull = problem.Newf(http.StatusBadRequest, "The team has %d service accounts already. Delete those that are not used any more.", maxServiceAccounts)
)

// ServiceAccounts is the service accounts of all teams.
type ServiceAccounts struct {
	db   *postgres.DB
	keys *apikey.Service
}

// NewServiceAccounts makes the service.
func NewServiceAccounts(db *postgres.DB, keys *apikey.Service) *ServiceAccounts {
	return &ServiceAccounts{db: db, keys: keys}
}

// List returns the team's service accounts, the oldest first: of a list so short there are no pages.
func (s *ServiceAccounts) List(ctx context.Context, p *access.Principal, team uuid.UUID) ([]ServiceAccount, error) {
	if err := p.In(team, access.ServiceAccountManage); err != nil {
		return nil, err
	}
	list, err := readServiceAccounts(ctx, s.db, team)
	if err != nil {
		return nil, postgres.Problem(err)
	}
	for i := range list {
		list[i].CreatedAt = list[i].CreatedAt.UTC()
	}
	return list, nil
}

// Create makes one with a role below the caller's; an empty role means developer.
func (s *ServiceAccounts) Create(ctx context.Context, p *access.Principal, team uuid.UUID, name string, role access.Role) (ServiceAccount, error) {
	if err := p.In(team, access.ServiceAccountManage); err != nil {
		return ServiceAccount{}, err
	}
	if role == "" {
		role = access.Developer
	}
	if faults := RoleFaults(role); len(faults) > 0 {
		return ServiceAccount{}, problem.Fields(faults...)
	}
	name, err := checkName("name", name)
	if err != nil {
		return ServiceAccount{}, err
	}
	a := ServiceAccount{
		ID: uuid.Must(uuid.NewV7()), TeamID: team, Name: name, Role: role, CreatedBy: &p.User, CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := roomForServiceAccount(ctx, tx, team); err != nil { // teams are locked before members, as everywhere
			return err
		}
		if err := mayManage(ctx, tx, p, team, role); err != nil {
			return err
		}
		if err := insertServiceAccount(ctx, tx, a); err != nil {
			return err
		}
		return a.announce(ctx, tx, p, "service-account.create")
	})
	return a, err
}

// Delete ends one, with all its keys, on every replica.
func (s *ServiceAccounts) Delete(ctx context.Context, p *access.Principal, team, id uuid.UUID) error {
	if err := p.In(team, access.ServiceAccountManage); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := manage(ctx, tx, p, team, id)
		if err != nil {
			return err
		}
		if err := deleteServiceAccount(ctx, tx, id); err != nil {
			return err
		}
		return a.announce(ctx, tx, p, "service-account.delete")
	})
}

// announce records the change and has every replica forget the account and what comes in its name.
func (a ServiceAccount) announce(ctx context.Context, tx *postgres.Tx, p *access.Principal, action string) error {
	entry := audit.Entry{
		Team: a.TeamID, ActorID: p.User, Actor: p.Email, Action: action, Object: a.ID.String(),
		Detail: map[string]any{"name": a.Name, "role": a.Role},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, a.ID)
}

// Keys gives the keys of one of the team's accounts, and the act by which p changes them.
func (s *ServiceAccounts) Keys(ctx context.Context, p *access.Principal, team, id uuid.UUID) (*apikey.Service, apikey.Act, error) {
	if err := p.In(team, access.ServiceAccountManage); err != nil {
		return nil, apikey.Act{}, err
	}
	if _, err := readServiceAccount(ctx, s.db, team, id); err != nil {
		return nil, apikey.Act{}, postgres.Problem(err)
	}
	return s.keys, apikey.Act{
		Owner: id, Team: team, ActorID: p.User, Actor: p.Email, Scope: p.Scope,
		Allowed: func(ctx context.Context, tx *postgres.Tx) error {
			_, err := manage(ctx, tx, p, team, id)
			return err
		},
	}, nil
}

// manage finds an account that the caller may change: one with a role below theirs.
func manage(ctx context.Context, tx *postgres.Tx, p *access.Principal, team, id uuid.UUID) (ServiceAccount, error) {
	a, err := readServiceAccount(ctx, tx, team, id)
	if err != nil {
		return ServiceAccount{}, err
	}
	return a, mayManage(ctx, tx, p, team, a.Role)
}

// mayManage is mayGrant for service accounts. It takes members only: what a superuser makes who entered for an hour would last
// longer than the hour.
func mayManage(ctx context.Context, tx *postgres.Tx, p *access.Principal, team uuid.UUID, role access.Role) error {
	own, err := heldRole(ctx, tx, team, p.User)
	switch {
	case errors.Is(err, access.ErrHidden), err == nil && !own.Has(access.ServiceAccountManage):
		return access.ErrForbidden
	case err != nil:
		return err
	case !own.Above(role):
		return ErrRank
	}
	return nil
}

// Purge deletes accounts whose team is gone, and says how many.
func (s *ServiceAccounts) Purge(ctx context.Context) (int64, error) {
	result, err := s.db.ExecContext(ctx, `
		DELETE FROM users u
		 WHERE u.kind = 'service'
		   AND NOT EXISTS (SELECT FROM service_accounts a WHERE a.user_id = u.id)`)
	if err != nil {
		return 0, postgres.Problem(fmt.Errorf("delete service accounts without a team: %w", err))
	}
	return result.RowsAffected()
}

// MayBind says whether the user's keys may be bound to the team: to those that they are a member of. Another is not found.
func (s *Service) MayBind(ctx context.Context, tx *postgres.Tx, user, team uuid.UUID) error {
	_, err := heldRole(ctx, tx, team, user)
	if errors.Is(err, access.ErrHidden) {
		return problem.New(http.StatusNotFound, "Team not found")
	}
	return err
}
