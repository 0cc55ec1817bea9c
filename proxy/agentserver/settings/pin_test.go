package settings_test

import (
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

func TestAKeyOfOnesOwnDoesNotFollowAnAddressThatTheTeamChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1/v1"}`)))
	w.must(w.patch(w.dev, set(`{"api_key":"dev-key","temperature":0.5}`)))
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/newer"}`)))
	if got := w.llm(w.dev, "plaintext"); got != [3]any{"openai/newer", "https://10.1.0.1/v1", "dev-key"} {
		t.Errorf("at the same address it is %v", got)
	}
	w.must(w.teamPatch(w.ada, set(`{"base_url":"https://10.1.66.66/v1"}`)))
	w.must(w.patch(w.dev, set(`{"temperature":0.6}`))) // says nothing of the address
	if got := w.llm(w.dev, "plaintext"); got != [3]any{"openai/newer", "https://10.1.66.66/v1", nil} {
		t.Errorf("elsewhere it is %v", got)
	}
	llm := map[string]any{}
	if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, llm); llm["api_key"] != nil {
		t.Errorf("a conversation gets %v, %v", llm, err)
	}
	w.must(w.teamPatch(w.ada, set(`{"base_url":"https://10.1.0.1/v1"}`)))
	if got := w.llm(w.dev, "plaintext"); got[2] != "dev-key" {
		t.Errorf("where it was it is %v", got)
	}
	w.must(w.patch(w.dev, set(`{"base_url":"https://10.1.0.9/v1"}`))) // its owner leads it elsewhere
	if got := w.llm(w.dev, "plaintext"); got[2] != "dev-key" {
		t.Errorf("where its owner leads it, it is %v", got)
	}
}

func TestASecretOfOnesOwnDoesNotFollowAnMCPServerThatTheTeamMoves(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	servers := func(text string) string { return `{"agent_settings_diff":{"mcp_config":{"x":` + text + `}}}` }
	header := func() any {
		server, _ := w.see(w.dev, "plaintext").Agent["mcp_config"].(map[string]any)["x"].(map[string]any)
		headers, _ := server["headers"].(map[string]any)
		return headers["X"]
	}
	w.must(w.teamPatch(w.ada, servers(`{"url":"https://10.1.0.1/mcp"}`)))
	w.must(w.patch(w.dev, servers(`{"headers":{"X":"dev-header"}}`)))
	if header() != "dev-header" {
		t.Fatalf("it is %v", header())
	}
	w.must(w.teamPatch(w.ada, servers(`{"url":"https://10.1.66.66/mcp"}`)))
	if header() != nil {
		t.Errorf("elsewhere it is %v", header())
	}
	w.must(w.patch(w.dev, servers(`{"headers":{"X":"dev-header-anew"}}`)))
	if header() != "dev-header-anew" {
		t.Errorf("set anew it is %v", header())
	}
	a := newSite(t, settings.Operator{}).ask("dev", "GET", "/api/settings", nil).is(http.StatusOK).object()
	if _, shown := a["pinned_to"]; shown {
		t.Error("where secrets are meant to go is shown")
	}
}
