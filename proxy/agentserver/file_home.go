package agentserver

import (
	"context"
	"net/http"
	"net/url"
	"path"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// home answers with the team's root. The UI makes its conversations' folders below <home>/workspace/project, so that exists.
func (d *Dialect) home(x *proxy.Exchange) error {
	team := x.Team()
	d.makeProject(x.Request.Context(), x.Fetch, team)
	return x.JSON(http.StatusOK, map[string]any{"home": d.teamRoot(team), "favorites": []any{}, "locations": []any{}})
}

// project is the folder that holds the folders of a team's conversations.
func (d *Dialect) project(team uuid.UUID) string {
	return path.Join(d.teamRoot(team), "workspace", "project")
}

// makeProject makes the project folder, once per team and process. A failure is tried again at the next call: the home is known
// without it, and a conversation's creation makes its folder anyway.
func (d *Dialect) makeProject(ctx context.Context, fetch fetcher, team uuid.UUID) {
	if _, done := d.homes.Load(team); done {
		return
	}
	reply, err := fetch(ctx, proxy.Outgoing{
		Method: http.MethodPost, Path: "/api/file/create_directory", Query: url.Values{"path": {d.project(team)}},
	})
	switch {
	case err != nil:
		d.log.Warn("the project folder could not be made", "team", team, "error", err)
	case reply.Status >= 300:
		d.log.Warn("the upstream did not make the project folder", "team", team, "status", reply.Status)
	default:
		d.homes.Store(team, struct{}{})
	}
}
