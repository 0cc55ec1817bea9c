package settings

import (
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

// indexOf is where a folder stands in a list, -1 for nowhere.
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
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	return s.folders(q)
}

func (s *Surface) folders(q request) error {
	h, err := s.holdings(q.context(), q.who, vault.KindWorkspaces)
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{"workspaces": h.union(workspaces()), "workspaceParents": h.union(parents())})
}

// AddWorkspaces adds folders to a scope's list; those that are in it stay as they are.
func (s *Surface) AddWorkspaces(x *proxy.Exchange) error { return s.addFolders(x, workspaces()) }

// AddWorkspaceParents adds folders whose folders are offered.
func (s *Surface) AddWorkspaceParents(x *proxy.Exchange) error { return s.addFolders(x, parents()) }

func (s *Surface) addFolders(x *proxy.Exchange, f folders) error {
	q, err := s.begin(x, opening{changes: true})
	if err != nil {
		return err
	}
	added, err := s.sentFolders(q, f)
	if err != nil {
		return err
	}
	err = s.changeFolders(q, func(h holdings, d *vault.Draft) error {
		list, all := f.listed(d.Body), h.union(f)
		for _, item := range added {
			if indexOf(all, pathOf(item)) < 0 {
				list, all = append(list, item), append(all, item)
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
	return s.folders(q)
}

// changeFolders changes the lists of a scope, with what counts there in view.
func (s *Surface) changeFolders(q request, work func(holdings, *vault.Draft) error) error {
	_, err := s.Vault.Update(q.context(), q.scope, vault.KindWorkspaces, "", q.who.by, func(d *vault.Draft) error {
		docs, err := d.Layers(vault.KindWorkspaces)
		if err != nil {
			return err
		}
		return work(holdings{who: q.who, docs: docs}, d)
	})
	return err
}

// sentFolders are the folders of a body. Each must lie in the team's.
func (s *Surface) sentFolders(q request, f folders) ([]any, error) {
	raw, err := q.ReadJSON()
	if err != nil {
		return nil, err
	}
	f.oneName(raw)
	body, err := s.judged(q.Exchange, f.model, raw)
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
			if why := s.outside(q.who.Team, folder(p)); why != "" {
				faults = append(faults, fault("value_error", []any{"body", f.sent, i, name}, "%s", why))
			}
		}
	}
	if len(faults) > 0 {
		return nil, problem.Fields(faults...)
	}
	return list, nil
}

// oneName gives a member of two names the one that the model says.
func (f folders) oneName(body map[string]any) {
	for _, item := range f.sentIn(body) {
		members, _ := item.(map[string]any)
		if _, said := members["parentPath"]; members["parent_path"] != nil && !said {
			members["parentPath"] = members["parent_path"]
		}
	}
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
	q, err := s.begin(x, opening{name: folderNamed, changes: true})
	if err != nil {
		return err
	}
	err = s.changeFolders(q, func(h holdings, d *vault.Draft) error {
		list := f.listed(d.Body)
		i := indexOf(list, q.name)
		switch {
		case i >= 0:
			d.Body[f.member] = slices.Delete(list, i, i+1)
			return nil
		case indexOf(h.union(f), q.name) >= 0:
			return teams(q.name)
		}
		return problem.New(http.StatusNotFound, f.noun+" not found")
	})
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{"deleted": true})
}

// folderNamed takes a folder from the query.
func folderNamed(x *proxy.Exchange) (string, error) {
	given := x.Query()["path"]
	if len(given) == 0 {
		return "", problem.Fields(fault("missing", []any{"query", "path"}, "Field required"))
	}
	return folder(given[len(given)-1]), nil
}
