package app

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// teamScope are the paths below /api/teams/{team_id} that are the proxy's: under another name they are those by which everybody
// edits settings of their own, meant here for the team's. All other paths there are routes of ours.
var teamScope = []struct {
	path, upstream string
	itself, below  bool // whether that path is meant, and those that begin with it
}{
	{"settings", "/api/settings", true, false},
	{"settings/mcp", "/api/settings/mcp", false, true},
	{"secrets", "/api/settings/secrets", true, true},
	{"profiles", "/api/profiles", true, true},
	{"agent-profiles", "/api/agent-profiles", true, true},
	{"provider-connections", "/api/llm/provider-connections", true, true},
	{"workspaces", "/api/workspaces", true, false},
	{"workspaces/parents", "/api/workspaces/parents", true, false},
}

// scoped is the path of the table for what is asked of a team's settings; false for every other path. A slash at the end may be
// there, as on all routes about teams.
func scoped(path string) (team, upstream string, ok bool) {
	path, ok = strings.CutPrefix(strings.TrimSuffix(path, "/"), teamsPath)
	team, path, _ = strings.Cut(path, "/")
	if !ok {
		return "", "", false
	}
	for _, row := range teamScope {
		tail, found := strings.CutPrefix(path, row.path)
		if found && (tail == "" && row.itself || strings.HasPrefix(tail, "/") && row.below) {
			return team, row.upstream + tail, true
		}
	}
	return "", "", false
}

const teamsPath = "/api/teams/"

// ofTeam is a request about a team's settings as the engine takes it, nil for all others. The engine decides by the new request
// line alone, which is made of the same bytes, read once by its own parser; which team and whose settings are meant is what the
// path says, whatever headers say.
func ofTeam(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.RequestURI, teamsPath) {
		return nil
	}
	target, err := proxy.ParseTarget(r.RequestURI)
	if err != nil {
		return nil // our own routes refuse it in the same words
	}
	team, path, ok := scoped(target.Path)
	if !ok {
		return nil
	}
	if target.RawQuery != "" {
		path += "?" + target.RawQuery
	}
	inner := r.WithContext(r.Context())
	inner.RequestURI = path
	if inner.URL, err = url.ParseRequestURI(path); err != nil {
		return nil
	}
	inner.Header = headersFor(r.Header, team)
	return inner
}

// headersFor are the client's, but for what the path says. What is no id is the id of no team. No page is sent to the login page
// from here, as from no route about teams: the way back would lead to the caller's own settings.
func headersFor(sent http.Header, team string) http.Header {
	id, ok := tenancy.ParseID(team)
	if !ok {
		id = uuid.Nil
	}
	h := sent.Clone()
	h.Set(tenancy.TeamHeader, id.String())
	h.Set(settings.ScopeHeader, "team")
	h.Set("Accept", "application/json")
	h.Del("Sec-Fetch-Mode")
	return h
}
