package agentserver_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// linked is a world in which ann's team has put links to bob's folder into its own: with a mount where the links are, or without
// one.
func linked(t *testing.T, mounted bool) *world {
	t.Helper()
	mount := ""
	if mounted {
		mount = t.TempDir()
	}
	w := newHouse(t, func(c *agentserver.Config) { c.WorkspaceMount = mount })
	if !mounted {
		w.upstream.link(true, w.root("ann")+"/rb", w.root("ann")+"/p/rb")
		return w
	}
	for _, dir := range []string{w.root("ann") + "/p", w.root("bob") + "/workspace/project"} {
		works(t, os.MkdirAll(below(mount, dir), 0o755))
	}
	works(t, os.Symlink("../"+filepath.Base(w.root("bob")), below(mount, w.root("ann")+"/rb")))
	works(t, os.Symlink(w.root("bob"), below(mount, w.root("ann")+"/p/rb")))
	return w
}

func below(mount, dir string) string {
	return filepath.Join(mount, strings.TrimPrefix(dir, workspaceRoot))
}

func works(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNoConversationWorksBehindALink(t *testing.T) {
	t.Parallel()
	for name, mounted := range map[string]bool{"with a mount": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := linked(t, mounted)
			for dir, want := range map[string]int{
				"/rb": 422, "/rb/": 422, "/rb/workspace/project": 422, "/rb/new/deep": 422, "/p/rb/workspace": 422, "/p": 201, "/p/q": 201,
			} {
				w.upstream.forget()
				a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"workspace": map[string]any{"working_dir": w.root("ann") + dir}}))
				if a.status != want || (want == 422) != (len(w.upstream.arrived(conversationsPath)) == 0) {
					t.Errorf("%s: %d %s, want %d", dir, a.status, a.body, want)
				}
			}
			w.create("ann", nil)
		})
	}
}

func TestAFolderThatIsNotThereYetIsNoLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	project := w.root("ann") + "/workspace/project"
	for _, lacks := range []string{workspaceRoot, workspaceRoot + "/teams", w.root("ann"), w.root("ann") + "/workspace", project, project + "/new"} {
		w.upstream.link(false, lacks)
		w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": project + "/new"}})
	}
}

func TestAFolderThatIsMadeMeanwhileIsNoLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, made := range []string{w.root("ann"), w.root("ann") + "/workspace/project"} {
		w.upstream.appear(made)
		w.create("ann", nil)
	}
}

func TestAnUpstreamThatListsNoFoldersStartsNoConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upstream.link(false, workspaceRoot, workspaceRoot+"/teams", "/")
	if a := w.ask("ann", "POST", conversationsPath, startBody(nil)); a.status != http.StatusBadGateway {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestWithoutAMountFoldersBehindALinkAreNeitherListedNorMadeNorLookedThrough(t *testing.T) {
	t.Parallel()
	w := linked(t, false)
	for dir, want := range map[string]int{"/rb": 404, "/rb/x": 404, "/p/rb": 404, "/p": 200, "": 200} {
		if status, forwarded := w.inRoot("ann", "GET", "/api/file/search_subdirs", w.root("ann")+dir); status != want || forwarded != (want == 200) {
			t.Errorf("list %q: %d, forwarded %v", dir, status, forwarded)
		}
		if status, forwarded := w.inRoot("ann", "POST", "/api/file/create_directory", w.root("ann")+dir); status != want || forwarded != (want == 200) {
			t.Errorf("make %q: %d, forwarded %v", dir, status, forwarded)
		}
		if status, forwarded := w.inRoot("ann", "POST", "/api/file/upload", w.root("ann")+dir+"/file"); status != 404 || forwarded {
			t.Errorf("upload to %q: %d, forwarded %v", dir, status, forwarded)
		}
	}
	w.upstream.link(false, w.root("ann")+"/new")
	if status, _ := w.inRoot("ann", "GET", "/api/file/search_subdirs", w.root("ann")+"/new"); status != 404 {
		t.Errorf("list what is not there: %d", status)
	}
	if status, _ := w.inRoot("ann", "POST", "/api/file/create_directory", w.root("ann")+"/new/deep"); status != 200 {
		t.Errorf("make what is not there: %d", status)
	}
}

func TestAProjectIsNotLookedForBehindALink(t *testing.T) {
	t.Parallel()
	for name, mounted := range map[string]bool{"with a mount": true, "without one": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := linked(t, mounted)
			for _, route := range []string{"/api/skills", "/api/hooks", "/api/plugins", "/api/sub-agents"} {
				for dir, want := range map[string]int{"/rb": 404, "/p/rb/workspace": 404, "/p": 200, "/workspace/project": 200} {
					for _, who := range []string{"ann", "vic"} {
						w.upstream.forget()
						a := w.ask(who, "POST", route, map[string]any{"project_dir": w.root("ann") + dir})
						if a.status != want || len(w.upstream.arrived("/")) != map[int]int{200: 1}[want] {
							t.Errorf("%s of %s for %s: %d %s, want %d", route, dir, who, a.status, a.body, want)
						}
					}
				}
			}
		})
	}
}

