package agentserver_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// nameless makes two spellings of one template equal: the names of parameters do not matter.
func nameless(method, path string) string {
	return method + " " + parameter.ReplaceAllString(path, "{}")
}

func rows() map[string]proxy.Operation {
	all := map[string]proxy.Operation{}
	for _, o := range agentserver.Routes() {
		method := o.Method
		if o.WebSocket {
			method = "WS"
		}
		all[nameless(method, o.Path)] = o
	}
	return all
}

// operations reads the list of what the upstream serves, which `make upstream-operations` writes.
func operations(t *testing.T) map[string]bool {
	t.Helper()
	raw, err := os.ReadFile("testdata/operations-" + agentserver.TestedVersion + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		method, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		if method != "#" {
			all[nameless(method, path)] = true
		}
	}
	return all
}

// beside are the operations that need no row, because they never reach the upstream.
func beside() map[string]bool {
	all := map[string]bool{}
	for _, o := range agentserver.Beside() {
		all[nameless(o.Method, o.Path)] = true
	}
	return all
}

func TestEveryOperationOfTheUpstreamHasARow(t *testing.T) {
	t.Parallel()
	have, answered, known := rows(), beside(), operations(t)
	if len(known) != 166 { // 155 published and 11 hidden
		t.Errorf("the list has %d operations, want 166", len(known))
	}
	for operation := range known {
		if _, ok := have[operation]; !ok && !answered[operation] {
			t.Errorf("no row for %s", operation)
		}
		if _, ok := have[operation]; ok && answered[operation] {
			t.Errorf("%s is in the table and beside it", operation)
		}
	}
}

// Hidden operations and WebSockets are in no OpenAPI document, so nothing but this would miss them.
func TestTheListHoldsWhatTheUpstreamDoesNotPublish(t *testing.T) {
	t.Parallel()
	known := operations(t)
	hidden := agentserver.Hidden()
	if len(hidden) != 11 {
		t.Errorf("%d hidden operations, want 11: %v", len(hidden), hidden)
	}
	for _, operation := range append(hidden, "WS /sockets/events/{}", "WS /sockets/session/{}", "WS /sockets/bash-events",
		"PUT /api/conversations/{}/credential-bindings/{}", "POST /api/conversations/{}/runtime/credentials") {
		method, path, _ := strings.Cut(operation, " ")
		if !known[nameless(method, path)] {
			t.Errorf("%s is missing from the list: run make upstream-operations", operation)
		}
	}
}

func TestEveryRowIsAnOperationOfTheUpstream(t *testing.T) {
	t.Parallel()
	known := operations(t)
	known["GET /api/automation/v1"] = true // another program's, which the UI asks for unasked
	for operation := range rows() {
		if !known[operation] {
			t.Errorf("a row that no operation stands behind: %s", operation)
		}
	}
}

func TestNoOperationHasTwoRows(t *testing.T) {
	t.Parallel()
	if got, want := len(agentserver.Routes()), len(rows()); got != want {
		t.Errorf("%d rows for %d operations", got, want)
	}
}

func TestEveryRowSaysWhy(t *testing.T) {
	t.Parallel()
	for name, o := range rows() {
		if o.Reason == "" || strings.Contains(o.Reason, "\n") {
			t.Errorf("%s: the reason is %q, want one line", name, o.Reason)
		}
	}
}

func TestOnlyDeniedRowsAreNobodys(t *testing.T) {
	t.Parallel()
	for name, o := range rows() {
		if (o.Treatment == proxy.Deny) != (o.Permission == access.Nobody) {
			t.Errorf("%s: treatment %s with permission %s", name, o.Treatment, o.Permission)
		}
	}
}

// The operations that run commands, hand out keys or act on all teams. They may be served one day, but not by accident.
func TestDangerousOperationsAreDenied(t *testing.T) {
	t.Parallel()
	have := rows()
	for _, operation := range []string{
		"GET /api/bash/bash_events/{}", "GET /api/bash/bash_events/", "DELETE /api/bash/bash_events", "WS /sockets/bash-events",
		"GET /api/vscode/url", "GET /api/conversations/{}/vscode/url", "POST /api/conversations/{}/load_plugin",
		"POST /api/conversations/{}/runtime/credentials", "POST /api/conversations/prepare-for-sandbox-pause",
		"PUT /api/conversations/{}/credential-bindings/{}", "POST /api/skills/sync", "POST /api/skills/install",
		"POST /api/plugins/install", "POST /api/mcp/test", "POST /api/mcp/oauth/start", "GET /api/mcp/oauth/status/{}",
		"POST /api/llm/subscription/openai/device/start", "POST /api/init", "GET /api/init", "POST /v1/chat/completions",
		"POST /v1/responses", "GET /v1/models", "POST /api/canvas-extensions/install",
	} {
		if got := have[operation].Treatment; got != proxy.Deny {
			t.Errorf("%s: treatment %q, want DENY", operation, got)
		}
	}
}

// What each role may do, by hand: a change of the table's permissions must be meant.
func TestRolesReachWhatTheContractSays(t *testing.T) {
	t.Parallel()
	have := rows()
	for operation, least := range map[string]access.Role{
		"GET /api/conversations/search":                        access.Viewer,
		"GET /api/conversations/count":                         access.Viewer,
		"GET /api/bash/bash_events/search":                     access.Viewer, // of one command whose id was answered; nothing else
		"GET /api/conversations":                               access.Viewer,
		"POST /api/conversations":                              access.Developer,
		"GET /api/conversations/{}":                            access.Viewer,
		"PATCH /api/conversations/{}":                          access.Developer,
		"DELETE /api/conversations/{}":                         access.Developer,
		"POST /api/conversations/{}/run":                       access.Developer,
		"POST /api/conversations/{}/switch_llm":                access.Developer,
		"GET /api/conversations/{}/events/search":              access.Viewer,
		"POST /api/conversations/{}/events":                    access.Developer,
		"WS /sockets/events/{}":                                access.Viewer,
		"GET /api/conversations/{}/workspace/{}":               access.Viewer,
		"POST /api/conversations/{}/file/upload":               access.Developer,
		"GET /api/file/download":                               access.Viewer,
		"POST /api/file/upload":                                access.Developer,
		"GET /api/settings":                                    access.Viewer,
		"GET /server_info":                                     access.Viewer,
		"POST /api/conversations/{}/ask_agent":                 access.Developer,
		"POST /api/conversations/{}/fork":                      access.Developer,
		"POST /api/conversations/{}/goal":                      access.Developer,
		"GET /api/file/search_subdirs":                         access.Viewer,
		"GET /api/conversations/{}/bash/bash_events/search":    access.Viewer,
		"DELETE /api/conversations/{}/bash/bash_events":        access.Developer,
		"POST /api/conversations/{}/bash/execute_bash_command": access.Developer,
		"POST /api/conversations/{}/bash/start_bash_command":   access.Developer,
		"POST /api/bash/execute_bash_command":                  access.Viewer,
		"POST /api/bash/start_bash_command":                    access.Developer,
		"GET /api/file/download-trajectory/{}":                 access.Viewer,
		"POST /api/file/create_directory":                      access.Developer,
		"POST /api/conversations/{}/security_analyzer":         access.Developer,
	} {
		if got, ok := access.LeastRole(have[operation].Permission); !ok || got != least {
			t.Errorf("%s: least role %q, want %q", operation, got, least)
		}
	}
}
