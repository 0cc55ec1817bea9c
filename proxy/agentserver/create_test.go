package agentserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

const conversationsPath = "/api/conversations"

// posts are the creations that reached the upstream.
func (w *world) posts() []request {
	var found []request
	for _, r := range w.upstream.arrived(conversationsPath) {
		if r.path == conversationsPath && r.method == "POST" {
			found = append(found, r)
		}
	}
	return found
}

func (w *world) state(id uuid.UUID) access.State {
	w.t.Helper()
	o, err := w.conversations.Find(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return o.State
}

// canvasBody is what the Canvas UI sends when a user types a first message, with every member that it ever sends.
func canvasBody(id, workingDir string) map[string]any {
	tools, err := os.ReadFile("canvas_tools.json")
	if err != nil {
		panic(err)
	}
	return map[string]any{
		"conversation_id": id,
		"workspace":       map[string]any{"kind": "LocalWorkspace", "working_dir": workingDir},
		"worktree":        true,
		"agent_settings": map[string]any{
			"schema_version": 6, "agent_kind": "openhands", "agent": "CodeActAgent",
			"llm": map[string]any{
				"model": "openai/house", "base_url": "http://203.0.113.7/v1", "stream": true, "usage_id": "agent",
				"log_completions": false, "log_completions_folder": "logs/completions", "litellm_extra_body": map[string]any{},
				"extra_headers": nil, "temperature": nil, "timeout": 300, "seed": json.Number("900719925474099312"), "is_subscription": false,
			},
			"tools":                  []any{map[string]any{"name": "terminal", "params": map[string]any{}}, map[string]any{"name": "browser_tool_set", "params": map[string]any{}}},
			"enable_switch_llm_tool": true, "enable_sub_agents": true, "tool_concurrency_limit": 1,
			"agent_context": map[string]any{
				"skills": []any{map[string]any{
					"name": "git", "content": "use git", "source": "/home/runner/SKILL.md", "is_agentskills_format": true,
					"trigger": map[string]any{"type": "keyword", "keywords": []any{"git"}},
				}},
				"load_public_skills": false, "load_user_skills": true, "load_project_skills": true, "disabled_skills": []any{},
				"marketplace_path": "marketplaces/default.json", "registered_marketplaces": []any{}, "secrets": nil, "load_memory": true,
			},
			"condenser":    map[string]any{"enabled": true, "max_size": 240, "condenser_kind": "llm_summarizing"},
			"verification": map[string]any{"critic_enabled": false, "critic_mode": "finish_and_message", "critic_server_url": nil},
		},
		"secrets_encrypted": true,
		"secrets": map[string]any{
			"SAVED": map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/SAVED", "headers": map[string]any{"X-Session-API-Key": "cookie"}},
			"GIVEN": map[string]any{"kind": "StaticSecret", "value": "v"},
		},
		"client_tools":          json.RawMessage(tools),
		"tool_module_qualnames": map[string]any{"x": "os"},
		"agent_definitions":     []any{map[string]any{"name": "x"}},
		"hook_config":           map[string]any{"stop": []any{map[string]any{"hooks": []any{map[string]any{"command": "id"}}}}},
		"plugins":               []any{},
		"initial_message":       map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "hi"}}, "run": true},
		"confirmation_policy":   map[string]any{"kind": "NeverConfirm"},
		"max_iterations":        500, "stuck_detection": true, "autotitle": true,
		"title_llm_profile": "cheap", "tags": map[string]any{"clientsource": "agentcanvas"}, "user_id": "telemetry",
		"observability_metadata": map[string]any{"a": "b"}, "unknown": "field",
	}
}

