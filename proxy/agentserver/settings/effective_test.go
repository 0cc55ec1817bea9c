package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// operator's model, at an address that only the operator may name.
func operator() settings.Operator {
	return settings.Operator{Model: "openai/op", BaseURL: "http://127.0.0.1:9/v1", APIKey: "op-key"}
}

// set is a patch of a model: members as JSON.
func set(llm string) string { return `{"agent_settings_diff":{"llm":` + llm + `}}` }

func (w *world) shows(who string, got, want [3]any) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s is shown %v, want %v", who, got, want)
	}
}

func TestEachLayerLiesOverTheOneBelow(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	const masked = "**********"
	w.shows("dev", w.llm(w.dev, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", masked})
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1/v1","api_key":"team-key"}`)))
	w.shows("dev", w.llm(w.dev, ""), [3]any{"openai/team", "https://10.1.0.1/v1", masked})
	w.must(w.patch(w.dev, set(`{"temperature":0.5}`)))
	w.shows("dev", w.llm(w.dev, ""), [3]any{"openai/team", "https://10.1.0.1/v1", masked})
	w.must(w.patch(w.dev, set(`{"model":"openai/own","base_url":"https://10.1.0.2","api_key":"own-key"}`)))
	w.shows("dev", w.llm(w.dev, "plaintext"), [3]any{"openai/own", "https://10.1.0.2", "own-key"})
	w.shows("ada", w.llm(w.ada, "plaintext"), [3]any{"openai/team", "https://10.1.0.1/v1", "team-key"})
	w.shows("eve", w.llm(w.eve, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", masked})
	w.must(w.patch(w.dev, set(`{"model":null,"base_url":null,"api_key":null}`)))
	w.shows("dev after null", w.llm(w.dev, ""), [3]any{"openai/team", "https://10.1.0.1/v1", masked})
	w.must(w.teamPatch(w.ada, `{"agent_settings_diff":{"llm":null}}`))
	w.shows("dev after the team's null", w.llm(w.dev, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", masked})
}

func TestExplicitlyTheDefaultIsAValue(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team"}`)))
	w.must(w.patch(w.dev, set(`{"model":"schema-model"}`)))
	w.shows("dev", w.llm(w.dev, ""), [3]any{"schema-model", nil, nil})
}

func TestATeamsKeyGoesNowhereElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		team, own string
		kept      bool
	}{
		"another address":                  {`{"model":"m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"base_url":"https://10.1.0.2"}`, false},
		"no address":                       {`{"model":"m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"base_url":""}`, false},
		"an address of another kind":       {`{"model":"m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"ollama_base_url":"https://10.1.0.2"}`, false},
		"an address where there was none":  {`{"model":"m","api_key":"k"}`, `{"base_url":"https://10.1.0.2"}`, false},
		"another provider without address": {`{"model":"openai/m","api_key":"k"}`, `{"model":"groq/m"}`, false},
		"another region":                   {`{"model":"bedrock/m","api_key":"k"}`, `{"aws_region_name":"x.example.org/"}`, false},
		"another role":                     {`{"model":"bedrock/m","api_key":"k"}`, `{"aws_role_name":"r"}`, false},
		"another model of that provider":   {`{"model":"openai/m","api_key":"k"}`, `{"model":"openai/n"}`, true},
		"another model at that address":    {`{"model":"openai/m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"model":"groq/n"}`, true},
		"the same address again":           {`{"model":"m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"base_url":"https://10.1.0.1/"}`, true},
		"something else":                   {`{"model":"m","base_url":"https://10.1.0.1","api_key":"k"}`, `{"temperature":1}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings.Operator{})
			w.must(w.teamPatch(w.ada, set(c.team)))
			own := map[string]any{"agent_settings": map[string]any{"llm": object(t, c.own)}} // however it came there
			w.must(settings.Keep(t.Context(), w.Surface, vault.Scope{Team: w.team, User: w.dev.User}, vault.KindSettings, "", own, nil))
			if seen := w.see(w.dev, ""); seen.HasKey != c.kept {
				t.Errorf("the key is there: %v, want %v", seen.HasKey, c.kept)
			}
		})
	}
}

func TestTheOperatorsKeyGoesNowhereElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	w.must(w.teamPatch(w.ada, set(`{"base_url":"https://10.1.0.1"}`)))
	if w.see(w.ada, "").HasKey || w.see(w.dev, "").HasKey {
		t.Error("the team leads it elsewhere")
	}
}

func TestATeamMayDoWithoutTheOperatorsModel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	w.must(settings.Keep(t.Context(), w.Surface, vault.Scope{Team: w.team}, vault.KindSettings, "", map[string]any{"operator_model": false}, nil))
	w.shows("dev", w.llm(w.dev, ""), [3]any{"schema-model", nil, nil})
	w.shows("eve", w.llm(w.eve, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", "**********"})
}

func TestServersOfTheTeamKeepTheirSecretsOnlyWhereTheTeamPutThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, `{"agent_settings_diff":{"mcp_config":{"a":{"url":"https://10.1.0.1","headers":{"X-Key":"h"}},"b":{"url":"https://10.1.0.1","headers":{"X-Key":"h"}}}}}`))
	w.must(w.patch(w.dev, `{"agent_settings_diff":{"mcp_config":{"a":{"enabled":false},"b":{"url":"https://10.1.0.2"}}}}`))
	servers := w.see(w.dev, "").Agent["mcp_config"].(map[string]any)
	if a := servers["a"].(map[string]any); a["headers"].(map[string]any)["X-Key"] != "**********" || a["enabled"] != false {
		t.Errorf("switched off: %v", a)
	}
	if b := servers["b"].(map[string]any); b["headers"] != nil && len(b["headers"].(map[string]any)) != 0 {
		t.Errorf("led elsewhere: %v", b)
	}
}

func TestAnActiveProfileTakesTheModelsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	team := vault.Scope{Team: w.team}
	w.must(settings.Keep(t.Context(), w.Surface, team, vault.KindProfile, "fast", object(t, `{"model":"groq/fast"}`), map[string]string{"/api_key": "profile-key"}))
	w.must(w.patch(w.dev, set(`{"model":"openai/own","temperature":0.5,"api_key":"own-key"}`)))
	w.must(w.patch(w.dev, `{"active_profile":"fast"}`))
	seen := w.see(w.dev, "")
	if llm := seen.Agent["llm"].(map[string]any); llm["model"] != "groq/fast" || llm["temperature"] != nil || llm["base_url"] != nil || !seen.HasKey || seen.Profile != "fast" {
		t.Errorf("active: %v, %v", llm, seen.Profile)
	}
	w.must(w.patch(w.dev, set(`{"base_url":"https://10.1.0.2"}`)))
	if w.see(w.dev, "").HasKey {
		t.Error("the team's profile's key goes elsewhere")
	}
	if err := w.patch(w.dev, `{"active_profile":"none"}`); status(err) != http.StatusNotFound {
		t.Errorf("no such profile: %v", err)
	}
}

func TestWhoSeesWhichKeyInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1","api_key":"team-key"}`)))
	for _, expose := range []string{"encrypted", "true", "Plaintext"} {
		if shown := w.llm(w.dev, expose)[2].(string); !strings.HasPrefix(shown, "ohv1.") {
			t.Errorf("%s shows dev %q", expose, shown)
		}
	}
	if shown := w.llm(w.ada, "plaintext")[2]; shown != "team-key" {
		t.Errorf("the owner is shown %v", shown)
	}
	if shown := w.llm(w.eve, "plaintext")[2]; shown != "operator-managed-key" {
		t.Errorf("the operator's key is shown as %v", shown)
	}
	if _, err := settings.See(t.Context(), w.Surface, w.view, w.team, "plaintext"); status(err) != http.StatusForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if _, err := settings.See(t.Context(), w.Surface, w.dev, w.team, "clear"); status(err) != http.StatusBadRequest {
		t.Errorf("an unknown mode: %v", err)
	}
	var reveals int
	w.must(w.db.GetContext(t.Context(), &reveals, `SELECT count(*) FROM audit_log WHERE action = 'vault.settings.reveal' AND actor = 'ada@example.org'`))
	if reveals != 1 {
		t.Errorf("%d reveals are on record", reveals)
	}
}

func TestATokenIsWorthSomethingToItsCallerWhileTheSecretStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.patch(w.dev, set(`{"api_key":"own-key"}`)))
	token := w.llm(w.dev, "encrypted")[2].(string)
	redeem := func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.dev, w.team, token) }
	if value, err := redeem(); value != "own-key" || err != nil {
		t.Fatalf("redeemed %q, %v", value, err)
	}
	w.must(w.patch(w.dev, `{"misc_settings_diff":{"a":1}}`))
	if value, err := redeem(); value != "own-key" || err != nil {
		t.Errorf("after another change: %q, %v", value, err)
	}
	for name, c := range map[string]struct {
		token string
		by    func() (string, error)
	}{
		"a colleague":  {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.ada, w.team, token) }},
		"another team": {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.eve, w.foes, token) }},
		"changed": {by: func() (string, error) {
			return settings.Redeem(t.Context(), w.Surface, w.dev, w.team, token[:9]+"AAAA"+token[13:])
		}},
		"the upstream's":  {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.dev, w.team, "gAAAAABm") }},
		"cut":             {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.dev, w.team, token[:20]) }},
		"nothing in it":   {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.dev, w.team, "ohv1.") }},
		"in another team": {by: func() (string, error) { return settings.Redeem(t.Context(), w.Surface, w.dev, w.foes, token) }},
	} {
		if value, err := c.by(); err == nil || value != "" {
			t.Errorf("%s: %q, %v", name, value, err)
		}
	}
	w.must(w.patch(w.dev, set(`{"api_key":"new-key"}`)))
	if value, err := redeem(); err == nil {
		t.Errorf("of a secret that was changed: %q", value)
	}
}

