package agentserver_test

import (
	"net/http"
	"net/url"
	"path"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

func TestAConversationWhoseFolderOpensOtherTeamsIsNotAdopted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	others := w.root("bob")
	for dir, adopted := range map[string]bool{
		"/":                                false,
		"/srv":                             false,
		"/srv/":                            false,
		workspaceRoot:                      false,
		workspaceRoot + "/teams":           false,
		workspaceRoot + "/x/../teams":      false,
		others:                             false,
		others + "/workspace/project/a":    false,
		workspaceRoot + "/teams/" + "lost": false,
		w.root("ann") + "/../x":            false,
		".":                                false,
		"":                                 false,
		"..":                               false,
		"../../teams/" + w.gate["bob"].CurrentTeam.String(): false,
		"../teams":     false,
		"a/../..":      false,
		"ws":           false,
		"srv/ws/teams": false,
		"teams/" + w.gate["bob"].CurrentTeam.String(): false,
		w.root("ann"):                true,
		w.root("ann") + "/p":         true,
		workspaceRoot + "/project/a": true,
		workspaceRoot + "/teamsters": true,
		"/home/somebody/workspace":   true,
		"workspace/project/a":        true,
	} {
		id := uuid.New()
		w.upstream.add(id, map[string]any{"workspace": map[string]any{"working_dir": dir}})
		n, err := w.dialect.Adopt(t.Context(), w.gate["ann"].CurrentTeam)
		if err != nil || (n == 1) != adopted || (w.state(id) == access.StateLive) != adopted {
			t.Errorf("%q: adopted %d (%v), want %v", dir, n, err, adopted)
		}
	}
}

// A row from before the rule, or made by hand, still opens nothing of others.
func TestAFolderAboveOtherTeamsOpensNothingOfTheirs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	w.exec(w.db, `UPDATE conversations SET working_dir = $2 WHERE id = $1`, id, "/srv")
	w.upstream.forget()
	own := conversationsPath + "/" + id.String()
	for place, want := range map[string]int{
		w.root("bob") + "/secret": 404, w.root("bob"): 404, workspaceRoot + "/teams/x": 404, workspaceRoot + "/teams": 404,
		workspaceRoot: 404, "/srv": 404, w.root("ann") + "/a": 200, "/srv/else": 200,
	} {
		at := "?path=" + url.QueryEscape(place)
		for _, call := range []struct{ method, path string }{
			{"GET", own + "/file/download"}, {"GET", own + "/file/archive"}, {"POST", own + "/file/upload"}, {"GET", own + "/git/changes"},
			{"GET", "/api/file/download"}, {"GET", "/api/file/archive"}, {"POST", "/api/file/upload"}, {"GET", "/api/git/diff"},
		} {
			if a := w.ask("ann", call.method, call.path+at, nil); a.status != want {
				t.Errorf("%s %s of %s: %d %s, want %d", call.method, call.path, place, a.status, a.body, want)
			}
		}
		if a := w.ask("ann", "GET", own+"/workspace/"+relative("/srv", place), nil); a.status != want {
			t.Errorf("workspace file %s: %d %s, want %d", place, a.status, a.body, want)
		}
		if a := w.ask("ann", "POST", "/api/hooks", map[string]any{"project_dir": place}); a.status != want {
			t.Errorf("hooks of %s: %d %s, want %d", place, a.status, a.body, want)
		}
	}
}

func relative(base, p string) string {
	if p == base {
		return ""
	}
	return path.Clean(p[len(base)+1:])
}

func TestAWorkspaceFileIsNoCodeOfOurPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	place := w.url + conversationsPath + "/" + w.create("ann", nil).String() + "/workspace/a.js"
	for destination, want := range map[string]int{
		"script": 403, "style": 403, "worker": 403, "sharedworker": 403, "serviceworker": 403, "manifest": 403, "audioworklet": 403,
		"image": 200, "font": 200, "iframe": 200, "document": 200, "empty": 200, "": 200, "video": 200,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, place, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer ann")
		if destination != "" {
			req.Header.Set("Sec-Fetch-Dest", destination)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("%q: %d, want %d", destination, res.StatusCode, want)
		}
	}
}