func TestCreateForwardsWhatTheCanvasSendsMadeHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.NewString()
	dir := w.root("ann") + "/workspace/project/0123"
	a := w.ask("ann", "POST", conversationsPath, canvasBody(strings.ToUpper(strings.ReplaceAll(id, "-", "")), dir))
	if a.status != http.StatusCreated {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	posts := w.posts()
	if len(posts) != 1 {
		t.Fatalf("%d creations forwarded, want 1", len(posts))
	}
	tools, _ := os.ReadFile("canvas_tools.json")
	want := map[string]any{
		"conversation_id": id,
		"workspace":       map[string]any{"kind": "LocalWorkspace", "working_dir": dir},
		"worktree":        false, "secrets_encrypted": false,
		"user_id": w.gate["ann"].User.String(),
		"agent_settings": map[string]any{
			"schema_version": 6.0, "agent_kind": "openhands", "agent": "CodeActAgent",
			"llm": map[string]any{
				"model": "openai/house", "base_url": "http://203.0.113.7/v1", "api_key": operatorKey, "stream": true, "usage_id": "default",
				"temperature": nil, "timeout": 300.0, "seed": 900719925474099312.0,
			},
			"tools":                  []any{map[string]any{"name": "terminal", "params": map[string]any{}}},
			"enable_switch_llm_tool": false, "enable_sub_agents": false, "tool_concurrency_limit": 1.0,
			"agent_context": map[string]any{
				"skills": []any{map[string]any{
					"name": "git", "content": "use git", "is_agentskills_format": true,
					"trigger": map[string]any{"type": "keyword", "keywords": []any{"git"}},
				}},
				"load_public_skills": false, "load_user_skills": false, "load_project_skills": true, "disabled_skills": []any{}, "load_memory": false,
			},
			"condenser":    map[string]any{"enabled": true, "max_size": 240.0, "condenser_kind": "llm_summarizing"},
			"verification": map[string]any{},
		},
		"secrets":             map[string]any{"GIVEN": map[string]any{"kind": "StaticSecret", "value": "v"}},
		"client_tools":        parsed[[]any](t, string(tools)),
		"initial_message":     map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": "hi"}}, "run": true},
		"confirmation_policy": map[string]any{"kind": "NeverConfirm"},
		"max_iterations":      500.0, "stuck_detection": true, "autotitle": true,
		"tags": map[string]any{"clientsource": "agentcanvas"},
	}
	if diff := cmp.Diff(want, parsed[map[string]any](t, posts[0].body)); diff != "" {
		t.Errorf("forwarded body (-want +got):\n%s", diff)
	}
	if !strings.Contains(posts[0].body, `"seed":900719925474099312`) {
		t.Error("a big integer lost digits")
	}
	if got := w.state(uuid.MustParse(id)); got != access.StateLive {
		t.Errorf("state %d, want live", got)
	}
}

// planner is the body of the Canvas planner and of the Python SDK: a whole agent.
func planner(dir string) map[string]any {
	llm := map[string]any{"model": "openai/mine", "api_key": "sk-mine", "usage_id": "planning"}
	return map[string]any{
		"kind": "Agent", "llm": llm,
		"tools":                  []any{map[string]any{"name": "glob", "params": map[string]any{}}, map[string]any{"name": "planning_file_editor", "params": map[string]any{"plan_path": dir + "/.agents_tmp/PLAN.md"}}},
		"system_prompt_filename": "system_prompt_planning.j2", "system_prompt_kwargs": map[string]any{"plan_structure": []any{"1. OBJECTIVE"}},
		"filter_tools_regex":    "(a+)+$",
		"include_default_tools": []any{"FinishTool", "SwitchLLMTool"}, "mcp_config": map[string]any{}, "critic": nil,
		"agent_context": map[string]any{"load_user_skills": true},
		"condenser":     map[string]any{"kind": "LLMSummarizingCondenser", "llm": llm, "max_size": 100, "keep_first": 6},
	}
}

func TestCreateTakesAWholeAgent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.root("ann") + "/p"
	body := map[string]any{"workspace": map[string]any{"working_dir": dir}, "agent": planner(dir)}
	if a := w.ask("ann", "POST", conversationsPath, body); a.status != http.StatusCreated {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	want := planner(dir)
	want["include_default_tools"] = []any{"FinishTool"}
	want["llm"] = map[string]any{"model": "openai/mine", "api_key": "sk-mine", "usage_id": "default"}
	want["condenser"] = map[string]any{"kind": "LLMSummarizingCondenser", "max_size": 100.0, "keep_first": 6.0, "llm": map[string]any{"model": "openai/mine", "api_key": "sk-mine", "usage_id": "condenser"}}
	want["agent_context"] = map[string]any{"load_user_skills": false, "load_memory": false}
	delete(want, "filter_tools_regex")
	delete(want, "critic")
	if diff := cmp.Diff(any(want), parsed[map[string]any](t, w.posts()[0].body)["agent"]); diff != "" {
		t.Errorf("forwarded agent (-want +got):\n%s", diff)
	}
}

func TestCreateOfAlmostNothingIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", map[string]any{"agent_settings": map[string]any{"agent_context": map[string]any{}}})
	want := map[string]any{
		"conversation_id": id.String(), "user_id": w.gate["ann"].User.String(), "worktree": false, "secrets_encrypted": false,
		"workspace": map[string]any{"kind": "LocalWorkspace", "working_dir": w.root("ann") + "/workspace/project/" + strings.ReplaceAll(id.String(), "-", "")},
		"agent_settings": map[string]any{
			"enable_switch_llm_tool": false, "enable_sub_agents": false,
			"agent_context": map[string]any{"load_user_skills": false, "load_memory": false},
			"llm":           map[string]any{"model": "openai/house", "base_url": "http://203.0.113.7/v1", "api_key": operatorKey, "usage_id": "default"},
		},
	}
	if diff := cmp.Diff(want, parsed[map[string]any](t, w.posts()[0].body)); diff != "" {
		t.Errorf("forwarded body (-want +got):\n%s", diff)
	}
}

func TestCreateWithoutAFolderGetsOneOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, given := range []any{"", "workspace/project", "~/x", "../../etc", nil} {
		w := newWorld(t)
		id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": given}})
		want := w.root("ann") + "/workspace/project/" + strings.ReplaceAll(id.String(), "-", "")
		got := parsed[map[string]map[string]any](t, firstMembers(t, w.posts()[0].body, "workspace"))["workspace"]["working_dir"]
		if got != want {
			t.Errorf("working_dir %v became %v, want %s", given, got, want)
		}
	}
}

// firstMembers keeps some members of an object.
func firstMembers(t *testing.T, body string, names ...string) string {
	t.Helper()
	all, kept := parsed[map[string]any](t, body), map[string]any{}
	for _, name := range names {
		kept[name] = all[name]
	}
	raw, _ := json.Marshal(kept)
	return string(raw)
}

// What the upstream reads, with its own reader, is what was judged.
func TestACreationIsReadAsTheUpstreamReadsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.ask("ann", "POST", conversationsPath, `{"agent":{"kind":"Agent","system_prompt_kwargs":{"big":900719925474099312345,"small":1.10,
		"e":1e400,"a":{"Unknown":[null,true,"\u00e9\u0000"]},"a2":1,"A2":2}},"workspace":{"working_dir":"/etc","Working_Dir":"/etc"},
		"workspace":{"working_dir":""},"max_iterations":1,"max_iterations":7,"Max_Iterations":9,"Plugins":["x"],"TAGS":{"a":"b"}}`)
	if a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := w.posts()[0].body
	want := `"system_prompt_kwargs":{"A2":2,"a":{"Unknown":[null,true,"\u00e9\u0000"]},"a2":1,"big":900719925474099312345,"e":1e400,"small":1.10}`
	if !strings.Contains(strings.ReplaceAll(sent, "é", "\\u00e9"), strings.ReplaceAll(want, "\u00e9\u0000", "\\u00e9\\u0000")) {
		t.Errorf("a free object was harmed: %s", sent)
	}
	if !strings.Contains(sent, `"max_iterations":7`) || strings.Contains(sent, "Max_Iterations") || strings.Contains(sent, "Plugins") || strings.Contains(sent, "TAGS") || strings.Contains(sent, "/etc") {
		t.Errorf("another member counted: %s", sent)
	}
}

func TestABodyThatIsNestedWithoutEndIsRefusedEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.forget()
	deep := func(levels int) string { return strings.Repeat("[", levels) + strings.Repeat("]", levels) }
	for body, want := range map[string]int{
		`{"x":` + deep(10_000) + `}`: 422, `{"x":` + deep(100) + `}`: 422, strings.Repeat(`{"a":`, 10_000): 422,
		`{"question":"` + strings.Repeat("[", 10_000) + `"}`: 200, `{"question":"\\\"[[","x":` + deep(99) + `}`: 200,
	} {
		if a := w.ask("ann", "POST", conversationsPath+"/"+id+"/ask_agent", body); a.status != want {
			t.Errorf("%.40s: %d %s, want %d", body, a.status, a.body, want)
		}
		if a := w.ask("ann", "POST", conversationsPath, body); a.status != 422 {
			t.Errorf("creation with %.40s: %d %s, want 422", body, a.status, a.body)
		}
	}
	if got := len(w.upstream.arrived("/")); got != 2 {
		t.Errorf("%d requests were forwarded, want 2", got)
	}
}
