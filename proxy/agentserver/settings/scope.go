package settings

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// ScopeHeader says whose documents a request means: "own" or nothing for the caller's, "team" for the team's.
const ScopeHeader = "X-OpenHands-Scope"

// ofTeam says whether a request means the team's documents.
func ofTeam(x *proxy.Exchange) bool { return x.Request.Header.Get(ScopeHeader) == "team" }

// scopeOf is the scope that a request means. The team's own documents are for those who keep them.
func scopeOf(x *proxy.Exchange, w who) (vault.Scope, error) {
	switch x.Request.Header.Get(ScopeHeader) {
	case "", "own":
		return w.own(), nil
	case "team":
		return w.team(), w.must(access.SettingsTeam, errTeams)
	}
	return vault.Scope{}, problem.New(http.StatusBadRequest, ScopeHeader+" must be 'own' or 'team'.")
}

var errTeams = problem.New(http.StatusForbidden, "Only Admins and Owners may see and change what belongs to the team.")

// writable is scopeOf for a change: Viewers change nothing, and the anonymous tenant has no documents of its own but preferences.
func writable(x *proxy.Exchange, w who) (vault.Scope, error) {
	if x.Principal().Anonymous {
		return vault.Scope{}, problem.New(http.StatusForbidden, "Sign in to keep settings, secrets and profiles of your own.")
	}
	if err := w.must(access.SettingsWrite, problem.New(http.StatusForbidden, "Your role may not change this.")); err != nil {
		return vault.Scope{}, err
	}
	return scopeOf(x, w)
}

// asTeam leaves the caller's own documents out. Who acts stays on record.
func (w who) asTeam() who {
	w.User = uuid.Nil
	return w
}

// in is the caller as a scope sees things: the team's with the team's eyes.
func (w who) in(scope vault.Scope) who {
	if scope.User == uuid.Nil {
		return w.asTeam()
	}
	return w
}

// teamsOr says that the team has what the caller's own scope has not, else missing.
func (s *Surface) teamsOr(q request, kind vault.Kind, name string, missing error) error {
	if q.scope.User == uuid.Nil {
		return missing
	}
	_, found, err := s.Vault.Get(q.context(), q.who.team(), kind, name)
	switch {
	case err != nil:
		return err
	case found:
		return teams(name)
	}
	return missing
}

// teams refuses a change of what belongs to the team in one's own scope.
func teams(name string) error {
	return problem.Newf(http.StatusForbidden, "'%s' belongs to the team: an Admin can change it.", clipped(name))
}
