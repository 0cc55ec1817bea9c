package settings_test

import (
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestWhoeverAddsHeadersOrMembersGetsNoKeyOfSomebodyElses(t *testing.T) {
	t.Parallel()
	const ofTeam = `{"model":"openai/team","base_url":"https://10.1.0.1/v1","api_key":"team-key"}`
	for name, mine := range map[string]string{
		"headers": `{"extra_headers":{"X-Portkey-Custom-Host":"https://evil.example"}}`,
		"members": `{"litellm_extra_body":{"model":"gpt-dear","api_base":"https://evil.example"}}`,
		"numbers": `{"litellm_extra_body":{"max_tokens":1}}`,
	} {
		for _, team := range []string{`{}`, ofTeam} {
			w := newWorld(t, operator())
			w.must(w.teamPatch(w.ada, set(team)))
			w.must(w.patch(w.dev, set(mine)))
			if shown := w.llm(w.dev, "plaintext"); shown[2] != nil {
				t.Errorf("%s over %s: a key stays: %v", name, team, shown)
			}
			llm := object(t, `{}`)
			if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, llm); llm["api_key"] != nil {
				t.Errorf("%s over %s: filled %v, %v", name, team, llm, err)
			}
		}
	}
}

func TestWhoeverSendsHeadersAlongGetsNoKeyOfSomebodyElses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1/v1","api_key":"team-key","extra_headers":{"A":"team-header"}}`)))
	seen := w.see(w.dev, "encrypted")
	key, header := w.shown(seen, "llm", "api_key"), w.shown(seen, "llm", "extra_headers", "A")
	for name, more := range map[string]map[string]any{
		"a mask":                   {"api_key": "**********", "extra_headers": map[string]any{"Host": "evil.example"}},
		"a token":                  {"api_key": key, "extra_headers": map[string]any{"Host": "evil.example"}},
		"a header beside theirs":   {"api_key": key, "extra_headers": map[string]any{"A": header, "Host": "evil.example"}},
		"a member of the body":     {"api_key": key, "litellm_extra_body": map[string]any{"api_base": "https://evil.example"}},
		"a number in the body":     {"api_key": key, "litellm_extra_body": map[string]any{"n": 1.0}},
		"the operator's, a header": {"api_key": settings.OperatorMarker, "extra_headers": map[string]any{"Host": "evil.example"}},
	} {
		llm := map[string]any{"model": "openai/team", "base_url": "https://10.1.0.1/v1"}
		for member, v := range more {
			llm[member] = v
		}
		err := settings.FillAny(t.Context(), w.Surface, w.dev, w.team, llm)
		if status(err) != http.StatusUnprocessableEntity || llm["api_key"] == "team-key" || llm["api_key"] == "op-key" {
			t.Errorf("%s: %v, %v", name, llm, err)
		}
	}
	theirs := map[string]any{"model": "openai/team", "base_url": "https://10.1.0.1/v1", "api_key": key, "extra_headers": map[string]any{"A": header}}
	w.must(settings.FillAny(t.Context(), w.Surface, w.dev, w.team, theirs))
	if theirs["api_key"] != "team-key" {
		t.Errorf("as the team saved it, it became %v", theirs)
	}
}

func TestAProfileWithHeadersGetsNoKeyOfTheTeamsConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	team, own := vault.Scope{Team: w.team}, vault.Scope{Team: w.team, User: w.dev.User}
	connection := map[string]any{"provider": "openai", "base_url": "https://10.1.0.1/v1"}
	w.must(settings.Keep(t.Context(), w.Surface, team, vault.KindConnection, "c1", connection, map[string]string{"/api_key": "team-key"}))
	profile := map[string]any{"model": "openai/m", "provider_connection_id": "c1"}
	w.must(settings.Keep(t.Context(), w.Surface, own, vault.KindProfile, "p", profile, map[string]string{"/extra_headers/Host": "evil.example"}))
	w.must(w.patch(w.dev, `{"active_profile":"p"}`))
	llm := map[string]any{}
	if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, llm); llm["api_key"] == "team-key" {
		t.Errorf("filled %v, %v", llm, err)
	}
}

// A conversation's files show headers in clear to everyone in the team.
func TestNoConversationGetsHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1/v1","api_key":"team-key","extra_headers":{"A":"team-header"}}`)))
	if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, map[string]any{}); status(err) != http.StatusUnprocessableEntity {
		t.Errorf("filled: %v", err)
	}
}
