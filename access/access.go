// Package access is the vocabulary of rights: who is asking (Principal), what they may do (Role, Permission, and the one table
// that joins them) and what is asked about (Object).
//
// It never does I/O and never knows HTTP. Its key idea: code asks for a permission, never for a role, and a thing that may not
// be seen answers exactly like a thing that does not exist (ErrHidden).
package access

import (
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// ErrHidden means that the caller may not know whether the object exists; it becomes the one 404.
var ErrHidden = errors.New("hidden or missing")

// ErrForbidden means that the caller sees the object but lacks the permission; it becomes 403.
var ErrForbidden = errors.New("permission missing")

// ErrScope and ErrBound are ErrForbidden for what the caller may do, but not with this API key.
var (
	ErrScope = fmt.Errorf("%w: the key's scope does not allow it", ErrForbidden)
	ErrBound = fmt.Errorf("%w: the key is bound to another team", ErrForbidden)
	// ErrFactor is ErrForbidden for a team that demands a second factor, of a caller who showed none.
	ErrFactor = fmt.Errorf("%w: a second factor is missing", ErrForbidden)
)

// AnonymousTeam is the built-in tenant of those who come without credentials (migrations/0002_teams.sql makes it).
var AnonymousTeam = uuid.MustParse("00000000-0000-4000-8000-0000000a0000")

// Membership joins the principal to one team.
type Membership struct {
	Team     uuid.UUID
	Role     Role
	Personal bool
	Entered  bool // a superuser is there for a while, and is no member
	Factor   bool // the team demands a second factor of its members
}

// Principal is who is asking: a user with a session or an API key, or the anonymous tenant. It is immutable once made, so that it
// can be shared by many requests.
type Principal struct {
	User        uuid.UUID // uuid.Nil when Anonymous
	Email       string
	Session     uuid.UUID // the server-side session behind the credential, or the API key; uuid.Nil when Anonymous
	Key         bool      // an API key, not a session
	Scope       Scope     // of the key; NoScope for sessions
	Bound       uuid.UUID // the only team that the key is good for; uuid.Nil for all of its owner's
	Superuser   bool
	Factor      bool // a second factor was shown, or there is nobody who could show one
	Anonymous   bool
	CurrentTeam uuid.UUID // selects lists and creates; never decides on an object
	Memberships []Membership
}

// RoleIn returns the role in team, and false for teams the principal is no member of.
func (p *Principal) RoleIn(team uuid.UUID) (Role, bool) {
	i := slices.IndexFunc(p.Memberships, func(m Membership) bool { return m.Team == team })
	if i < 0 {
		return "", false
	}
	return p.Memberships[i].Role, true
}

// In decides on an operation of a team as a whole: ErrHidden for strangers, ErrForbidden for members without the permission, for
// those whose key does not allow it, and for those who did not show the second factor that the team demands.
func (p *Principal) In(team uuid.UUID, permission Permission) error {
	role, member := p.RoleIn(team)
	switch {
	case !member:
		return ErrHidden
	case p.Bound != uuid.Nil && p.Bound != team:
		return ErrBound
	case !p.Factor && p.demands(team):
		return ErrFactor
	case !role.Has(permission):
		return ErrForbidden
	case !p.Scope.Allows(permission):
		return ErrScope
	}
	return nil
}

// demands says whether the team wants its members to have shown a second factor.
func (p *Principal) demands(team uuid.UUID) bool {
	return slices.ContainsFunc(p.Memberships, func(m Membership) bool { return m.Team == team && m.Factor })
}

// Alone decides on what belongs to the user and to no team: any credential of theirs may, but for a key of a lesser scope than least
// and one that is bound to a team.
func (p *Principal) Alone(least Scope) error {
	switch {
	case p.Bound != uuid.Nil:
		return ErrBound
	case !p.Scope.Covers(least):
		return ErrScope
	}
	return nil
}

// Permissions returns what the principal may do in team: what both the role and the scope hold.
func (p *Principal) Permissions(team uuid.UUID) []Permission {
	role, _ := p.RoleIn(team)
	return slices.DeleteFunc(role.Permissions(), func(held Permission) bool { return p.In(team, held) != nil })
}

// Object is a conversation as far as rights are concerned. It holds no pointers, so that a map of many costs the collector
// nothing.
type Object struct {
	ID      uuid.UUID
	Team    uuid.UUID
	Starter uuid.UUID // uuid.Nil when anonymous started it
	Private bool      // visible to its starter only
	State   State
}

// State is the life of a conversation's id. An id belongs to its team in every state, for ever.
type State uint8

// The states of an id. StateNone is the zero value: no row, so nobody's.
const (
	StateNone State = iota
	StateReserved
	StateLive
	StateFailed
	StateDeleted
)

// On decides on one object: ErrHidden when it is missing, dead, of a foreign team or private to somebody else; ErrForbidden
// when the role lacks the permission.
func (p *Principal) On(o Object, permission Permission) error {
	if o.State == StateNone || o.State == StateDeleted || o.State == StateFailed {
		return ErrHidden
	}
	if o.Private && o.Starter != p.User {
		return ErrHidden
	}
	return p.In(o.Team, p.narrow(o, permission))
}

// narrow turns "delete a conversation" into "delete somebody else's" where the caller did not start it.
func (p *Principal) narrow(o Object, permission Permission) Permission {
	if permission == ConversationDelete && o.Starter != p.User {
		return ConversationDeleteAny
	}
	return permission
}
