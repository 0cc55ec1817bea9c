package settings_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestWhatIsTooLargeIsRefusedAndNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	s := newFurnished(t)
	s.ask("dev", "PUT", secrets, `{"name":"S","value":"v"}`).is(http.StatusOK)
	id := s.connect("dev", `{"display_name":"c","api_key":"k"}`)
	before := s.everything()
	large, long := strings.Repeat("x", 256<<10), strings.Repeat("x", 64<<10+1)
	many := map[string]any{}
	for i := range 201 {
		many[fmt.Sprint("H", i)] = "v"
	}
	llm := func(members map[string]any) map[string]any {
		members["model"] = "openai/m"
		return map[string]any{"llm": members}
	}
	patch := func(llm map[string]any) map[string]any {
		return map[string]any{"agent_settings_diff": map[string]any{"llm": llm}}
	}
	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
	}{
		"preferences":              {"PATCH", settingsPath, map[string]any{"misc_settings_diff": map[string]any{"app_preferences": map[string]any{"a": large}}}, 413},
		"settings":                 {"PATCH", settingsPath, patch(map[string]any{"model": "openai/" + large}), 413},
		"a profile":                {"POST", models + "/one", llm(map[string]any{"litellm_extra_body": map[string]any{"a": []any{1, 2, map[string]any{large: 3}}}}), 413},
		"an agent profile":         {"POST", agents + "/agent", map[string]any{"llm_profile_ref": "one", "system_message_suffix": large}, 413},
		"a secret's description":   {"PUT", secrets, map[string]any{"name": "S", "value": "w", "description": large}, 413},
		"a secret":                 {"PUT", secrets, map[string]any{"name": "S", "value": long}, 422},
		"a key":                    {"PATCH", settingsPath, patch(map[string]any{"api_key": long}), 422},
		"a key of a profile":       {"POST", models + "/one", llm(map[string]any{"api_key": long}), 422},
		"a key of a configuration": {"PUT", configurations + "/" + s.configuration("one"), map[string]any{"api_key": long}, 422},
		"a key of a connection":    {"PATCH", connections + "/" + id, map[string]any{"api_key": long}, 422},
		"201 headers":              {"PATCH", settingsPath, patch(map[string]any{"extra_headers": many}), 422},
		"201 headers of a profile": {"POST", models + "/one", llm(map[string]any{"extra_headers": many}), 422},
	} {
		a := s.ask("dev", c.method, c.path, c.body)
		if a.status != c.status {
			t.Errorf("%s: %d %.200s, want %d", name, a.status, a.text, c.status)
		}
		if strings.Contains(a.text, "xxxx") {
			t.Errorf("%s: what was sent comes back: %.200s", name, a.text)
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("before:\n%.3000s\nafter:\n%.3000s", before, after)
	}
}

