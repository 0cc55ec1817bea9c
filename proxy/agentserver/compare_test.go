package agentserver_test

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// openapi is the document of the tested upstream, with more lines of "METHOD /path" and without some.
func openapi(t *testing.T, more []string, without ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile("testdata/operations-" + agentserver.TestedVersion + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]map[string]any{}
	for _, line := range append(strings.Split(strings.TrimSpace(string(raw)), "\n"), more...) {
		method, path, _ := strings.Cut(line, " ")
		if method == "#" || slices.Contains(agentserver.Hidden(), line) || slices.Contains(without, line) {
			continue
		}
		if paths[path] == nil {
			paths[path] = map[string]any{"summary": "no operation", "parameters": []any{}}
		}
		paths[path][strings.ToLower(method)] = map[string]any{}
	}
	document, err := json.Marshal(map[string]any{"openapi": "3.1.0", "paths": paths})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func TestTheTestedUpstreamIsExactlyTheTable(t *testing.T) {
	t.Parallel()
	unknown, missing, err := agentserver.Compare(openapi(t, nil))
	if err != nil || len(unknown) > 0 || len(missing) > 0 {
		t.Errorf("unknown %v, missing %v, %v", unknown, missing, err)
	}
}

func TestAnotherUpstreamIsToldApart(t *testing.T) {
	t.Parallel()
	more := []string{"POST /api/settings", "GET /api/brand-new/{a}/{b}", "GET /api/conversations/{another_name}/events/{x}"}
	unknown, missing, err := agentserver.Compare(openapi(t, more, "GET /api/settings", "POST /api/conversations/{conversation_id}/fork"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"GET /api/brand-new/{a}/{b}", "POST /api/settings"}, unknown); diff != "" {
		t.Error("unknown:", diff)
	}
	if diff := cmp.Diff([]string{"GET /api/settings", "POST /api/conversations/{conversation_id}/fork"}, missing); diff != "" {
		t.Error("missing:", diff)
	}
}

// With containers the upstream publishes hidden operations, and one pattern for all that a conversation's own server has.
func TestTheContainerModeHoldsNothingUnknown(t *testing.T) {
	t.Parallel()
	more := []string{"POST /api/conversations/{conversation_id}/runtime/credentials", "DELETE /api/conversations/{conversation_id}/runtime",
		"PUT /api/conversations/{conversation_id}", "PUT /api/conversations/{conversation_id}/{tail}", "HEAD /api/conversations/{conversation_id}/{tail}"}
	unknown, _, err := agentserver.Compare(openapi(t, more))
	if err != nil || len(unknown) > 0 {
		t.Errorf("unknown %v, %v", unknown, err)
	}
}

func TestWhatIsNoOpenAPIDocumentIsAnError(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"", "<html>", "{}", `{"paths": []}`, `{"paths": {}}`} {
		if _, _, err := agentserver.Compare([]byte(body)); err == nil || !strings.Contains(err.Error(), "/openapi.json") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func TestVersionsAreJudgedByNumber(t *testing.T) {
	t.Parallel()
	type judged struct{ tested, tooOld, tooNew bool }
	for version, want := range map[string]judged{
		"1.49.1":      {tested: true},
		"1.28":        {},
		"1.28.0":      {},
		"1.49.0":      {},
		"1.49.1.post": {},
		"1.27.9":      {tooOld: true},
		"1.9.0":       {tooOld: true},
		"0.62":        {tooOld: true},
		"1.49.2":      {tooNew: true},
		"1.50.0rc1":   {tooNew: true},
		"1.100.0":     {tooNew: true},
		"2.0":         {tooNew: true},
		"unknown":     {},
	} {
		r, err := agentserver.Examine([]byte(`{"version": "`+version+`"}`), openapi(t, nil))
		if got := (judged{r.Tested, r.TooOld, r.TooNew}); err != nil || got != want {
			t.Errorf("%s: %+v, want %+v (%v)", version, got, want, err)
		}
		if remarks := r.Remarks(); (len(remarks) == 0) != want.tested || len(remarks) == 1 && !strings.Contains(remarks[0], version+" ") {
			t.Errorf("%s: %q", version, remarks)
		}
	}
	if _, err := agentserver.Examine([]byte(`{"detail": "Not Found"}`), openapi(t, nil)); err == nil {
		t.Error("something else was taken for an agent-server")
	}
}

func TestWhatDiffersIsRemarkedOnBeforeAnybodyAsks(t *testing.T) {
	t.Parallel()
	local := []byte(`{"version": "1.49.1", "conversation_runtime": "local"}`)
	r, err := agentserver.Examine(local, openapi(t, []string{"GET /api/new"}, "GET /api/settings"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"The upstream has operations that no row of the table names; they are denied: GET /api/new.",
		"The upstream lacks operations that the table names; who asks for them gets its 404: GET /api/settings.",
	}
	if diff := cmp.Diff(want, r.Remarks()); diff != "" {
		t.Error(diff)
	}
	r.Runtime = "docker"
	if diff := cmp.Diff(want[:1], r.Remarks()); diff != "" {
		t.Error("with containers:", diff)
	}
}

func TestTheRunningUpstreamIsAskedWhatItServes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		switch r.URL.Path {
		case "/server_info":
			_, _ = rw.Write([]byte(`{"version": "1.60.0", "conversation_runtime": "local"}`))
		case "/openapi.json":
			_, _ = rw.Write(openapi(t, []string{"GET /api/new"}))
		}
		return strings.HasPrefix(r.URL.Path, "/server_info") || r.URL.Path == "/openapi.json"
	})
	got, err := w.dialect.Inspect(t.Context())
	want := agentserver.Report{Version: "1.60.0", Runtime: "local", TooNew: true, Unknown: []string{"GET /api/new"}}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		t.Error(err, diff)
	}
	w.upstream.server.Close()
	if _, err := w.dialect.Inspect(t.Context()); err == nil || !strings.Contains(err.Error(), "ask the upstream for its version") {
		t.Errorf("an upstream that is away: %v", err)
	}
}
