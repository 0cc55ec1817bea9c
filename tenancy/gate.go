package tenancy

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/cache"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// TeamHeader selects the current team. It can only choose among the caller's own teams.
const TeamHeader = "X-Team-Id"

// rememberedPrincipals bounds how many principals are kept to be shared.
const rememberedPrincipals = 20_000

// Gate answers who is asking.
//
// Session and memberships are each looked up in their own cache, every time. The principal made of them is shared between
// requests only while it says the same as they do, so it needs no invalidation and can never be older than they are.
type Gate struct {
	users      *auth.Service
	teams      *Service
	anonymous  *Anonymous
	cookieName string
	principals *cache.Cache[seat, *access.Principal]
	nobody     *access.Principal // who comes without credentials, where that is allowed
}

// seat is a session that acts for a team.
type seat struct{ session, team uuid.UUID }

// NewGate makes a gate. cookieName is the browser session's.
func NewGate(users *auth.Service, teams *Service, anonymous *Anonymous, cookieName string) *Gate {
	always := func() bool { return true }
	return &Gate{
		users: users, teams: teams, anonymous: anonymous, cookieName: cookieName,
		principals: cache.New[seat, *access.Principal](rememberedPrincipals, always),
		nobody: &access.Principal{
			Anonymous:   true,
			CurrentTeam: access.AnonymousTeam,
			Memberships: []access.Membership{{Team: access.AnonymousTeam, Role: access.Developer}},
		},
	}
}

// Identify says who sent the request. Its errors: problem.Unauthorized for a bad credential, and for none unless anonymous
// mode is on; access.ErrHidden for a team that is not the caller's; a 400 for what cannot be read; a 503 without a database.
func (g *Gate) Identify(r *http.Request) (access.Caller, error) {
	credential, err := auth.CredentialFrom(r, g.cookieName)
	if err != nil {
		return access.Caller{}, err
	}
	team, err := askedTeam(r)
	if err != nil {
		return access.Caller{}, err
	}
	return g.Resolve(r.Context(), credential, team)
}

// CheckTeam judges the team header of a request that was found to be somebody's, on routes that no team decides, and the binding of
// their key: the errors of Identify.
func (g *Gate) CheckTeam(r *http.Request, id auth.Identity) error {
	team, err := askedTeam(r)
	if err != nil || team == "" && id.Bound == uuid.Nil {
		return err
	}
	memberships, err := g.memberships(r.Context(), id)
	if err != nil {
		return err
	}
	_, err = seatOf(id, memberships, team)
	return err
}

// askedTeam is what the team header says, "" without one. An empty header is such as an unset variable in a script makes: it must
// not act on another team.
func askedTeam(r *http.Request) (string, error) {
	sent, present := r.Header[TeamHeader]
	team := strings.Join(sent, ",")
	if present && team == "" {
		return "", errTeamHeader
	}
	return team, nil
}

// Resolve says who a credential is, acting for team, or for their session's current team when that is empty.
func (g *Gate) Resolve(ctx context.Context, c access.Credential, team string) (access.Caller, error) {
	p, err := g.principal(ctx, c, team)
	if err != nil {
		return access.Caller{}, err
	}
	return access.Caller{Principal: p, Credential: c}, nil
}

func (g *Gate) principal(ctx context.Context, c access.Credential, team string) (*access.Principal, error) {
	if c.Form == access.FormNone {
		return g.anyone(ctx, team)
	}
	identity, err := g.users.Authenticate(ctx, c)
	if err != nil {
		return nil, err
	}
	memberships, err := g.memberships(ctx, identity)
	if err != nil {
		return nil, err
	}
	current, err := seatOf(identity, memberships, team)
	if err != nil {
		return nil, err
	}
	return g.share(identity, memberships, current), nil
}

// memberships are the user's, and where a superuser's session is for a while.
func (g *Gate) memberships(ctx context.Context, identity auth.Identity) ([]access.Membership, error) {
	own, err := g.teams.Memberships(ctx, identity.User.ID)
	if err != nil || !superuser(identity) {
		return own, err
	}
	return g.teams.entered(ctx, identity.Session, own)
}

// seatOf is the team that an identity acts for. A key that is bound acts for its team alone, and for nobody once its owner is no
// member there.
func seatOf(identity auth.Identity, memberships []access.Membership, asked string) (uuid.UUID, error) {
	if identity.Bound == uuid.Nil {
		return currentTeam(memberships, asked, identity.Team)
	}
	if !isIn(memberships, identity.Bound) {
		return uuid.Nil, problem.Unauthorized
	}
	current, err := currentTeam(memberships, asked, identity.Bound)
	if err == nil && current != identity.Bound {
		err = access.ErrBound
	}
	return current, err
}

func (g *Gate) anyone(ctx context.Context, team string) (*access.Principal, error) {
	on, err := g.anonymous.On(ctx)
	if err != nil {
		return nil, err
	}
	if !on {
		return nil, problem.Unauthorized
	}
	if _, err := currentTeam(g.nobody.Memberships, team, uuid.Nil); err != nil {
		return nil, err
	}
	return g.nobody, nil
}

