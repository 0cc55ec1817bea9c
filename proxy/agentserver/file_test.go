package agentserver_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

func TestAFlatCallBecomesTheCallOfTheConversationThatHoldsThePath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	outer := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": w.root("ann") + "/p"}}).String()
	inner := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": w.root("ann") + "/p/q"}}).String()
	for _, c := range []struct{ method, flat, dir, id, tail string }{
		{"GET", "/api/file/download", "/p/a.txt", outer, "/file/download"},
		{"GET", "/api/file/download", "/p/q/a.txt", inner, "/file/download"},
		{"GET", "/api/file/download", "/p/qq/a.txt", outer, "/file/download"},
		{"GET", "/api/file/archive", "/p", outer, "/file/archive"},
		{"POST", "/api/file/upload", "/p/q/new", inner, "/file/upload"},
		{"POST", "/api/file/create_directory", "/p/new", outer, "/file/create_directory"},
		{"GET", "/api/git/changes", "/p/", outer, "/git/changes"},
		{"GET", "/api/git/diff", "/p/a%20b+c&d", outer, "/git/diff"},
		{"GET", "/api/git/commits", "/p", outer, "/git/commits"},
		{"GET", "/api/git/commits/abc/changes", "/p", outer, "/git/commits/abc/changes"},
	} {
		w.upstream.forget()
		query := "limit=5&path=" + url.QueryEscape(w.root("ann")+c.dir)
		a := w.ask("ann", c.method, c.flat+"?"+query, nil)
		sent := w.upstream.arrived("/")
		want := conversationsPath + "/" + c.id + c.tail
		if a.status != 200 || len(sent) != 1 || sent[0].path != want || sent[0].query != query || sent[0].method != c.method {
			t.Errorf("%s %s of %s: %d %s, forwarded %+v, want %s?%s", c.method, c.flat, c.dir, a.status, a.body, sent, want, query)
		}
	}
}

func TestAPathThatIsNotOnesOwnIsMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": w.root("ann") + "/p"}})
	w.create("bob", map[string]any{"workspace": map[string]any{"working_dir": w.root("bob") + "/p"}})
	w.upstream.forget()
	for _, route := range []string{"GET /api/file/download", "GET /api/file/archive", "POST /api/file/upload", "POST /api/file/create_directory", "GET /api/git/changes", "GET /api/git/diff", "GET /api/git/commits"} {
		method, flat, _ := strings.Cut(route, " ")
		for dir, want := range map[string]int{
			w.root("bob") + "/p/a":           404,
			w.root("ann") + "/other":         anywhere,
			w.root("ann") + "/pp":            anywhere,
			w.root("ann"):                    anywhere,
			w.root("ann") + "x":              404,
			workspaceRoot + "/teams":         404,
			workspaceRoot:                    404,
			"/etc/passwd":                    404,
			"/":                              404,
			w.root("ann") + "/p/../../x":     422,
			w.root("ann") + "/p/./a":         422,
			w.root("ann") + "/p//a":          422,
			"p/a":                            422,
			"":                               422,
			"~/a":                            422,
			"file://" + w.root("ann") + "/p": 422,
		} {
			if want == anywhere { // in the team's root, but in no conversation's folder
				want = 404
				if strings.HasSuffix(flat, "/create_directory") {
					want = 200
				}
			}
			a := w.ask("ann", method, flat+"?path="+url.QueryEscape(dir), nil)
			if a.status != want {
				t.Errorf("%s of %q: %d %s, want %d", route, dir, a.status, a.body, want)
			}
		}
		for _, query := range []string{"", "path=/a&path=" + w.root("ann") + "/p", "path=" + w.root("ann") + "/p&path=/etc"} {
			if a := w.ask("ann", method, flat+"?"+query, nil); a.status != 422 {
				t.Errorf("%s with %q: %d %s, want 422", route, query, a.status, a.body)
			}
		}
	}
	for _, r := range w.upstream.arrived("/") {
		place, _ := url.ParseQuery(r.query)
		if dir := place.Get("path"); r.path != "/api/file/create_directory" || dir != w.root("ann") && !strings.HasPrefix(dir, w.root("ann")+"/") {
			t.Errorf("forwarded: %+v", r)
		}
	}
}

const anywhere = 1