func TestAConversationWhoseFolderBecameALinkReadsNothing(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	w := newHouse(t, func(c *agentserver.Config) { c.WorkspaceMount = mount })
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}}).String()
	works(t, os.MkdirAll(below(mount, dir+"/inner/deep"), 0o755))
	works(t, os.MkdirAll(below(mount, w.root("bob")), 0o755))
	works(t, os.Symlink("inner", below(mount, dir+"/good")))
	works(t, os.Symlink(dir+"/inner/../good/deep", below(mount, dir+"/absolute")))
	works(t, os.Symlink("../../"+filepath.Base(w.root("bob")), below(mount, dir+"/bad")))
	works(t, os.Symlink("/etc", below(mount, dir+"/out")))
	works(t, os.Symlink("loop", below(mount, dir+"/loop")))
	ask := func(path string) (status int) {
		own := conversationsPath + "/" + id
		for _, target := range []string{own + "/file/download?path=" + url.QueryEscape(dir+path), "/api/file/download?path=" + url.QueryEscape(dir+path), own + "/workspace" + path} {
			a := w.ask("vic", "GET", target, nil)
			if status == 0 {
				status = a.status
			}
			if a.status != status {
				t.Errorf("%s: %d, unlike the others", target, a.status)
			}
		}
		return status
	}
	for path, want := range map[string]int{
		"/a": 200, "/inner/a": 200, "/good/a": 200, "/absolute/a": 200, "/bad/a": 404, "/bad": 404, "/out/passwd": 404, "/loop": 404,
	} {
		if got := ask(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	works(t, os.RemoveAll(below(mount, dir)))
	works(t, os.Symlink(filepath.Base(w.root("bob")), below(mount, dir)+"-elsewhere"))
	works(t, os.Symlink("../"+filepath.Base(w.root("bob")), below(mount, dir)))
	w.upstream.forget()
	if got := ask("/secret"); got != 404 || len(w.upstream.arrived("/")) != 0 {
		t.Errorf("the folder is a link: %d", got)
	}
}

func TestInContainersNoFolderLiesInAnothers(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	w.ask("ann", "GET", "/api/settings", nil) // what the upstream says of itself is asked for once, by whoever comes first
	project := w.root("ann") + "/workspace/project"
	for dir, want := range map[string]int{
		project + "/picked": 201, project + "/picked/inner": 422, project: 422, w.root("ann"): 422, w.root("ann") + "/workspace": 422, w.root("ann") + "/p": 422,
	} {
		w.upstream.forget()
		a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"workspace": map[string]any{"working_dir": dir}}))
		if a.status != want || (want == 422) != (len(w.upstream.arrived("/")) == 0) {
			t.Errorf("%s: %d %s, want %d", dir, a.status, a.body, want)
		}
	}
	for dir, want := range map[string]int{"": 200, project: 200, project + "/picked": 404, w.root("ann"): 404, "/workspace": 404} {
		if a := w.ask("ann", "POST", "/api/skills", map[string]any{"project_dir": dir}); a.status != want {
			t.Errorf("skills of %q: %d %s, want %d", dir, a.status, a.body, want)
		}
	}
}
