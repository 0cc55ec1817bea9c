package e2e_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// judgedTools is every tool that the upstream has, and what becomes of it: "" is taken, "left out" is forgotten without a word,
// anything else is refused. What is not here was never looked at: read its source before it gets a line. Does it run code in the
// server's process, use something that all conversations share, or reach other conversations or profiles?
var judgedTools = map[string]string{
	"terminal": "", "file_editor": "", "task_tracker": "",
	"edit": "", "list_directory": "", "read_file": "", "write_file": "",
	"glob": "", "grep": "", "planning_file_editor": "",

	"browser_tool_set":  "left out", // one browser, with its pages and cookies, for all conversations
	"task":              "calls agents of all teams",
	"task_tool_set":     "calls agents of all teams",
	"workflow":          "runs code in the server",
	"workflow_tool_set": "runs code in the server",
	"ask_oracle":        "asks models of shared profiles",

	"canvas_ui_control": "the UI's own, which come as client tools", "launch_child_conversation": "the UI's own, which come as client tools",
}

func withTools(names ...string) map[string]any {
	tools := []any{}
	for _, name := range names {
		tools = append(tools, map[string]any{"name": name})
	}
	body := newTalk()
	body["agent_settings"] = map[string]any{"tools": tools}
	return body
}

func TestEveryToolOfTheUpstreamHasBeenJudged(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	r, err := http.NewRequestWithContext(t.Context(), "GET", world.upstream.URL()+"/api/tools/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Session-API-Key", world.upstream.Key())
	a, err := do(r)
	if err != nil {
		t.Fatal(err)
	}
	var names, taken []string
	user.want(http.StatusOK, a).json(t, &names)
	if len(names) < 10 {
		t.Fatalf("the upstream has only %v", names)
	}
	for _, name := range names {
		switch verdict, judged := judgedTools[name]; {
		case !judged:
			t.Errorf("nobody has judged the tool %q", name)
		case verdict == "":
			taken = append(taken, name)
		case verdict != "left out":
			user.want(http.StatusUnprocessableEntity, user.post("/api/conversations", withTools(name)))
		}
	}
	slices.Sort(taken)
	user.want(http.StatusCreated, user.post("/api/conversations", withTools(taken...)))
	var offered []string
	user.want(http.StatusOK, user.get("/api/tools/")).json(t, &offered)
	if slices.Sort(offered); !slices.Equal(offered, taken) {
		t.Errorf("clients are offered %v, want %v", offered, taken)
	}
}

// An agent that lies in a project's folder is known by its name to the whole server, and the first of a name wins.
func TestNoAgentOfOneTeamsProjectIsKnownToAnother(t *testing.T) {
	t.Parallel()
	name := "reviewer-" + uuid.NewString()[:8]
	for _, who := range []string{"amber", "birch"} {
		user, mark := signedUp(t, shared(t).url), name+" of "+who
		first := user.create("run: mkdir -p .agents/agents && printf -- '---\\nname: " + name + "\\ndescription: " + mark + "\\n---\\nx\\n' > .agents/agents/x.md")
		user.finished(first)
		body := newTalk()
		body["agent_settings"] = map[string]any{"enable_sub_agents": true}
		body["workspace"] = map[string]any{"working_dir": user.workingDir(first)}
		body["initial_message"] = said("call: task " + encoded(t, map[string]any{"prompt": "x", "subagent_type": name, "description": "d"}) + "\nrun: echo at-$((40+2))")
		id := user.field(user.want(http.StatusCreated, user.post("/api/conversations", body)), "id")
		user.finished(id)
		said := user.events(id)
		if !strings.Contains(said, "at-42") || strings.Contains(said, name+" of ") || strings.Contains(said, "TaskAction") {
			t.Errorf("%s's agent knows agents of projects: %.3000s", who, said)
		}
	}
}

func TestNoBrowserIsSharedByTeams(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	body := withTools("terminal", "browser_tool_set")
	body["initial_message"] = said("call: browser_list_tabs {}\nrun: echo at-$((40+2))")
	id := user.field(user.want(http.StatusCreated, user.post("/api/conversations", body)), "id")
	user.finished(id)
	if said := user.events(id); !strings.Contains(said, "at-42") || strings.Contains(said, "BrowserListTabsAction") {
		t.Errorf("an agent has the browser of all: %.3000s", said)
	}
}

func TestASkillOfABodyRunsNoCommand(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	body := newTalk()
	body["agent_settings"] = map[string]any{"agent_context": map[string]any{"skills": []any{map[string]any{
		"name": "probe", "description": "d", "content": "before !`echo ran-$((40+2))` after", "is_agentskills_format": true, "source": "/etc/passwd",
	}}}}
	body["initial_message"] = said(`call: invoke_skill {"name":"probe"}`)
	id := user.field(user.want(http.StatusCreated, user.post("/api/conversations", body)), "id")
	user.finished(id)
	said := user.events(id)
	if strings.Contains(said, "ran-42") || strings.Contains(said, "This skill is located at") || !strings.Contains(said, "before ! `echo") {
		t.Errorf("the server obeyed a skill, or looked for its file: %.3000s", said)
	}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
