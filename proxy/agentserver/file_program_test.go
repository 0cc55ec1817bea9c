package agentserver_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Whoever may upload files must not be able to give the server a program with them.
func TestProgramsOfAProjectCannotBeUploaded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}}).String()
	w.upstream.forget()
	refused := []string{
		"/.agents/plugins/x/.plugin/plugin.json", "/.openhands/plugins/x/hooks/hooks.json", "/.agents/agents/x.md", "/.openhands/agents/x.md",
		"/.openhands/hooks.json", "/.agents/hooks/x", "/sub/.agents/plugins", "/.AGENTS/Plugins/x",
	}
	taken := []string{"/.agents/skills/x/SKILL.md", "/.openhands/setup.sh", "/.agents", "/plugins/x", "/agents/.agents", "/.agents/x/plugins/y"}
	for _, call := range []string{"/api/file/upload", "/api/file/create_directory", conversationsPath + "/" + id + "/file/upload", conversationsPath + "/" + id + "/file/create_directory"} {
		for _, root := range []string{dir, w.root("ann") + "/elsewhere"} {
			for _, p := range refused {
				a := w.ask("ann", "POST", call+"?path="+url.QueryEscape(root+p), nil)
				if a.status != http.StatusForbidden || !strings.Contains(a.body, "Plugins, hooks and agents") {
					t.Errorf("%s to %s: %d %s, want 403", call, p, a.status, a.body)
				}
			}
		}
		if got := w.upstream.arrived("/"); len(got) != 0 {
			t.Errorf("%s: %d requests reached the upstream", call, len(got))
		}
		for _, p := range taken {
			if a := w.ask("ann", "POST", call+"?path="+url.QueryEscape(dir+p), nil); a.status != http.StatusOK {
				t.Errorf("%s to %s: %d %s, want 200", call, p, a.status, a.body)
			}
		}
		w.upstream.forget()
	}
	read := w.ask("ann", "GET", "/api/file/download?path="+url.QueryEscape(dir+"/.agents/agents/x.md"), nil)
	if read.status != http.StatusOK {
		t.Errorf("reading: %d %s", read.status, read.body)
	}
}