func TestAPathInAnotherOfOnesTeamsIsFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("bob", map[string]any{"workspace": map[string]any{"working_dir": w.root("bob") + "/p"}}).String()
	both := *w.gate["ann"]
	both.Memberships = append([]access.Membership{{Team: w.gate["bob"].CurrentTeam, Role: access.Viewer}}, both.Memberships...)
	w.gate["dan"] = &both
	path := "?path=" + url.QueryEscape(w.root("bob")+"/p/a")
	w.upstream.forget()
	if a := w.ask("dan", "GET", "/api/file/download"+path, nil); a.status != 200 || w.upstream.arrived("/")[0].path != conversationsPath+"/"+id+"/file/download" {
		t.Errorf("read: %d %s", a.status, a.body)
	}
	if a := w.ask("dan", "POST", "/api/file/upload"+path, nil); a.status != http.StatusForbidden {
		t.Errorf("write as a Viewer there: %d %s, want 403", a.status, a.body)
	}
}

func TestAConversationsOwnFileCallTakesOnePath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.forget()
	for query, want := range map[string]int{"path=/a": 200, "path=/a&path=/b": 422, "": 422, "path=a": 422, "path=/a/../b": 422} {
		if a := w.ask("ann", "GET", conversationsPath+"/"+id+"/file/download?"+query, nil); a.status != want {
			t.Errorf("%q: %d %s, want %d", query, a.status, a.body, want)
		}
	}
}

func TestHomeIsTheTeamsRootAndItsProjectFolderIsMadeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		rw.WriteHeader(500)
		return true
	})
	want := fmt.Sprintf(`{"favorites":[],"home":%q,"locations":[]}`, w.root("ann"))
	for n := range 3 {
		if a := w.ask("ann", "GET", "/api/file/home", nil); a.status != 200 || a.body != want {
			t.Errorf("%d %s, want %s", a.status, a.body, want)
		}
		if n == 0 {
			w.upstream.script(nil) // it failed once: it is tried again
		}
	}
	sent := w.upstream.arrived("/api/file/create_directory")
	if len(sent) != 2 || sent[1].query != "path="+url.QueryEscape(w.root("ann")+"/workspace/project") {
		t.Errorf("forwarded %+v, want two calls for the project folder", sent)
	}
}

func TestWorkspaceFilesAreStrangersToTheBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		rw.Header().Set("Content-Type", "text/html")
		rw.Header().Set("ETag", `"e"`)
		rw.Header().Set("Content-Security-Policy", "default-src *")
		rw.Header().Set("Content-Range", "bytes 0-1/9")
		rw.WriteHeader(206)
		_, _ = rw.Write([]byte("<b"))
		return true
	})
	for _, path := range []string{"/workspace", "/workspace/dir/a%23b.html"} {
		a := w.ask("ann", "GET", conversationsPath+"/"+id+path, nil)
		for name, want := range map[string]string{
			"Content-Security-Policy": "sandbox allow-scripts", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Etag": `"e"`, "Content-Range": "bytes 0-1/9", "Content-Type": "text/html",
		} {
			if got := a.header.Values(name); a.status != 206 || len(got) != 1 || got[0] != want {
				t.Errorf("%s: %d, %s is %q, want %q", path, a.status, name, got, want)
			}
		}
	}
}

func TestAnArchiveDoesNotNameTheHostsFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		rw.Header().Set("X-Archive-Repo-Root", "/srv/inner")
		return true
	})
	a := w.ask("ann", "GET", conversationsPath+"/"+id+"/file/archive?path=/x", nil)
	if a.status != 200 || a.header.Get("X-Archive-Repo-Root") != "" || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("headers %v", a.header)
	}
}

func TestProjectCallsLoadTheProjectAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	project, home := w.root("ann")+"/p", w.root("ann")+"/workspace/project"
	everything := map[string]any{
		"load_public": true, "load_user": true, "load_project": true, "load_org": true, "load_builtin": true, "org_configs": []any{"x"},
		"registered_marketplaces": []any{"x"}, "marketplace_path": "/etc", "sandbox_config": map[string]any{"a": 1}, "project_dir": project,
	}
	for path, want := range map[string]map[string]any{
		"/api/skills":     {"load_public": true, "load_project": true, "load_user": false, "load_org": false, "project_dir": project},
		"/api/hooks":      {"project_dir": project},
		"/api/plugins":    {"load_project": true, "load_user": false, "project_dir": project},
		"/api/sub-agents": {"load_project": true, "load_builtin": true, "load_user": false, "project_dir": project},
	} {
		w.upstream.forget()
		if a := w.ask("ann", "POST", path, everything); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
			continue
		}
		if diff := cmp.Diff(want, parsed[map[string]any](t, w.upstream.arrived("/")[0].body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
		w.upstream.forget()
		for _, body := range []map[string]any{{}, {"project_dir": "workspace/project"}} {
			w.ask("ann", "POST", path, body)
			if got := parsed[map[string]any](t, w.upstream.arrived("/")[0].body)["project_dir"]; got != home {
				t.Errorf("%s with %v: %v, want %s", path, body, got, home)
			}
			w.upstream.forget()
		}
		for dir, status := range map[string]int{w.root("bob"): 404, "/etc": 404, workspaceRoot + "/teams": 404, w.root("ann") + "/../x": 422, "../x": 422} {
			if a := w.ask("ann", "POST", path, map[string]any{"project_dir": dir}); a.status != status {
				t.Errorf("%s of %s: %d %s, want %d", path, dir, a.status, a.body, status)
			}
		}
		if got := w.upstream.arrived("/"); len(got) != 0 {
			t.Errorf("forwarded: %+v", got)
		}
	}
}

func TestAnAdoptedConversationsFolderCountsAsItsTeams(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upstream.add(uuid.New(), nil)
	if _, err := w.dialect.Adopt(t.Context(), w.gate["ann"].CurrentTeam); err != nil {
		t.Fatal(err)
	}
	if a := w.ask("ann", "POST", "/api/hooks", map[string]any{"project_dir": "/elsewhere/x"}); a.status != 200 {
		t.Errorf("hooks: %d %s", a.status, a.body)
	}
	if a := w.ask("ann", "GET", "/api/file/download?path=/elsewhere/x", nil); a.status != 200 {
		t.Errorf("download: %d %s", a.status, a.body)
	}
	if a := w.ask("bob", "GET", "/api/file/download?path=/elsewhere/x", nil); a.status != 404 {
		t.Errorf("download by a stranger: %d %s", a.status, a.body)
	}
}

func TestEventsGoByTheirIds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.says(`[]`)
	for body, want := range map[string]int{`["a","b"]`: 200, `[]`: 200, `{}`: 422, `null`: 422, `[1]`: 422, ``: 422, `["a"`: 422, `[` + strings.Repeat(`"x",`, 100) + `"x"]`: 422, `["` + strings.Repeat("x", 300<<10) + `"]`: 413} {
		w.upstream.forget()
		a := w.ask("ann", "GET", conversationsPath+"/"+id+"/events", body)
		sent := slices.DeleteFunc(w.upstream.arrived("/"), func(r request) bool { return strings.HasSuffix(r.path, "/events/search") })
		if a.status != want || (want == 200) != (len(sent) == 1) || want == 200 && sent[0].body != body {
			t.Errorf("%.40s: %d %s, forwarded %+v, want %d", body, a.status, a.body, sent, want)
		}
	}
}

func TestTheServerSaysWhatItIsAndNotWhoUsesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.URL.Path == "/api/tools/" {
			_, _ = rw.Write([]byte(`["terminal","their_tool","glob","workflow","browser_tool_set","task_tool_set"]`))
			return true
		}
		_, _ = rw.Write([]byte(`{"uptime":99,"idle_time":7,"version":"1.49.1","title":"T","sdk_version":"1","python_version":"3","build_git_sha":"x",
			"usable_tools":["terminal","their_tool"],"capabilities":["conversation_runtime_routes_v1","credential_binding_v1"],"conversation_runtime":"local","docs":"/docs"}`))
		return true
	})
	want := map[string]any{
		"uptime": 0.0, "idle_time": 0.0, "version": "1.49.1", "title": "T", "sdk_version": "1", "usable_tools": []any{"terminal"},
		"capabilities": []any{"conversation_runtime_routes_v1"}, "conversation_runtime": "local",
	}
	if diff := cmp.Diff(want, w.ask("ann", "GET", "/server_info", nil).object(t)); diff != "" {
		t.Errorf("server_info (-want +got):\n%s", diff)
	}
	if a := w.ask("ann", "GET", "/api/tools/", nil); a.body != `["terminal","glob"]` {
		t.Errorf("tools: %s", a.body)
	}
}

func TestTheWorkspaceSessionIsOursAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, method := range []string{"POST", "DELETE"} {
		a := w.ask("ann", method, "/api/auth/workspace-session", nil)
		if a.status != 204 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %d %v, want 204 without a cookie", method, a.status, a.header)
		}
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %+v", got)
	}
}
