package settings_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestWhatNoConversationMayHaveIsRefusedWhereItIsSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	many := make([]string, 51)
	for i := range many {
		many[i] = fmt.Sprintf(`"s%d":{"url":"https://10.1.0.1"}`, i)
	}
	llm, agent := `"body","agent_settings_diff","llm",`, `"body","agent_settings_diff",`
	for body, want := range map[string]string{
		set(`{"ollama_base_url":"https://10.1.0.1"}`):                                       llm + `"ollama_base_url"`,
		set(`{"aws_bedrock_runtime_endpoint":"https://10.1.0.1"}`):                          llm + `"aws_bedrock_runtime_endpoint"`,
		set(`{"aws_role_name":"r"}`):                                                        llm + `"aws_role_name"`,
		set(`{"auth_type":"subscription"}`):                                                 llm + `"auth_type"`,
		set(`{"aws_region_name":"x.example.org/"}`):                                         llm + `"aws_region_name"`,
		set(`{"model":"huggingface/https://x.example.org"}`):                                llm + `"model"`,
		set(`{"model":"ohv1.AAAA"}`):                                                        llm + `"model"`,
		set(`{"litellm_extra_body":{"stop":["gAAAAAB"]}}`):                                  llm + `"litellm_extra_body","stop"`,
		`{"agent_settings_diff":{"verification":{"critic_enabled":true}}}`:                  agent + `"verification","critic_enabled"`,
		`{"agent_settings_diff":{"verification":{"critic_server_url":"https://10.1.0.1"}}}`: agent + `"verification","critic_server_url"`,
		`{"agent_settings_diff":{"agent_context":{"secrets":{"A":"b"}}}}`:                   agent + `"agent_context","secrets"`,
		`{"agent_settings_diff":{"agent_context":{"registered_marketplaces":["x"]}}}`:       agent + `"agent_context","registered_marketplaces"`,
		`{"agent_settings_diff":{"agent_context":{"skills":[{"mcp_tools":{"a":{}}}]}}}`:     agent + `"agent_context","skills",0,"mcp_tools"`,
		servers(`{"a":{"url":"https://u:planted@10.1.0.1"}}`):                               agent + `"mcp_config","a","url"`,
		servers(`{` + strings.Join(many, ",") + `}`):                                        agent + `"mcp_config"`,
		`{"operator_model":false}`:                                                          `"body","operator_model"`,
	} {
		got := s.ask("dev", "PATCH", settingsPath, body).faults()
		if len(got) != 1 || !strings.HasSuffix(got[0], "["+want+"]") {
			t.Errorf("%.90s: %v, want %s", body, got, want)
		}
	}
	for _, body := range []string{ // of what is no text or no object the upstream says no more
		set(`{"extra_headers":"X: y"}`),
		set(`{"litellm_extra_body":["x"]}`),
		set(`{"api_key":{"a":"b"}}`),
		servers(`{"a":{"url":"https://10.1.0.1","headers":"X-Key: planted"}}`),
		servers(`{"a":{"command":null,"url":"https://10.1.0.1","env":["A=planted"]}}`),
		servers(`{"a":{"url":"https://10.1.0.1","auth":"planted"}}`),
	} {
		s.ask("dev", "PATCH", settingsPath, body).says(http.StatusUnprocessableEntity, "Settings validation failed")
	}
	for _, body := range []string{set(`{"auth_type":"api_key","ollama_base_url":null,"aws_role_name":""}`),
		`{"agent_settings_diff":{"verification":{"critic_enabled":false},"agent_context":{"registered_marketplaces":[],"secrets":null}}}`} {
		s.ask("dev", "PATCH", settingsPath, body).is(http.StatusOK)
	}
}

func TestMembersThatNobodyKnowsAreNotKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.patch(w.dev, `{"agent_settings_diff":{"apikey":"planted","llm":{"model":"m","apiKey":"planted"},"mcp_config":{
		"a":{"url":"https://10.1.0.1","auth":{"strategy":"oauth2","state":{"tokens":{"id_token":"planted"},"token_expires_at":5}}}}}}`))
	if w.stored("planted") != 0 {
		t.Error("a secret lies in clear")
	}
	state := w.shown(w.see(w.dev, "plaintext"), "mcp_config", "a", "auth", "state")
	if got := canonical(t, state); got != `{"token_expires_at":5,"tokens":{"id_token":"planted"}}` {
		t.Errorf("the state is %s", got)
	}
}

func TestAPatchIsNotJudgedByWhatOthersDid(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	gone := object(t, `{"agent_settings":{"llm":{"temperature":"warm"},"mcp_config":{"a":{"url":"https://gone.invalid/x"},"b":{"command":"sh"}}}}`)
	s.must(settings.Keep(t.Context(), s.Surface, vault.Scope{Team: s.team}, vault.KindSettings, "", gone, nil))
	s.ask("view", "PATCH", settingsPath, `{"misc_settings_diff":{"app_preferences":{"user_consents_to_analytics":true}}}`).is(http.StatusOK)
	s.ask("dev", "PATCH", settingsPath, `{"conversation_settings_diff":{"max_iterations":5}}`).is(http.StatusOK)
	s.ask("dev", "PATCH", settingsPath, set(`{"temperature":1}`)).is(http.StatusOK)
}
