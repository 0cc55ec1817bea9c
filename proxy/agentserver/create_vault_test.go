package agentserver_test

import (
	"net/http"
	"strings"
	"testing"
)

// kept is a house in which ann keeps a model, and an agent profile that names it.
func kept(t *testing.T) (w *world, profile string) {
	t.Helper()
	w = newHouse(t, asIs)
	llm := map[string]any{"model": "openai/mine", "base_url": "http://203.0.113.9/v1", "api_key": "sk-of-ann"}
	for path, body := range map[string]any{"/api/profiles/mine": map[string]any{"llm": llm}, "/api/agent-profiles/helper": map[string]any{
		"llm_profile_ref": "mine", "system_message_suffix": "Be brief.", "secret_refs": []any{}}} {
		if a := w.ask("ann", "POST", path, body); a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	found, _ := w.ask("ann", "GET", "/api/agent-profiles/helper", nil).object(t)["profile"].(map[string]any)
	profile, _ = found["id"].(string)
	return w, profile
}

func TestAnAgentProfileBecomesTheSettingsOfAConversation(t *testing.T) {
	t.Parallel()
	w, profile := kept(t)
	body := startBody(map[string]any{"agent_profile_id": profile, "secrets": map[string]any{"A": "b"}})
	delete(body, "agent_settings")
	if a := w.ask("ann", "POST", conversationsPath, body); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := w.posts()
	if len(sent) != 1 {
		t.Fatalf("%d creations arrived", len(sent))
	}
	got := parsed[map[string]any](t, sent[0].body)
	settings, _ := got["agent_settings"].(map[string]any)
	llm, _ := settings["llm"].(map[string]any)
	context, _ := settings["agent_context"].(map[string]any)
	if llm["model"] != "openai/mine" || llm["api_key"] != "sk-of-ann" || llm["base_url"] != "http://203.0.113.9/v1" ||
		context["system_message_suffix"] != "Be brief." || got["agent_profile_id"] != nil || strings.Contains(sent[0].body, `"A"`) {
		t.Errorf("the upstream was sent %s", sent[0].body)
	}
}

func TestASwitchOfProfilesIsASwitchOfModels(t *testing.T) {
	t.Parallel()
	w, _ := kept(t)
	id := w.create("ann", nil).String()
	w.upstream.forget()
	if a := w.ask("ann", "POST", conversationsPath+"/"+id+"/switch_profile", map[string]any{"profile_name": "mine"}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := w.upstream.arrived("/")
	if len(sent) != 1 || sent[0].path != conversationsPath+"/"+id+"/switch_llm" || !strings.Contains(sent[0].body, `"api_key":"sk-of-ann"`) {
		t.Errorf("the upstream was sent %+v", sent)
	}
}
