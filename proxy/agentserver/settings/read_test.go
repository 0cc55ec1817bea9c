package settings_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// The real agent-server was asked for what follows; the end-to-end tests ask it each time.

// whole is a site whose schemas have the objects that the upstream describes in its code only.
func whole(t *testing.T) *site {
	t.Helper()
	w := newWorld(t, settings.Operator{})
	const limit, most = `{"key":"tool_concurrency_limit"`, `{"key":"max_iterations"`
	w.Surface = settings.New(changed(w, limit, `{"key":"tools","value_type":"array","default":null,"secret":false,"choices":[]},
		{"key":"condenser.condenser_kind","value_type":"string","default":"llm_summarizing","secret":false,"choices":[]},`+limit))
	w.Surface = settings.New(changed(w, most, `{"key":"security_analyzer","value_type":"string","default":"llm","secret":false,"choices":[]},`+most))
	return w.site()
}

func TestSettingsAreKeptAsTheUpstreamReadsThem(t *testing.T) {
	t.Parallel()
	s := whole(t)
	s.ask("dev", "PATCH", settingsPath, `{"agent_settings_diff":{"llm":{"temperature":"0.25","fallback_strategy":{"fallback_llms":["a"]}},
		"condenser":{"condenser_kind":"no_op","enabled":"off","max_size":50},"verification":{"critic_threshold":"0.5","unknown":"x"},
		"tools":[{"name":"terminal"}],"schema_version":6},
		"conversation_settings_diff":{"max_iterations":"20","security_analyzer":null,"unknown":1}}`).is(http.StatusOK)
	got := s.ask("dev", "GET", settingsPath, nil).is(http.StatusOK).object()
	agent := got["agent_settings"].(map[string]any)
	for place, want := range map[string]string{
		"condenser":    `{"condenser_kind":"no_op","enabled":false}`,
		"verification": `{"critic_enabled":false,"critic_threshold":0.5}`,
		"tools":        `[{"name":"terminal","params":{}}]`,
	} {
		if shown := canonical(t, agent[place]); shown != want {
			t.Errorf("%s: %s, want %s", place, shown, want)
		}
	}
	if shown := canonical(t, agent["llm"].(map[string]any)["temperature"]); shown != "0.25" || agent["llm"].(map[string]any)["fallback_strategy"] != nil {
		t.Errorf("the model: %v", agent["llm"])
	}
	if shown := canonical(t, got["conversation_settings"]); shown != `{"max_iterations":20,"schema_version":1,"security_analyzer":null}` {
		t.Errorf("the conversation: %s", shown)
	}
}

func TestSettingsThatTheUpstreamRefusesAreRefused(t *testing.T) {
	t.Parallel()
	s := whole(t)
	before := s.ask("dev", "PATCH", settingsPath, `{"misc_settings_diff":{"a":1}}`).is(http.StatusOK).text
	for _, body := range []string{
		`{"agent_settings_diff":{"llm":{"model":""}}}`,
		`{"agent_settings_diff":{"condenser":{"condenser_kind":"llm_summarizing","max_size":1}}}`,
		`{"agent_settings_diff":{"condenser":"x"}}`,
		`{"agent_settings_diff":{"verification":{"critic_threshold":7}}}`,
		`{"agent_settings_diff":{"tools":[{"params":{}}]}}`,
		`{"agent_settings_diff":{"tools":[{"name":" "}]}}`,
		`{"agent_settings_diff":{"tool_concurrency_limit":0}}`,
		`{"agent_settings_diff":{"agent_context":{"disabled_skills":"a"}}}`,
		`{"agent_settings_diff":{"agent_kind":"other"}}`,
		`{"agent_settings_diff":{"schema_version":99}}`,
		`{"conversation_settings_diff":{"max_iterations":0}}`,
		`{"conversation_settings_diff":{"max_iterations":null}}`,
		`{"conversation_settings_diff":{"schema_version":2}}`,
	} {
		s.ask("dev", "PATCH", settingsPath, body).says(http.StatusUnprocessableEntity, "Settings validation failed")
	}
	after := s.ask("dev", "PATCH", settingsPath, `{"misc_settings_diff":{"a":1}}`).is(http.StatusOK).text
	if withoutTime(after) != withoutTime(before) {
		t.Errorf("something was kept: %s", after)
	}
}

