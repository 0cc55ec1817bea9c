package agentserver_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// What must hold of every body that is let through, whatever came in.
func FuzzABodyThatIsLetThroughIsHarmless(f *testing.F) {
	root, id := "/srv/ws/teams/1", uuid.MustParse("00000000-0000-4000-8000-000000000001")
	seed, err := json.Marshal(canvasBody(id.String(), root+"/p"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(seed))
	f.Add(`{"agent":{"kind":"ACPAgent","acp_command":["sh"]},"workspace":{"working_dir":"/srv/ws/teams/1/../2"}}`)
	f.Add(`{"agent":{"kind":"Agent","llm":{"api_key":"gAAAAB"}},"agent_settings":{"mcp_config":{"x":{}}},"worktree":true}`)
	f.Add(`{"agent_settings":{"LLM":{},"Llm":{},"llm":null},"secrets":{"a":{"url":"/api/settings/secrets/x/../../y"}},"Secrets":1}`)
	f.Fuzz(func(t *testing.T, body string) {
		decoder := json.NewDecoder(strings.NewReader(body))
		decoder.UseNumber()
		var in map[string]any
		if decoder.Decode(&in) != nil || in == nil {
			return
		}
		out, err := agentserver.SanitizeStart(in, root, "our.example", id)
		if err != nil {
			return
		}
		checkHarmless(t, out, root)
		again, err := agentserver.SanitizeStart(decoded(t, out), root, "our.example", id)
		if err != nil || !bytes.Equal(encode(t, again), encode(t, out)) {
			t.Errorf("not stable (%v):\n%s\n%s", err, encode(t, out), encode(t, again))
		}
	})
}

func checkHarmless(t *testing.T, out map[string]any, root string) {
	t.Helper()
	raw := string(encode(t, out))
	for _, name := range []string{
		"acp_command", "acp_args", "mcp_config", "mcp_tools", "tool_module_qualnames", "agent_definitions", "hook_config", "plugins",
		"title_llm_profile", "agent_profile_id", "extra_headers", "litellm_extra_body", "custom_tokenizer", "log_completions_folder",
		"profile_store_dir", "provider_connection_id", "inline_image_urls", "critic_server_url", "marketplace_path",
	} {
		if hasMember(out, name) {
			t.Errorf("%s got through: %s", name, raw)
		}
	}
	dir := out["workspace"].(map[string]any)["working_dir"].(string)
	if dir != root && !strings.HasPrefix(dir, root+"/") || strings.Contains(dir, "/..") || strings.Contains(dir, "\x00") {
		t.Errorf("the folder is %q", dir)
	}
	if out["secrets_encrypted"] != false || out["worktree"] != false {
		t.Errorf("secrets_encrypted %v, worktree %v", out["secrets_encrypted"], out["worktree"])
	}
	for _, name := range []string{"agent", "agent_settings", "secrets"} {
		if strings.Contains(string(encode(t, out[name])), `"gAAAA`) || strings.Contains(string(encode(t, out[name])), `"LookupSecret"`) {
			t.Errorf("%s holds a token or a reference: %s", name, raw)
		}
	}
}

// hasMember looks for a name in the parts of a body that have fixed names: free dictionaries may hold any.
func hasMember(v any, name string) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			switch key {
			case "tags", "secrets", "system_prompt_kwargs", "metadata", "capability_overrides", "trigger", "inputs", "client_tools":
				continue
			}
			if key == name || hasMember(below, name) {
				return true
			}
		}
	case []any:
		for _, below := range v {
			if hasMember(below, name) {
				return true
			}
		}
	}
	return false
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func decoded(t *testing.T, v any) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(encode(t, v)))
	decoder.UseNumber()
	var out map[string]any
	if err := decoder.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}
