package agentserver

import (
	"net/http"
	"path"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// The calls that read what lies in a project's folder: skills, hooks, plugins and agents. The folder must be the team's or a
// conversation's, and be reached without a symbolic link, because the upstream confines none of these calls. Links in it are
// followed: what an agent could link to there it could copy there. What lies in the server's one user folder is nobody's, and is never loaded.

func (d *Dialect) skills(x *proxy.Exchange) error {
	return d.projectCall(x, rules{
		"load_public": flag, "load_project": flag,
	}, map[string]any{"load_user": false, "load_org": false})
}

func (d *Dialect) hooks(x *proxy.Exchange) error { return d.projectCall(x, rules{}, nil) }

func (d *Dialect) plugins(x *proxy.Exchange) error {
	return d.projectCall(x, rules{"load_project": flag}, map[string]any{"load_user": false})
}

func (d *Dialect) subAgents(x *proxy.Exchange) error {
	return d.projectCall(x, rules{"load_project": flag, "load_builtin": flag}, map[string]any{"load_user": false})
}

// projectCall forwards what the allow-list leaves of the body, with the project folder checked and the forced members set.
func (d *Dialect) projectCall(x *proxy.Exchange, allowed rules, forced map[string]any) error {
	in, err := x.ReadJSON()
	if err != nil {
		return err
	}
	s := &sanitizer{}
	body := s.members([]any{"body"}, in, allowed)
	if err := s.err(); err != nil {
		return err
	}
	dir, err := d.projectDir(x, in["project_dir"])
	if err != nil {
		return err
	}
	body["project_dir"] = dir
	for name, v := range forced {
		body[name] = v
	}
	return x.Forward(outgoing(body))
}

// projectDir checks the folder that the client named; without one it is the team's own project folder. A relative one is meant
// from the home, as Canvas does before it knows that.
func (d *Dialect) projectDir(x *proxy.Exchange, v any) (string, error) {
	given, isString := v.(string)
	dir := folder(given)
	if given != "" && !path.IsAbs(given) {
		dir = d.teamRoot(x.Team()) + "/" + dir
	}
	switch {
	case v == nil || v == "":
		dir = d.project(x.Team())
	case !isString || !canonicalPath(dir):
		return "", problem.Fields(problem.Field{
			Type: "value_error", Loc: []any{"body", "project_dir"}, Msg: "Input should be an absolute path without dot segments",
		})
	}
	return dir, d.projectHere(x, dir)
}

// projectHere says whether the caller may have dir looked through. With containers that is the project folder alone: agents
// write to the others from inside, where a link leads elsewhere than on the host.
func (d *Dialect) projectHere(x *proxy.Exchange, dir string) error {
	ctx := x.Request.Context()
	if dir != d.project(x.Team()) && d.apart(ctx) {
		return access.ErrHidden
	}
	if x.Principal().In(d.teamOf(dir), x.Operation.Permission) != nil {
		_, err := d.holder(x, dir, x.Operation.Permission)
		return err
	}
	closed, err := d.config.Conversations.Closed(ctx, x.Principal(), dir, false)
	if err == nil && closed {
		err = access.ErrHidden
	}
	if err != nil {
		return err
	}
	return d.plain(ctx, x.Fetch, dir, true)
}

func (d *Dialect) skillMarket(x *proxy.Exchange) error  { return d.market(x, "skills") }
func (d *Dialect) pluginMarket(x *proxy.Exchange) error { return d.market(x, "plugins") }

// market answers with the public catalogue, in which nothing is installed.
func (d *Dialect) market(x *proxy.Exchange, list string) error {
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
	if err != nil {
		return err
	}
	if reply.Status != http.StatusOK {
		return d.refusal(reply)
	}
	var body map[string]any
	if err := decode(reply.Body, &body); err != nil {
		return err
	}
	entries, _ := body[list].([]any)
	for _, entry := range entries {
		if e, ok := entry.(map[string]any); ok && e["installed"] != nil {
			e["installed"] = false
		}
	}
	return x.JSON(http.StatusOK, body)
}
