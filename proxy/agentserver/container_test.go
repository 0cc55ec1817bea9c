package agentserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// newContainers is a world whose upstream runs each conversation in a container.
func newContainers(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.upstream.mu.Lock()
	defer w.upstream.mu.Unlock()
	w.upstream.runtime = "docker"
	return w
}

// askFrom is ask from a page of the UI.
func (w *world) askFrom(page, who, method, path, body string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("Referer", w.url+page)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	return answer{status: res.StatusCode, header: res.Header}
}

func TestAConversationInAContainerGetsAFolderThatIsThere(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	for _, given := range []string{"", "/workspace", "/workspace/project"} {
		w.upstream.forget()
		id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": given}})
		dir := w.root("ann") + "/workspace/project/" + strings.ReplaceAll(id.String(), "-", "")
		made := w.upstream.arrived("/api/file/create_directory")
		if len(made) != 1 || made[0].query != "path="+url.QueryEscape(dir) {
			t.Errorf("%q: made %+v, want %s", given, made, dir)
		}
		row, err := w.conversations.Get(t.Context(), id)
		if err != nil || row.WorkingDir != dir || row.State != access.StateLive {
			t.Errorf("%q: %+v (%v)", given, row, err)
		}
	}
}

// A server of its own has a browser of its own, but no tools that run inside of it.
func TestAConversationInAContainerHasABrowser(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	tools := func(name string) map[string]any {
		return startBody(map[string]any{"agent_settings": map[string]any{"tools": []any{map[string]any{"name": name}}}})
	}
	if a := w.ask("ann", "POST", conversationsPath, tools("browser_tool_set")); a.status != http.StatusCreated || !strings.Contains(w.posts()[0].body, `"browser_tool_set"`) {
		t.Errorf("%d %s, forwarded %+v", a.status, a.body, w.posts())
	}
	if a := w.ask("ann", "POST", conversationsPath, tools("workflow")); a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestContainersCannotForkNorSwitch(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	id := w.create("ann", nil).String()
	w.upstream.forget()
	for _, call := range []string{"/fork", "/switch_llm"} {
		if a := w.ask("ann", "POST", conversationsPath+"/"+id+call, map[string]any{}); a.status != http.StatusNotImplemented || len(w.upstream.arrived("/")) != 0 {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
	}
	if a := w.ask("ann", "DELETE", conversationsPath+"/"+id+"/runtime", nil); len(w.upstream.arrived(conversationsPath+"/"+id+"/runtime")) != 1 {
		t.Errorf("stop: %d %s", a.status, a.body)
	}
}

func TestInContainersAFlatCallIsThatOfItsPage(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	id, theirs := w.create("ann", nil).String(), w.create("bob", nil).String()
	page := "/conversations/" + id
	command := func(cwd string) string { return `{"command":"id","cwd":"` + cwd + `"}` }
	for _, c := range []struct {
		page, who, method, path, body string
		status                        int
	}{
		{page, "ann", "GET", "/api/file/download?path=/workspace/a", "", 200},
		{page + "/x?y", "ann", "GET", "/api/git/changes?path=/workspace", "", 200},
		{page, "ann", "POST", "/api/file/upload?path=/workspace/a", "", 200},
		{page, "ann", "POST", "/api/bash/execute_bash_command", command("/workspace"), 200},
		{page, "vic", "GET", "/api/file/download?path=/workspace/a", "", 200},
		{page, "vic", "POST", "/api/file/upload?path=/workspace/a", "", 403},
		{page, "vic", "POST", "/api/bash/execute_bash_command", command("/workspace"), 403},
		{page, "bob", "GET", "/api/file/download?path=/workspace/a", "", 404},
		{"/conversations/" + theirs, "ann", "GET", "/api/file/download?path=/workspace/a", "", 404},
		{"/conversations/" + uuid.NewString(), "ann", "GET", "/api/file/download?path=/workspace/a", "", 404},
		{"/conversations", "ann", "GET", "/api/file/download?path=/workspace/a", "", 404},
		{page, "ann", "GET", "/api/file/download?path=/workspaces/a", "", 404},
		{page, "ann", "GET", "/api/file/download?path=/etc/passwd", "", 404},
		{page, "ann", "POST", "/api/file/create_directory?path=" + w.root("ann") + "/new", "", 404},
		{page, "ann", "GET", "/api/file/search_subdirs?path=" + w.root("ann"), "", 404},
		{page, "ann", "POST", "/api/bash/execute_bash_command", command("/"), 404},
	} {
		w.upstream.forget()
		a := w.askFrom(c.page, c.who, c.method, c.path, c.body)
		sent := w.upstream.arrived("/")
		if a.status != c.status || (c.status == 200) != (len(sent) == 1) {
			t.Errorf("%+v: %d, forwarded %+v", c, a.status, sent)
			continue
		}
		if len(sent) == 1 && !strings.HasPrefix(sent[0].path, conversationsPath+"/"+id+"/") {
			t.Errorf("%+v: forwarded %s", c, sent[0].path)
		}
	}
}

func TestConversationsInContainersAreAdoptedWithoutAFolder(t *testing.T) {
	t.Parallel()
	w := newContainers(t)
	id := uuid.New()
	w.upstream.add(id, map[string]any{"workspace": map[string]any{"working_dir": "/workspace"}})
	if n, err := w.dialect.Adopt(t.Context(), w.gate["ann"].CurrentTeam); n != 1 || err != nil {
		t.Fatalf("adopted %d (%v)", n, err)
	}
	if row, err := w.conversations.Get(t.Context(), id); err != nil || row.WorkingDir != "" {
		t.Errorf("%+v (%v)", row, err)
	}
}
