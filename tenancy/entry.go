package tenancy

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Superusers are no members: what belongs to a team is hidden from them until they enter it. Whoever entered is an Admin there, in
// that one session and for an hour, in sight of the team. What only owners may, and what is private to somebody, stays closed.

// EntryLifetime is how long a superuser is in a team.
const EntryLifetime = time.Hour

// Bounds of a reason, in characters, and of a list of entries.
const (
	minReason      = 5
	maxReason      = 500
	defaultEntries = 50
	maxEntries     = 200
)

// Entry is one stay of a superuser in a team, as the team sees it.
type Entry struct {
	ID        uuid.UUID  `json:"id" db:"id"`
	TeamID    uuid.UUID  `json:"team_id" db:"team_id"`
	UserID    *uuid.UUID `json:"user_id" db:"user_id"` // null once the account is gone
	UserEmail string     `json:"user_email" db:"email"`
	Reason    string     `json:"reason" db:"reason"`
	EnteredAt time.Time  `json:"entered_at" db:"entered_at"`
	ExpiresAt time.Time  `json:"expires_at" db:"expires_at"`
	LeftAt    *time.Time `json:"left_at" db:"left_at"`
}

func (e Entry) utc() Entry {
	e.EnteredAt, e.ExpiresAt = e.EnteredAt.UTC(), e.ExpiresAt.UTC()
	if e.LeftAt != nil {
		left := e.LeftAt.UTC()
		e.LeftAt = &left
	}
	return e
}

// What entering may answer.
var (
	ErrInside  = problem.New(http.StatusConflict, "You are in this team already.")
	ErrBuiltIn = problem.New(http.StatusConflict,
		"Those who come without an account have nobody to show an entry to. Use the command line for what concerns them.")
)

// Enter lets a superuser into a team, in the session that asks. Who is no superuser gets problem.Forbidden; a team that does not
// exist is access.ErrHidden.
func (s *Service) Enter(ctx context.Context, p *access.Principal, team uuid.UUID, reason string) (Entry, error) {
	if !p.Superuser {
		return Entry{}, problem.Forbidden
	}
	if team == access.AnonymousTeam {
		return Entry{}, ErrBuiltIn
	}
	if _, member := p.RoleIn(team); member {
		return Entry{}, ErrInside
	}
	reason, err := checkReason(reason)
	if err != nil {
		return Entry{}, err
	}
	now := s.now()
	e := Entry{
		ID: uuid.Must(uuid.NewV7()), TeamID: team, UserID: &p.User, UserEmail: p.Email, Reason: reason,
		EnteredAt: now, ExpiresAt: now.Add(EntryLifetime),
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := holdSuperuser(ctx, tx, p.User); err != nil {
			return err
		}
		if err := insertEntry(ctx, tx, e, p.Session); err != nil {
			return err
		}
		return announceEntry(ctx, tx, p, team, "team.enter", map[string]any{"reason": reason, "until": e.ExpiresAt.UTC()})
	})
	return e.utc(), err
}

// Leave ends a stay early. It may be asked again.
func (s *Service) Leave(ctx context.Context, p *access.Principal, team uuid.UUID) error {
	if !p.Superuser {
		return problem.Forbidden
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		left, err := leave(ctx, tx, p.Session, team, s.now())
		if err != nil || !left {
			return err
		}
		return announceEntry(ctx, tx, p, team, "team.leave-entered", nil)
	})
}

func announceEntry(ctx context.Context, tx *postgres.Tx, p *access.Principal, team uuid.UUID, action string, detail map[string]any) error {
	entry := audit.Entry{Team: team, ActorID: p.User, Actor: p.Email, Action: action, Object: team.String(), Detail: detail}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicSession, p.Session)
}

// EndEntries ends all stays of a user, in the transaction in which they stop to be a superuser or lose their sessions: nothing
// comes back with the rights.
func (s *Service) EndEntries(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	sessions, err := leaveAll(ctx, tx, user, s.now())
	if err != nil {
		return err
	}
	for _, session := range sessions {
		if err := tx.Notify(postgres.TopicSession, session); err != nil {
			return err
		}
	}
	return nil
}

// Entries lists who was in the team beside its members, the latest first: for everybody who may see the team.
func (s *Service) Entries(ctx context.Context, p *access.Principal, team uuid.UUID, limit int, after uuid.UUID) (list []Entry, next *uuid.UUID, err error) {
	if err := p.In(team, access.TeamRead); err != nil {
		return nil, nil, err
	}
	if limit < 1 {
		limit = defaultEntries
	}
	limit = min(limit, maxEntries)
	if list, err = readEntries(ctx, s.db, team, limit+1, after); err != nil {
		return nil, nil, postgres.Problem(err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = &list[limit-1].ID
	}
	for i := range list {
		list[i] = list[i].utc()
	}
	return list, next, nil
}

// checkReason cuts the blanks around a reason and refuses what tells the team nothing.
func checkReason(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	switch length := utf8.RuneCountInString(reason); {
	case length < minReason:
		return "", problem.Fields(body.TooShort("reason", minReason, reason))
	case length > maxReason:
		return "", problem.Fields(body.TooLong("reason", maxReason, reason))
	case !utf8.ValidString(reason) || strings.ContainsRune(reason, 0):
		return "", problem.Fields(body.Refused("reason", "A reason cannot hold a NUL character.", ""))
	}
	return reason, nil
}

// stay is where a session is, and until when.
type stay struct {
	Team    uuid.UUID `db:"team_id"`
	Expires time.Time `db:"expires_at"`
	Factor  bool      `db:"factor"` // the team demands a second factor of whoever is there
}

// entered are the memberships that a superuser's session has for a while, with those that it has anyway. It costs a query only when
// something about the session changed; others than superusers are not asked about at all.
func (s *Service) entered(ctx context.Context, session uuid.UUID, own []access.Membership) ([]access.Membership, error) {
	stays, known := s.stays.Get(session)
	if !known {
		mark := s.stays.Begin()
		var err error
		if stays, err = readStays(ctx, s.db, session, s.now()); err != nil {
			return nil, postgres.Problem(err)
		}
		s.stays.Put(mark, session, stays)
	}
	now, all := s.now(), own
	for _, stay := range stays {
		if now.Before(stay.Expires) && !isIn(own, stay.Team) {
			all = append(all[:len(all):len(all)], access.Membership{Team: stay.Team, Role: access.Admin, Entered: true, Factor: stay.Factor})
		}
	}
	return all, nil
}

// roleNow is the caller's role of the moment, held until the commit: a member's, or a superuser's who is in the team.
func (s *Service) roleNow(ctx context.Context, tx *postgres.Tx, p *access.Principal, team uuid.UUID) (access.Role, error) {
	role, err := heldRole(ctx, tx, team, p.User)
	if !p.Superuser || !errors.Is(err, access.ErrHidden) {
		return role, err
	}
	inside, err := isInside(ctx, tx, p.Session, team, s.now())
	if err != nil || !inside {
		return "", firstOf(err, access.ErrHidden)
	}
	return access.Admin, nil
}
