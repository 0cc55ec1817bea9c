package settings

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// mostFolders is how many folders a scope may list of one sort.
const mostFolders = 200

// folders is one of the two lists of the UI's picker: folders, and folders whose folders are offered.
type folders struct {
	member string // in the document, and in the answer
	sent   string // in a body
	model  string // of a body
	noun   string
}

func workspaces() folders {
	return folders{member: "workspaces", sent: "workspaces", model: "AddWorkspacesRequest", noun: "Workspace"}
}

func parents() folders {
	return folders{member: "workspaceParents", sent: "parents", model: "AddWorkspaceParentsRequest", noun: "Workspace parent"}
}

// listed are the folders of a document.
func (f folders) listed(d map[string]any) []any {
	all, _ := d[f.member].([]any)
	return all
}

func pathOf(item any) string {
	members, _ := item.(map[string]any)
	p, _ := members["path"].(string)
	return p
}

// at is where a folder stands in a list, -1 for nowhere.
func indexOf(list []any, p string) int {
	return slices.IndexFunc(list, func(item any) bool { return pathOf(item) == p })
}

// union is the team's folders and one's own, each once. One's own stand for the team's.
func (h holdings) union(f folders) []any {
	all := []any{}
	for _, d := range h.docs {
		for _, item := range f.listed(d.Body) {
			if i := indexOf(all, pathOf(item)); i >= 0 {
				all[i] = item
			} else {
				all = append(all, item)
			}
		}
	}
	return all
}

// ListWorkspaces lists the folders that the UI offers.
func (s *Surface) ListWorkspaces(x *proxy.Exchange) error {
	w := whoAsks(x)
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	return s.folders(x, w.in(scope))
}

func (s *Surface) folders(x *proxy.Exchange, w who) error {
	h, err := s.holdings(x.Request.Context(), w, vault.KindWorkspaces)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"workspaces": h.union(workspaces()), "workspaceParents": h.union(parents())})
}

// AddWorkspaces adds folders to a scope's list; those that are in it stay as they are.
func (s *Surface) AddWorkspaces(x *proxy.Exchange) error { return s.addFolders(x, workspaces()) }

// AddWorkspaceParents adds folders whose folders are offered.
func (s *Surface) AddWorkspaceParents(x *proxy.Exchange) error { return s.addFolders(x, parents()) }

func (s *Surface) addFolders(x *proxy.Exchange, f folders) error {
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	added, err := s.sentFolders(x, f)
	if err != nil {
		return err
	}
	h, err := s.holdings(ctx, w.in(scope), vault.KindWorkspaces)
	if err != nil {
		return err
	}
	added = slices.DeleteFunc(added, func(item any) bool { return indexOf(h.union(f), pathOf(item)) >= 0 })
	_, err = s.Vault.Update(ctx, scope, vault.KindWorkspaces, "", w.by, func(d *vault.Draft) error {
		list := f.listed(d.Body)
		for _, item := range added {
			if indexOf(list, pathOf(item)) < 0 {
				list = append(list, item)
			}
		}
		if len(list) > mostFolders {
			return problem.Newf(http.StatusConflict, "%s limit reached (%d). Remove one before adding another.", f.noun, mostFolders)
		}
		d.Body[f.member] = list
		return nil
	})
	if err != nil {
		return err
	}
	return s.folders(x, w.in(scope))
}

// sentFolders are the folders of a body. Each must lie in the team's.
func (s *Surface) sentFolders(x *proxy.Exchange, f folders) ([]any, error) {
	body, err := s.body(x, f.model)
	if err != nil {
		return nil, err
	}
	list := f.sentIn(body)
	var faults []problem.Field
	for i, item := range list {
		members, _ := item.(map[string]any)
		for _, name := range []string{"path", "parentPath"} {
			p, given := members[name].(string)
			if !given {
				delete(members, name) // null is as good as absent, in answers, too
				continue
			}
			members[name] = folder(p)
			if why := s.outside(x.Team(), folder(p)); why != "" {
				faults = append(faults, fault("value_error", []any{"body", f.sent, i, name}, "%s", why))
			}
		}
	}
	if len(faults) > 0 {
		return nil, problem.Fields(faults...)
	}
	return list, nil
}

func (f folders) sentIn(body map[string]any) []any {
	list, _ := body[f.sent].([]any)
	return list
}

// folder is p without the slash that some clients put behind a folder.
func folder(p string) string {
	if len(p) > 1 {
		return strings.TrimSuffix(p, "/")
	}
	return p
}

// outside says what is wrong with a path that is not one of the team's, or has a second spelling. Where it leads is looked at when
// it is used.
func (s *Surface) outside(team uuid.UUID, p string) string {
	if !path.IsAbs(p) || path.Clean(p) != p || strings.ContainsRune(p, 0) {
		return "Input should be an absolute path without dot segments"
	}
	root := path.Join(s.WorkspaceRoot, "teams", team.String())
	if p != root && !strings.HasPrefix(p, root+"/") {
		return "The path must lie in the team's folder: " + root
	}
	return ""
}

// DeleteWorkspace removes a folder from a scope's list.
func (s *Surface) DeleteWorkspace(x *proxy.Exchange) error { return s.deleteFolder(x, workspaces()) }

// DeleteWorkspaceParent does so with one whose folders are offered.
func (s *Surface) DeleteWorkspaceParent(x *proxy.Exchange) error { return s.deleteFolder(x, parents()) }

func (s *Surface) deleteFolder(x *proxy.Exchange, f folders) error {
	given := x.Query()["path"]
	if len(given) == 0 {
		return problem.Fields(fault("missing", []any{"query", "path"}, "Field required"))
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(ctx, w.in(scope), vault.KindWorkspaces)
	if err != nil {
		return err
	}
	p := folder(given[len(given)-1])
	if err := f.removable(h, scope, p); err != nil {
		return err
	}
	if err := s.dropFolder(ctx, w, scope, f, p); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"deleted": true})
}

// removable says why a folder cannot be removed from a scope's list.
func (f folders) removable(h holdings, scope vault.Scope, p string) error {
	for _, d := range h.docs {
		if d.Scope == scope && indexOf(f.listed(d.Body), p) >= 0 {
			return nil
		}
	}
	if indexOf(h.union(f), p) >= 0 {
		return problem.Newf(http.StatusForbidden, "'%s' belongs to the team: an Admin can change it.", clipped(p))
	}
	return problem.New(http.StatusNotFound, f.noun+" not found")
}

func (s *Surface) dropFolder(ctx context.Context, w who, scope vault.Scope, f folders, p string) error {
	_, err := s.Vault.Update(ctx, scope, vault.KindWorkspaces, "", w.by, func(d *vault.Draft) error {
		d.Body[f.member] = slices.DeleteFunc(f.listed(d.Body), func(item any) bool { return pathOf(item) == p })
		return nil
	})
	return err
}
