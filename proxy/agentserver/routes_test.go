package agentserver_test

import (
	"bufio"
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

// operations reads the list of what the upstream serves.
func operations(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open("testdata/operations-1.49.1.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		mark, rest, _ := strings.Cut(lines.Text(), " ")
		if mark == "#" || mark == "-" {
			continue
		}
		method, path, _ := strings.Cut(strings.TrimSpace(rest), " ")
		all[nameless(method, path)] = true
	}
	return all
}

func TestEveryOperationOfTheUpstreamHasARow(t *testing.T) {
	t.Parallel()
	have := rows()
	known := operations(t)
	if len(known) != 158 { // 155 published, less 4 that are ours, plus 7 hidden
		t.Errorf("the list has %d operations, want 158", len(known))
	}
	for operation := range known {
		if _, ok := have[operation]; !ok {
			t.Errorf("no row for %s", operation)
		}
	}
}

func TestEveryRowIsAnOperationOfTheUpstream(t *testing.T) {
	t.Parallel()
	known := operations(t)
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
		"POST /api/bash/execute_bash_command", "POST /api/bash/start_bash_command", "GET /api/bash/bash_events/search",
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
		"GET /api/conversations/search":                access.Viewer,
		"GET /api/conversations/count":                 access.Viewer,
		"GET /api/conversations":                       access.Viewer,
		"POST /api/conversations":                      access.Developer,
		"GET /api/conversations/{}":                    access.Viewer,
		"PATCH /api/conversations/{}":                  access.Developer,
		"DELETE /api/conversations/{}":                 access.Developer,
		"POST /api/conversations/{}/run":               access.Developer,
		"POST /api/conversations/{}/switch_llm":        access.Developer,
		"GET /api/conversations/{}/events/search":      access.Viewer,
		"POST /api/conversations/{}/events":            access.Developer,
		"WS /sockets/events/{}":                        access.Viewer,
		"GET /api/conversations/{}/workspace/{}":       access.Viewer,
		"POST /api/conversations/{}/file/upload":       access.Developer,
		"GET /api/file/download":                       access.Viewer,
		"POST /api/file/upload":                        access.Developer,
		"GET /api/settings":                            access.Viewer,
		"GET /server_info":                             access.Viewer,
		"POST /api/conversations/{}/ask_agent":         access.Developer,
		"GET /api/file/download-trajectory/{}":         access.Viewer,
		"POST /api/file/create_directory":              access.Developer,
		"POST /api/conversations/{}/security_analyzer": access.Developer,
	} {
		if got, ok := access.LeastRole(have[operation].Permission); !ok || got != least {
			t.Errorf("%s: least role %q, want %q", operation, got, least)
		}
	}
}
