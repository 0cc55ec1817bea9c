package agentserver_test

import (
	"net/http"
	"strings"
	"testing"
)

// The upstream keeps these in clear in a conversation's files.
func TestOfASignInOnlyWhatAServerNeedsIsPassedOn(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	auth := map[string]any{"strategy": "oauth2", "authentication": map[string]any{"type": "oauth", "client_id": "c"}, "state": map[string]any{
		"tokens":      map[string]any{"access_token": "needed", "refresh_token": "needed-too", "id_token": "planted"},
		"client_info": map[string]any{"client_id": "c", "registration_access_token": "planted"},
	}}
	server := map[string]any{"url": "http://203.0.113.9/mcp", "auth": auth}
	body := startBody(map[string]any{"agent_settings": map[string]any{"mcp_config": map[string]any{"x": server}}})
	if a := w.ask("ann", "POST", conversationsPath, body); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := w.posts()[0].body
	if strings.Contains(sent, "planted") || !strings.Contains(sent, `"needed"`) || !strings.Contains(sent, `"needed-too"`) {
		t.Errorf("the upstream was sent %s", sent)
	}
}

func TestSavedSecretsBecomeValues(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	references := map[string]any{}
	for _, name := range []string{"A", "B", "C"} {
		if a := w.ask("ann", "PUT", "/api/settings/secrets", map[string]any{"name": name, "value": "value-of-" + name}); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
		references[name] = map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/" + name}
	}
	references["GONE"] = map[string]any{"kind": "LookupSecret", "url": "/api/settings/secrets/GONE"}
	if a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"secrets": references})); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := w.posts()[0].body
	for _, name := range []string{"A", "B", "C"} {
		if !strings.Contains(sent, `"value":"value-of-`+name+`"`) {
			t.Errorf("%s is missing from %s", name, sent)
		}
	}
	if strings.Contains(sent, "GONE") {
		t.Error("a reference to nothing was passed on")
	}
}

// A model's key as a conversation's secret could be printed by its agent.
func TestATokenOfAKeyIsNoSecretOfAConversation(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	w.ask("ann", "PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"openai/mine","api_key":"sk-of-ann"}}}`)
	key := within(t, w.askFor("encrypted", "ann", "/api/settings").object(t), "agent_settings", "llm", "api_key")
	if text, _ := key.(string); !strings.HasPrefix(text, "ohv1.") {
		t.Fatalf("the token is %v", key)
	}
	body := startBody(map[string]any{"secrets": map[string]any{"A": map[string]any{"kind": "StaticSecret", "value": key}}})
	if a := w.ask("ann", "POST", conversationsPath, body); a.status != http.StatusUnprocessableEntity || len(w.posts()) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
