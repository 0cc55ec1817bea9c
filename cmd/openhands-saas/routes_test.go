package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

var update = flag.Bool("update", false, "write the generated files anew")

const tableDoc = "../../docs/upstream-routes.md"

func TestTheTableInTheDocumentationIsCurrent(t *testing.T) {
	t.Parallel()
	if *update {
		if err := os.WriteFile(tableDoc, []byte(markdown()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(tableDoc)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(kept), markdown()); diff != "" {
		t.Errorf("docs/upstream-routes.md is not that of the table: run make routes-doc (or go test ./cmd/... -update)\n%s", diff)
	}
}

func TestTheTableAsJSONHasExactlyTheseMembers(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeJSON(&out, routes()); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		t.Fatal(err)
	}
	if got, want := len(rows), len(agentserver.Routes())+len(agentserver.Own())+len(agentserver.Beside()); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
	find := func(method, path string) map[string]any {
		for _, row := range rows {
			if row["method"] == method && row["path"] == path {
				delete(row, "reason")
				return row
			}
		}
		return nil
	}
	for _, want := range []map[string]any{
		{"method": "POST", "path": "/api/conversations", "permission": "conversation:create", "role": "developer", "treatment": "CREATE"},
		{"method": "GET", "path": "/api/conversations/{conversation_id}/workspace/{file_path...}", "permission": "file:read", "role": "viewer", "treatment": "OWN"},
		{"method": "WS", "path": "/sockets/events/{conversation_id}", "permission": "conversation:read", "role": "viewer", "treatment": "OWN"},
		{"method": "WS", "path": "/sockets/bash-events", "permission": "nobody", "role": nil, "treatment": "DENY"},
		{"method": "POST", "path": "/api/conversations/prepare-for-sandbox-pause", "permission": "nobody", "role": nil, "treatment": "DENY"},
		{"method": "*", "path": "/api/automation/{path...}", "permission": "nobody", "role": nil, "treatment": "DENY"},
		{"method": "PUT", "path": "/api/llm-configurations/{configuration_id}", "permission": "settings:write", "role": "developer", "treatment": "VIRTUAL"},
		{"method": "GET", "path": "/{path...}", "permission": "everybody", "role": nil, "treatment": "VIRTUAL"},
	} {
		if diff := cmp.Diff(want, find(want["method"].(string), want["path"].(string))); diff != "" {
			t.Error(diff)
		}
	}
}

func TestEveryTreatmentIsExplained(t *testing.T) {
	t.Parallel()
	page := markdown()
	for _, r := range routes() {
		if !strings.Contains(page, "- **"+r.Treatment+"**: ") {
			t.Errorf("%s %s: nothing explains %s", r.Method, r.Path, r.Treatment)
		}
	}
}
