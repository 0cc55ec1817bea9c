package agentserver_test

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// inRoot asks for a path, and says whether it was forwarded as it is.
func (w *world) inRoot(who, method, route, dir string) (status int, forwarded bool) {
	w.t.Helper()
	w.upstream.forget()
	a := w.ask(who, method, route+"?path="+url.QueryEscape(dir), nil)
	sent := w.upstream.arrived("/api/")
	return a.status, len(sent) == 1 && sent[0].path == route && sent[0].query == "path="+url.QueryEscape(dir)
}

func TestFoldersAreListedBelowTheTeamsRootAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for dir, want := range map[string]int{
		w.root("ann"): 200, w.root("ann") + "/workspace/project": 200, w.root("bob"): 404, workspaceRoot + "/teams": 404,
		workspaceRoot: 404, "/": 404, "/etc": 404, w.root("ann") + "/../x": 422, w.root("ann") + "x": 404, "": 422, "x": 422,
	} {
		status, forwarded := w.inRoot("ann", "GET", "/api/file/search_subdirs", dir)
		if status != want || forwarded != (want == 200) {
			t.Errorf("%q: %d, forwarded %v, want %d", dir, status, forwarded, want)
		}
	}
}

func TestFoldersOfAColleaguesPrivateConversationAreClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	colleague := *w.gate["ann"]
	colleague.User = w.gate["bob"].User
	w.gate["cem"] = &colleague
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}})
	w.exec(w.db, `UPDATE conversations SET visibility = 'private' WHERE id = $1`, id)
	for _, c := range []struct{ method, route string }{{"POST", "/api/file/upload"}, {"GET", "/api/file/search_subdirs"}, {"POST", "/api/file/create_directory"}} {
		if status, forwarded := w.inRoot("cem", c.method, c.route, dir+"/x"); status != 404 || forwarded {
			t.Errorf("%s: %d, forwarded %v, want 404", c.route, status, forwarded)
		}
	}
}

func TestWithAMountFilesOfTheTeamsRootAreReadAndLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	w := newHouse(t, func(c *agentserver.Config) { c.WorkspaceMount = mount })
	team, other := w.gate["ann"].CurrentTeam.String(), w.gate["bob"].CurrentTeam.String()
	write := func(names ...string) {
		for _, name := range names {
			place := filepath.Join(mount, "teams", name)
			if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(place, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(team+"/a/file", team+"/repo/.git/HEAD", team+"/repo/src/file", team+"/odd/.git", other+"/secret", other+"/.git/HEAD")
	for name, target := range map[string]string{
		"out": "../" + other, "absolute": filepath.Join(mount, "teams", other), "a/inner": "../repo", "a/link": "file", "gone": "nowhere",
		"repo/sub": "/etc",
	} {
		if err := os.Symlink(target, filepath.Join(mount, "teams", team, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		method, route, dir string
		served             bool
	}{
		{"GET", "/api/file/download", "/a/file", true},
		{"GET", "/api/file/download", "/a/missing", false},
		{"GET", "/api/file/download", "/out/secret", false},
		{"GET", "/api/file/download", "/absolute/secret", false},
		{"GET", "/api/file/download", "/a/link", false},
		{"GET", "/api/file/download", "/a/inner/src/file", false},
		{"GET", "/api/file/archive", "/a", true},
		{"GET", "/api/file/archive", "/out", false},
		{"GET", "/api/file/search_subdirs", "", true},
		{"GET", "/api/file/search_subdirs", "/out", false},
		{"POST", "/api/file/create_directory", "/new/deep", true},
		{"POST", "/api/file/create_directory", "/out/new", false},
		{"POST", "/api/file/create_directory", "/gone/new", false},
		{"POST", "/api/file/upload", "/a/new", true},
		{"POST", "/api/file/upload", "/a/link", false},
		{"POST", "/api/file/upload", "/absolute/new", false},
		{"GET", "/api/git/changes", "/repo", true},
		{"GET", "/api/git/diff", "/repo/src/file", true},
		{"GET", "/api/git/diff", "/repo/sub/passwd", false},
		{"GET", "/api/git/changes", "/a", false},
		{"GET", "/api/git/changes", "/odd", false},
		{"GET", "/api/git/commits", "", false},
	} {
		status, forwarded := w.inRoot("ann", c.method, c.route, w.root("ann")+c.dir)
		if forwarded != c.served || !c.served && status != 404 {
			t.Errorf("%s %s: %d, forwarded %v, want %v", c.route, c.dir, status, forwarded, c.served)
		}
		if status, forwarded := w.inRoot("bob", c.method, c.route, w.root("ann")+c.dir); forwarded || status != 404 {
			t.Errorf("%s %s by a stranger: %d, forwarded %v", c.route, c.dir, status, forwarded)
		}
	}
	id, inner := uuid.New(), uuid.New()
	w.exec(w.db, `INSERT INTO conversations (id, team_id, starter_id, visibility, state, working_dir) VALUES ($1, $2, $3, 'private', 'live', $4)`,
		id, w.gate["ann"].CurrentTeam, w.gate["bob"].User, w.root("ann")+"/a/deep")
	if status, forwarded := w.inRoot("ann", "GET", "/api/file/archive", w.root("ann")+"/a"); forwarded || status != 404 {
		t.Errorf("an archive with a private conversation's folder in it: %d, forwarded %v", status, forwarded)
	}
	w.exec(w.db, `INSERT INTO conversations (id, team_id, starter_id, visibility, state, working_dir) VALUES ($1, $2, $3, 'private', 'live', $4)`,
		inner, w.gate["ann"].CurrentTeam, w.gate["bob"].User, w.root("ann")+"/repo/deep")
	if status, forwarded := w.inRoot("ann", "GET", "/api/git/changes", w.root("ann")+"/repo"); forwarded || status != 404 {
		t.Errorf("a repository with a private conversation's folder in it: %d, forwarded %v", status, forwarded)
	}
}