func withoutTime(text string) string {
	before, rest, _ := strings.Cut(text, `"current_datetime":"`)
	_, after, _ := strings.Cut(rest, `"`)
	return before + after
}

func TestWhatTheClientKeepsForItselfIsMergedAsTheUpstreamDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "PATCH", settingsPath, `{"misc_settings_diff":{"team":1}}`).is(http.StatusOK)
	for _, c := range []struct{ patch, want string }{
		{`{"a":null,"b":{"c":[1],"d":null}}`, `{"a":null,"b":{"c":[1],"d":null},"team":1}`},
		{`{"b":{"d":null,"e":{"f":null}}}`, `{"a":null,"b":{"c":[1],"e":{"f":null}},"team":1}`},
		{`{"a":{"x":1},"b":null,"team":null}`, `{"a":{"x":1},"b":null,"team":1}`}, // the team's shows again
	} {
		got := s.ask("dev", "PATCH", settingsPath, `{"misc_settings_diff":`+c.patch+`}`).is(http.StatusOK).object()["misc_settings"].(map[string]any)
		delete(got, "app_preferences")
		if shown := canonical(t, got); shown != c.want {
			t.Errorf("after %s: %s, want %s", c.patch, shown, c.want)
		}
	}
}

func TestAProfileWithoutItsKeysKeepsItsHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "POST", models+"/p", `{"llm":{"model":"m","api_key":"key","extra_headers":{"X-A":"1"}},"include_secrets":false}`).is(http.StatusCreated)
	config := s.ask("dev", "GET", models+"/p", nil, "X-Expose-Secrets: plaintext").is(http.StatusOK).object()["config"].(map[string]any)
	if config["api_key"] != nil || canonical(t, config["extra_headers"]) != `{"X-A":"1"}` {
		t.Errorf("kept: %v", config)
	}
}

func TestASecretOfBlanksIsAsGoodAsNone(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "PUT", secrets, `{"name":"BLANK","value":" \t"}`).is(http.StatusOK)
	s.ask("dev", "GET", secrets+"/BLANK", nil).says(http.StatusNotFound, "Secret not found")
}

func TestWhatIsWrongWithANameAndABodyIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for _, way := range []string{models + "/a%20b", models + "/a%20b/rename", models + "/a%20b/validate", agents + "/a%20b/rename"} {
		faults := s.ask("dev", "POST", way, `{}`).faults()
		if len(faults) != 2 || !slices.Contains(faults, `string_pattern_mismatch at ["path","name"]`) {
			t.Errorf("%s: %v", way, faults)
		}
	}
}

func TestAConnectionOfTheActiveModelIsUsed(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	id := s.ask("dev", "POST", connections, `{"display_name":"c","api_key":"k"}`).is(http.StatusCreated).object()["id"].(string)
	s.ask("dev", "POST", models+"/p", `{"llm":{"model":"m","provider_connection_id":"`+id+`"}}`).is(http.StatusCreated)
	s.ask("dev", "POST", models+"/p/activate", nil).is(http.StatusOK)
	s.ask("dev", "DELETE", connections+"/"+id, nil).says(http.StatusConflict, "Provider connection cannot be deleted while it is referenced by "+
		"LLM profile(s): p and referenced by the active agent settings. Update those references before deleting it.")
}

func TestAFoldersParentHasTwoNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	root := "/srv/ws/teams/" + s.team.String()
	got := s.ask("dev", "POST", "/api/workspaces", `{"workspaces":[{"id":"a","name":"a","path":"`+root+`/p/a","parent_path":"`+root+`/p"}]}`).is(http.StatusOK).text
	if !strings.Contains(got, `"parentPath":"`+root+`/p"`) {
		t.Errorf("listed: %s", got)
	}
}
