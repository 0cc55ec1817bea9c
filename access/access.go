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
)

// AnonymousTeam is the built-in tenant of those who come without credentials (migrations/0002_teams.sql makes it).
var AnonymousTeam = uuid.MustParse("00000000-0000-4000-8000-0000000a0000")

// Membership joins the principal to one team.
type Membership struct {
	Team     uuid.UUID
	Role     Role
	Personal bool
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

// In decides on an operation of a team as a whole: ErrHidden for strangers, ErrForbidden for members without the permission, and
// for those whose key does not allow it.
func (p *Principal) In(team uuid.UUID, permission Permission) error {
	role, member := p.RoleIn(team)
	switch {
	case !member:
		return ErrHidden
	case p.Bound != uuid.Nil && p.Bound != team:
		return ErrBound
	case !role.Has(permission):
		return ErrForbidden
	case !p.Scope.Allows(permission):
		return ErrScope
	}
	return nil
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
