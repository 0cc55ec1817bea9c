package tenancy

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/cache"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// rememberedUsers bounds how many users' memberships are kept in memory.
const rememberedUsers = 20_000

// Service is teams and memberships.
type Service struct {
	db          *postgres.DB
	memberships *cache.Cache[uuid.UUID, []access.Membership]
	stays       *cache.Cache[uuid.UUID, []stay] // of superusers' sessions
	now         func() time.Time
}

// Options have useful zero values.
type Options struct {
	Now func() time.Time // time.Now by default
}

// New makes the service and has it follow db's notifications.
func New(db *postgres.DB, options ...Options) *Service {
	s := &Service{
		db: db, memberships: cache.New[uuid.UUID, []access.Membership](rememberedUsers, db.Bus.Fresh),
		stays: cache.New[uuid.UUID, []stay](rememberedUsers, db.Bus.Fresh), now: time.Now,
	}
	for _, o := range options {
		if o.Now != nil {
			s.now = o.Now
		}
	}
	db.Bus.Subscribe(s.follow)
	return s
}

func (s *Service) follow(e postgres.Event) {
	switch e.Topic {
	case "":
		s.memberships.DropAll()
		s.stays.DropAll()
	case postgres.TopicSession:
		s.stays.Drop(e.ID)
	case postgres.TopicUser:
		s.memberships.Drop(e.ID)
	case postgres.TopicTeam:
		s.memberships.DropIf(func(_ uuid.UUID, list []access.Membership) bool {
			_, member := (&access.Principal{Memberships: list}).RoleIn(e.ID)
			return member
		})
		s.stays.DropIf(func(_ uuid.UUID, stays []stay) bool {
			return slices.ContainsFunc(stays, func(stay stay) bool { return stay.Team == e.ID })
		})
	}
}

// Memberships returns the user's teams, the oldest membership first. The slice is shared: it must not be changed.
func (s *Service) Memberships(ctx context.Context, user uuid.UUID) ([]access.Membership, error) {
	if list, ok := s.memberships.Get(user); ok {
		return list, nil
	}
	mark := s.memberships.Begin()
	list, err := readMemberships(ctx, s.db, user)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("read memberships: %w", err))
	}
	s.memberships.Put(mark, user, list)
	return list, nil
}

// Teams returns the caller's teams, the oldest first.
func (s *Service) Teams(ctx context.Context, p *access.Principal) ([]Team, error) {
	readable := make([]uuid.UUID, 0, len(p.Memberships))
	for _, m := range p.Memberships {
		if p.In(m.Team, access.TeamRead) == nil {
			readable = append(readable, m.Team)
		}
	}
	teams, err := readTeams(ctx, s.db, readable)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list teams: %w", err))
	}
	for i, t := range teams {
		teams[i] = t.as(p)
	}
	return teams, nil
}

// Team returns one team; access.ErrHidden for strangers as for an id that does not exist.
func (s *Service) Team(ctx context.Context, p *access.Principal, id uuid.UUID) (Team, error) {
	if err := p.In(id, access.TeamRead); err != nil {
		return Team{}, err
	}
	teams, err := readTeams(ctx, s.db, []uuid.UUID{id})
	if err != nil {
		return Team{}, postgres.Problem(fmt.Errorf("read team: %w", err))
	}
	if len(teams) == 0 {
		return Team{}, access.ErrHidden
	}
	return teams[0].as(p), nil
}

// PersonalOf returns the user's own personal team.
func (s *Service) PersonalOf(ctx context.Context, user uuid.UUID) (Team, error) {
	memberships, err := s.Memberships(ctx, user)
	if err != nil {
		return Team{}, err
	}
	for _, m := range memberships {
		if m.Personal {
			return s.Team(ctx, &access.Principal{User: user, Memberships: memberships}, m.Team)
		}
	}
	return Team{}, access.ErrHidden
}

// CreatePersonal makes the team that everybody has, in the transaction that makes the user. An empty name means the usual one.
func (s *Service) CreatePersonal(ctx context.Context, tx *postgres.Tx, u auth.User, name string) error {
	if name == "" {
		name = personalName(u)
	}
	name, err := checkName("team_name", name)
	if err != nil {
		return err
	}
	_, err = create(ctx, tx, Team{Name: name, IsPersonal: true}, u.ID, u.Email)
	return err
}

// Create makes a team that the caller owns. It is a matter of the user's, not of a team: keys need the highest scope.
func (s *Service) Create(ctx context.Context, p *access.Principal, name string) (Team, error) {
	if p.Anonymous {
		return Team{}, problem.Unauthorized // a team needs an owner, so it takes an account
	}
	if err := p.Alone(access.ScopeAdmin); err != nil {
		return Team{}, err
	}
	name, err := checkName("name", name)
	if err != nil {
		return Team{}, err
	}
	var made Team
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		made, err = create(ctx, tx, Team{Name: name}, p.User, p.Email)
		return err
	})
	return made, err
}

func create(ctx context.Context, tx *postgres.Tx, t Team, owner uuid.UUID, email string) (Team, error) {
	t.ID = uuid.Must(uuid.NewV7())
	if err := insertTeam(ctx, tx, &t); err != nil {
		return Team{}, err
	}
	if _, err := insertMember(ctx, tx, t.ID, owner, access.Owner); err != nil {
		return Team{}, err
	}
	t.OwnerID = &owner
	entry := audit.Entry{
		Team: t.ID, ActorID: owner, Actor: email, Action: "team.create", Object: t.ID.String(),
		Detail: map[string]any{"name": t.Name, "personal": t.IsPersonal},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return Team{}, err
	}
	founder := access.Principal{Memberships: []access.Membership{{Team: t.ID, Role: access.Owner}}}
	return t.as(&founder), tx.Notify(postgres.TopicUser, owner)
}
