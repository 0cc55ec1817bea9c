package settings_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// lentTo names the models that somebody may use without a key.
func (w *world) lentTo() ([]string, error) {
	w.t.Helper()
	lent, err := w.Models(w.t.Context(), w.dev, w.team)
	var names []string
	for _, m := range lent {
		names = append(names, m.Model+" "+m.APIKey)
	}
	return names, err
}

func TestAProfileWhoseKeyDoesNotOpenIsLentToNobodyAndHindersNoOther(t *testing.T) {
	t.Parallel()
	for _, damage := range damages() {
		w := newWorld(t, operator())
		w.must(w.patch(w.dev, set(`{"model":"openai/own","api_key":"own"}`)))
		for _, name := range []string{"broken", "sound"} {
			w.must(settings.Keep(t.Context(), w.Surface, vault.Scope{Team: w.team}, vault.KindProfile, name,
				object(t, `{"model":"openai/`+name+`"}`), map[string]string{"/api_key": name}))
		}
		w.damage(damage, vault.KindProfile, "broken", "/api_key")
		names, err := w.lentTo()
		w.must(err)
		if got := fmt.Sprint(names); got != "[openai/own own openai/sound sound openai/op op-key]" {
			t.Errorf("%s: %s", damage, got)
		}
		w.damage(damage, vault.KindSettings, "", "/agent_settings/llm/api_key")
		if _, err := w.lentTo(); status(err) != http.StatusServiceUnavailable {
			t.Errorf("%s, and the model that counts: %v", damage, err)
		}
	}
}

// headers is an MCP server with so many headers.
func headers(n int, value func(i int) string) map[string]any {
	all := map[string]any{}
	for i := range n {
		all[fmt.Sprint("X-", i)] = value(i)
	}
	return map[string]any{"url": "https://10.1.0.1", "headers": all}
}

func TestTheTokensOfAllServersOfABodyAreBoundedAndCostOneQuery(t *testing.T) {
	t.Parallel()
	w, record := newRecordedWorld(t, settings.Operator{})
	fill := func(servers map[string]any) (int, error) {
		record.Forget()
		err := w.FillServers(t.Context(), w.dev, w.team, []any{"body", "mcp_config"}, servers)
		return len(record.Statements()), err
	}
	sent := map[string]any{}
	for i := range 50 {
		sent[fmt.Sprint("s", i)] = headers(100, func(k int) string { return fmt.Sprint("ohv1.", i, "x", k) })
	}
	queries, err := fill(sent)
	if p := problem.Of(err); p.Status != http.StatusUnprocessableEntity || p.Detail != "A body may hold 100 tokens of secrets at most." || queries > 1 {
		t.Errorf("5,000 tokens: %v, after %d queries", err, queries)
	}
	w.must(settings.Change(t.Context(), w.Surface, w.dev, w.team, false, map[string]any{"agent_settings_diff": map[string]any{
		"mcp_config": map[string]any{"a": headers(50, func(int) string { return "A" }), "b": headers(50, func(int) string { return "B" })}}}))
	kept := w.see(w.dev, "encrypted").Agent["mcp_config"].(map[string]any)
	if queries, err := fill(kept); err != nil || queries != 1 {
		t.Errorf("100 tokens: %v, after %d queries", err, queries)
	}
	for name, want := range map[string]string{"a": "A", "b": "B"} {
		if got := kept[name].(map[string]any)["headers"].(map[string]any)["X-49"]; got != want {
			t.Errorf("the headers of %s became %v", name, got)
		}
	}
	if queries, err := fill(map[string]any{"a": headers(100, func(int) string { return "in clear" })}); err != nil || queries != 0 {
		t.Errorf("no tokens: %v, after %d queries", err, queries)
	}
}
