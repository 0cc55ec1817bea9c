package settings_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// launched is a team with a model, an MCP server and an agent profile; it starts profiles as somebody.
func launched(t *testing.T) (*site, func(p *access.Principal, name string) (settings.Launch, error)) {
	t.Helper()
	s := newSite(t, operator())
	team := vault.Scope{Team: s.team}
	s.must(settings.Keep(t.Context(), s.Surface, team, vault.KindProfile, "fast", object(t, `{"model":"groq/fast"}`), map[string]string{"/api_key": "profile-key"}))
	s.must(s.teamPatch(s.ada, `{"agent_settings_diff":{"mcp_config":{"a":{"url":"https://10.1.0.1","headers":{"X-Key":"header-key"}},"b":{"url":"https://10.1.0.2","headers":{"X-Key":"other-key"}}}}}`))
	s.ask("team ada", "POST", agents+"/house", `{"llm_profile_ref":"fast","mcp_server_refs":["a"],"secret_refs":["S"],"disabled_skills":["k"],
		"system_message_suffix":"Be brief.","tools":[{"name":"terminal"}],"tool_concurrency_limit":2}`).is(http.StatusCreated)
	return s, func(p *access.Principal, name string) (settings.Launch, error) {
		who, _, _ := strings.Cut(p.Email, "@")
		_, ids, _ := s.agentList(who)
		if id, listed := ids[name]; listed {
			name = id
		}
		l, err := s.AgentProfile(t.Context(), p, p.CurrentTeam, name)
		if err == nil {
			servers, _ := l.AgentSettings["mcp_config"].(map[string]any)
			err = errors.Join(filled(s.Fill(t.Context(), p, p.CurrentTeam, []any{"llm"}, l.AgentSettings["llm"].(map[string]any))),
				s.FillServers(t.Context(), p, p.CurrentTeam, []any{"mcp_config"}, servers))
		}
		return l, err
	}
}

func TestALaunchedProfileBringsItsModelServersAndSecretNames(t *testing.T) {
	t.Parallel()
	s, start := launched(t)
	l, err := start(s.dev, "house")
	s.must(err)
	llm, servers := l.AgentSettings["llm"].(map[string]any), canonical(t, l.AgentSettings["mcp_config"])
	if llm["model"] != "groq/fast" || llm["api_key"] != "profile-key" || llm["stream"] != true {
		t.Errorf("the model is %v", llm)
	}
	if servers != `{"a":{"headers":{"X-Key":"header-key"},"url":"https://10.1.0.1"}}` {
		t.Errorf("the servers are %s", servers)
	}
	agentContext := l.AgentSettings["agent_context"].(map[string]any)
	if !slices.Equal(l.SecretRefs, []string{"S"}) || l.Revision != 0 || l.ID == "" || l.AgentSettings["enable_switch_llm_tool"] != false ||
		canonical(t, agentContext["disabled_skills"]) != `["k"]` || agentContext["system_message_suffix"] != "Be brief." ||
		canonical(t, l.AgentSettings["tools"]) != `[{"name":"terminal","params":{}}]` || canonical(t, l.AgentSettings["tool_concurrency_limit"]) != "2" {
		t.Errorf("started as %+v", l)
	}
	first, err := start(s.dev, "default")
	s.must(err)
	if llm := first.AgentSettings["llm"].(map[string]any); first.SecretRefs != nil || llm["model"] != "openai/op" || llm["api_key"] != "op-key" {
		t.Errorf("the first one is started as %+v", first)
	}
	s.must(s.patch(s.dev, set(`{"model":"openai/own","api_key":"own-key"}`)))
	if first, err = start(s.dev, "default"); err != nil || first.AgentSettings["llm"].(map[string]any)["api_key"] != "own-key" {
		t.Errorf("with settings of one's own: %+v, %v", first, err)
	}
}

func TestWhatIsMissingEndsALaunch(t *testing.T) {
	t.Parallel()
	s, start := launched(t)
	for name, c := range map[string]struct {
		body   string
		status int
		report string // of materialize: members of the answer
	}{
		"server": {`{"llm_profile_ref":"fast","mcp_server_refs":["z","a","z"]}`, 422, `"dangling_mcp_server_refs":["z"],"disabled_skills":[],"errors":["MCP server(s) not configured: z"]`},
		"model":  {`{"llm_profile_ref":"none"}`, 404, `"errors":["LLM profile 'none' not found"],"llm_api_key_set":false,"llm_profile_ref":"none","llm_profile_resolved":false`},
		"critic": {`{"llm_profile_ref":"fast","verification":{"critic_enabled":true,"critic_server_url":"https://evil.example"}}`, 422, `"valid":false`},
		"url":    {`{"llm_profile_ref":"fast","verification":{"critic_server_url":"https://evil.example"}}`, 422, `"valid":false`},
	} {
		s.ask("dev", "POST", agents+"/"+name, c.body).is(http.StatusCreated)
		if _, err := start(s.dev, name); status(err) != c.status {
			t.Errorf("%s: %v", name, err)
		}
		report := canonical(t, s.ask("dev", "POST", agents+"/"+name+"/materialize", nil).is(http.StatusOK).object())
		if !strings.Contains(report, c.report) || !strings.Contains(report, `"valid":false`) || !strings.Contains(report, `"resolved_settings":null`) {
			t.Errorf("%s: %s", name, report)
		}
	}
	bare := newSite(t, settings.Operator{}) // whose model nobody gave a key
	if report := bare.ask("dev", "POST", agents+"/default/materialize", nil).object(); canonical(t, report["errors"]) != `["LLM profile 'default' not found"]` {
		t.Errorf("without any model: %v", report)
	}
	unknown := "00000000-0000-4000-8000-000000000001"
	if _, err := start(s.dev, unknown); err == nil || err.Error() != "404 Agent profile with id '"+unknown+"' not found" {
		t.Errorf("unknown: %v", err)
	}
	_, ids, _ := s.agentList("dev")
	if _, err := s.AgentProfile(t.Context(), s.eve, s.foes, ids["house"]); status(err) != http.StatusNotFound {
		t.Errorf("another team's: %v", err)
	}
}

func TestMaterializeShowsWhatWouldBecomeOfAProfileWithoutSecrets(t *testing.T) {
	t.Parallel()
	s, _ := launched(t)
	for _, who := range []string{"dev", "view", "ada", "team ada"} {
		a := s.ask(who, "POST", agents+"/house/materialize", nil, "X-Expose-Secrets: plaintext").is(http.StatusOK)
		a.equals(`{"agent_kind":"openhands","valid":true,"errors":[],"llm_profile_ref":"fast","llm_profile_resolved":true,"llm_api_key_set":true,
			"mcp_server_refs":["a"],"resolved_mcp_config_keys":["a"],"dangling_mcp_server_refs":[],"disabled_skills":["k"],"resolved_skills":[],
			"secret_refs":["S"],"acp_api_key_secret_name":null,"acp_base_url_secret_name":null,"acp_file_secret_names":[]}`, "resolved_settings")
		for _, secret := range []string{"profile-key", "header-key", "op-key"} {
			if strings.Contains(a.text, secret) {
				t.Errorf("%s is shown %s: %s", who, secret, a.text)
			}
		}
		resolved := a.object()["resolved_settings"].(map[string]any)
		if resolved["llm"].(map[string]any)["api_key"] != "**********" || canonical(t, resolved["mcp_config"]) != `{"a":{"enabled":true,"headers":{"X-Key":"**********"},"url":"https://10.1.0.1"}}` {
			t.Errorf("%s is shown %v", who, resolved)
		}
	}
}