func TestNamesThatDifferByCaseOnlyOrHoldWhatIsNoneAreRefused(t *testing.T) {
	t.Parallel()
	s := newFurnished(t)
	s.ask("dev", "PUT", secrets, `{"name":"NAME","value":"v"}`).is(http.StatusOK)
	s.ask("dev", "POST", settingsPath+"/mcp/a", `{"url":"https://10.1.0.1"}`).is(http.StatusCreated)
	before := s.everything()
	control, long := "a%0Ab", strings.Repeat("a", 65)
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"PUT", secrets, `{"name":"Name","value":"w"}`, 409},
		{"POST", models + "/ONE", `{"llm":{"model":"m"}}`, 409},
		{"POST", models + "/two/rename", `{"new_name":"One"}`, 409},
		{"POST", agents + "/Agent", `{"llm_profile_ref":"one"}`, 409},
		{"POST", agents + "/default/rename", `{"new_name":"AGENT"}`, 409},
		{"POST", configurations, `{"name":"One","model":"m"}`, 409},
		{"PUT", configurations + "/" + s.configuration("two"), `{"name":"ONE"}`, 409},

		{"PUT", secrets, `{"name":"A\n","value":"w"}`, 422},
		{"PUT", secrets, `{"name":"A\u0000","value":"w"}`, 422},
		{"GET", secrets + "/" + control, ``, 400}, // such a path is no path
		{"DELETE", secrets + "/A%00", ``, 400},
		{"POST", models + "/" + control, `{"llm":{"model":"m"}}`, 400},
		{"POST", models + "/one/rename", `{"new_name":"a\nb"}`, 422},
		{"POST", models + "/one/rename", `{"new_name":"` + long + `"}`, 422},
		{"POST", agents + "/" + control, `{"llm_profile_ref":"one"}`, 400},
		{"POST", agents + "/agent/rename", `{"new_name":"a\u001b"}`, 422},
		{"POST", configurations, `{"name":"a\nb","model":"m"}`, 422},
		{"PUT", configurations + "/" + s.configuration("one"), `{"name":"a\u0000"}`, 422},
		{"PATCH", settingsPath, `{"active_profile":"a\nb"}`, 422},
		{"PATCH", settingsPath, `{"active_agent_profile_id":"a\u0000"}`, 422},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		if a := s.ask("dev", c.method, c.path, body); a.status != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.method, c.path, c.body, a.status, a.text, c.status)
		}
	}
	if after := s.everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestNamesThatNobodyKnowsAreNotFound(t *testing.T) {
	t.Parallel()
	s := newFurnished(t)
	before, id := s.everything(), uuid.NewString()
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", secrets + "/NONE", ``, "Secret not found"},
		{"DELETE", secrets + "/NONE", ``, "Secret not found"},
		{"GET", models + "/none", ``, "Profile 'none' not found"},
		{"POST", models + "/none/rename", `{"new_name":"x"}`, "Profile 'none' not found"},
		{"POST", models + "/none/activate", ``, "Profile 'none' not found"},
		{"PATCH", settingsPath, `{"active_profile":"none"}`, "Profile 'none' not found"},
		{"GET", agents + "/none", ``, "Agent profile 'none' not found"},
		{"POST", agents + "/none/rename", `{"new_name":"x"}`, "Agent profile 'none' not found"},
		{"POST", agents + "/none/materialize", ``, "Agent profile 'none' not found"},
		{"POST", agents + "/" + id + "/activate", ``, "Agent profile with id '" + id + "' not found"},
		{"PATCH", connections + "/none", `{"display_name":"x"}`, "Provider connection 'none' not found"},
		{"DELETE", connections + "/none", ``, "Provider connection 'none' not found"},
		{"PATCH", settingsPath + "/mcp/none", `{"enabled":false}`, "MCP server 'none' was not found"},
		{"DELETE", settingsPath + "/mcp/none", ``, "MCP server 'none' was not found"},
		{"GET", configurations + "/" + id, ``, "LLM configuration not found"},
		{"PUT", configurations + "/none", `{"model":"m"}`, "LLM configuration not found"},
		{"DELETE", configurations + "/" + id, ``, "LLM configuration not found"},
		{"DELETE", "/api/workspaces?path=/none", ``, "Workspace not found"},
	} {
		var body any
		if c.body != "" {
			body = c.body
		}
		s.ask("dev", c.method, c.path, body).says(http.StatusNotFound, c.want)
	}
	if after := s.everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestARefusedChangeOfTheTeamsProfileLeavesOnesOwnPointer(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "POST", models+"/house", `{"llm":{"model":"openai/m","api_key":"k"}}`).is(http.StatusCreated)
	s.ask("dev", "POST", models+"/house/activate", nil).is(http.StatusOK)
	before := s.everything()
	// What is one's own stays as it was where the change of the team's is refused.
	s.ask("dev", "DELETE", models+"/house", nil).is(http.StatusForbidden)
	s.ask("dev", "POST", models+"/house/rename", `{"new_name":"mine"}`).is(http.StatusForbidden)
	if after := s.everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	if n := s.kept(vault.KindProfile); n != 1 {
		t.Errorf("%d profiles are kept", n)
	}
}
