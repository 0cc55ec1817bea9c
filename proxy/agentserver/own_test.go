package agentserver_test

import (
	"bufio"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

func TestTheRowsThatNoUpstreamHasAreThoseThatWereMeant(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/operations-own.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var want, got []string
	for scanner := bufio.NewScanner(file); scanner.Scan(); {
		if line := scanner.Text(); !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	upstream, published := operations(t), rows()
	for _, o := range agentserver.Own() {
		got = append(got, o.Method+" "+o.Path)
		name := nameless(o.Method, o.Path)
		if _, inTable := published[name]; inTable || upstream[name] {
			t.Errorf("%s is the upstream's, too", name)
		}
		if o.Treatment != proxy.Virtual || o.Reason == "" {
			t.Errorf("%s: %s, %q", name, o.Treatment, o.Reason)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNamedConfigurationsAreServedInBothFormsWithoutTheUpstream(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withoutModel)
	made := w.ask("ann", "POST", "/api/llm-configurations/", map[string]any{"name": "fast", "provider": "openai", "model": "gpt-5", "api_key": "sk-of-ann"})
	if made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}
	id, _ := made.object(t)["id"].(string)
	for _, path := range []string{"/api/llm-configurations", "/api/llm-configurations/", "/api/llm-configurations/" + id, "/api/llm-configurations/" + id + "/"} {
		if a := w.ask("ann", "GET", path, nil); a.status != http.StatusOK || !strings.Contains(a.body, `"openai/gpt-5"`) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	if a := w.ask("ann", "PUT", "/api/llm-configurations/"+id+"/set-default", nil); a.status != http.StatusOK || a.object(t)["is_default"] != true {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.ask("ann", "DELETE", "/api/llm-configurations/"+id, nil); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.ask("vic", "POST", "/api/llm-configurations", map[string]any{"name": "x", "model": "y"}); a.status != http.StatusForbidden {
		t.Errorf("a Viewer: %d %s", a.status, a.body)
	}
	if seen := w.upstream.arrived("/api/llm-configurations"); len(seen) > 0 {
		t.Errorf("the upstream was asked: %v", seen)
	}
}