func TestWritingBackWhatWasReadChangesNothing(t *testing.T) {
	t.Parallel()
	for _, expose := range []string{"", "encrypted", "plaintext"} {
		w := newWorld(t, operator())
		w.must(w.teamPatch(w.ada, set(`{"model":"openai/team","base_url":"https://10.1.0.1","api_key":"team-key"}`)))
		w.must(w.patch(w.dev, `{"agent_settings_diff":{"mcp_config":{"a":{"url":"https://10.1.0.1","headers":{"X-Key":"h"}}}}}`))
		w.must(settings.Change(t.Context(), w.Surface, w.dev, w.team, false, map[string]any{"agent_settings_diff": w.see(w.dev, expose).Agent}))
		w.shows("dev after "+expose, w.llm(w.dev, ""), [3]any{"openai/team", "https://10.1.0.1", "**********"})
		w.must(w.teamPatch(w.ada, set(`{"api_key":"new-key"}`)))
		if servers := w.see(w.dev, "plaintext").Agent["mcp_config"].(map[string]any); servers["a"].(map[string]any)["headers"].(map[string]any)["X-Key"] != "h" {
			t.Errorf("after %q the header is %v", expose, servers)
		}
	}
}

func TestWhatTheUpstreamWouldRefuseIsRefusedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, operator())
	for body, want := range map[string]int{
		`{}`: http.StatusBadRequest, `{"agent_settings_diff":null}`: http.StatusBadRequest,
		`{"agent_settings_diff":[]}`: 422, `{"active_profile":3}`: 422, `{"active_profile":"a b"}`: 422, `{"active_agent_profile_id":"x"}`: 422,
		set(`{"temperature":-1}`): 422, set(`3`): 422, `{"agent_settings_diff":{"mcp_config":{"a":{"nope":1}}}}`: 422,
		`{"conversation_settings_diff":{"max_iterations":null}}`: 422, `{"conversation_settings_diff":{"max_iterations":"x"}}`: 422,
		`{"agent_settings_diff":{"agent_kind":"acp"}}`: 422, set(`{"api_key":"gAAAAABm"}`): 422, set(`{"api_key":"ohv1.AAAA"}`): 422, set(`{"api_key":["x"]}`): 422,
		set(`{"base_url":"http://169.254.169.254/"}`): 422, set(`{"base_url":"http://127.0.0.1:1/"}`): 422,
	} {
		if got := status(w.patch(w.dev, body)); got != want {
			t.Errorf("%s: %d, want %d", body, got, want)
		}
	}
	if docs, err := w.Vault.List(t.Context(), vault.Scope{Team: w.team, User: w.dev.User}, vault.KindSettings); err != nil || len(docs) != 0 {
		t.Errorf("kept %d documents, %v", len(docs), err)
	}
}