// share returns the principal that was made before, when nothing of it has changed.
func (g *Gate) share(identity auth.Identity, memberships []access.Membership, current uuid.UUID) *access.Principal {
	key := seat{identity.Session, current}
	if p, ok := g.principals.Get(key); ok && same(p, identity, memberships) {
		return p
	}
	p := &access.Principal{
		User:        identity.User.ID,
		Email:       identity.User.Email,
		Session:     identity.Session,
		Key:         identity.Key,
		Scope:       identity.Scope,
		Bound:       identity.Bound,
		Superuser:   superuser(identity),
		Factor:      identity.ShowedFactor(),
		CurrentTeam: current,
		Memberships: memberships,
	}
	g.principals.Put(g.principals.Begin(), key, p)
	return p
}

func same(p *access.Principal, i auth.Identity, memberships []access.Membership) bool {
	return p.User == i.User.ID && p.Email == i.User.Email && p.Superuser == superuser(i) && p.Factor == i.ShowedFactor() && p.Key == i.Key &&
		p.Scope == i.Scope && p.Bound == i.Bound && slices.Equal(p.Memberships, memberships)
}

// superuser says whether the credential carries its user's rights over the installation: a key does with the highest scope only,
// and not when it is good for one team.
func superuser(i auth.Identity) bool {
	return i.User.IsSuperuser && i.Scope.Covers(access.ScopeAdmin) && i.Bound == uuid.Nil
}

// errNoSession is for programs, which say with each request which team they mean.
var errNoSession = problem.New(http.StatusBadRequest, "An API key has no session that could remember a team. Send "+TeamHeader+" with each request, or use a key that is bound to the team.")

var errTeamHeader = problem.New(http.StatusBadRequest, TeamHeader+" must be the id of one of your teams; leave it out for your session's current team.")

// currentTeam is what was asked for, else what the session was switched to, else the personal team, else the oldest membership.
// A team that was asked for and that one is not in is hidden; a session falls back when its user leaves the team.
func currentTeam(memberships []access.Membership, asked string, kept uuid.UUID) (uuid.UUID, error) {
	if asked == "" && isIn(memberships, kept) {
		return kept, nil
	}
	if asked == "" {
		return ownTeam(memberships), nil
	}
	id, ok := ParseID(asked)
	if !ok {
		return uuid.Nil, errTeamHeader
	}
	if !isIn(memberships, id) {
		return uuid.Nil, access.ErrHidden
	}
	return id, nil
}

func isIn(memberships []access.Membership, team uuid.UUID) bool {
	return slices.ContainsFunc(memberships, func(m access.Membership) bool { return m.Team == team })
}

// Switch makes a team the current one of the caller's session, for requests that name none. Who cannot see the team gets
// access.ErrHidden.
func (g *Gate) Switch(ctx context.Context, p *access.Principal, team uuid.UUID) error {
	if err := p.In(team, access.TeamRead); err != nil {
		return err
	}
	if p.Anonymous {
		return problem.Unauthorized // there is no session to remember it
	}
	if p.Key {
		return errNoSession
	}
	return postgres.Problem(g.users.SetTeam(ctx, p.Session, team))
}

// Superuser says which superuser sent the request: problem.Forbidden for others. No team counts here, whatever the headers say.
func (g *Gate) Superuser(r *http.Request) (access.Caller, error) {
	credential, err := auth.CredentialFrom(r, g.cookieName)
	if err != nil {
		return access.Caller{}, err
	}
	caller, err := g.Resolve(r.Context(), credential, "")
	switch {
	case err != nil:
		return access.Caller{}, err
	case caller.Principal.Anonymous:
		return access.Caller{}, problem.Unauthorized
	case !caller.Principal.Superuser:
		return access.Caller{}, problem.Forbidden
	}
	return caller, nil
}

// RequireFresh answers auth.ErrStepUp unless the caller proved a moment ago, in this session, who they are.
func (g *Gate) RequireFresh(ctx context.Context, c access.Caller) error {
	identity, err := g.users.Authenticate(ctx, c.Credential)
	if err != nil {
		return err
	}
	return g.users.RequireFresh(identity)
}

// KeyEnds is when the caller's key ends; nil for sessions and for keys that do not.
func (g *Gate) KeyEnds(ctx context.Context, c access.Caller) (*time.Time, error) {
	identity, err := g.users.Authenticate(ctx, c.Credential)
	if err != nil || !identity.Key {
		return nil, err
	}
	return apikey.Ends(identity.Expires), nil
}

func ownTeam(memberships []access.Membership) uuid.UUID {
	for _, m := range memberships {
		if m.Personal {
			return m.Team
		}
	}
	if len(memberships) > 0 {
		return memberships[0].Team
	}
	return uuid.Nil
}

// ParseID takes the two plain forms of an id, hyphenated or not, in any letter case, and none of the others that uuid.Parse
// knows. It is the one reader of team ids, in headers and paths.
func ParseID(s string) (uuid.UUID, bool) {
	if len(s) != 36 && len(s) != 32 {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}
