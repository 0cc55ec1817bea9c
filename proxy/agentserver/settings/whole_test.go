package settings_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// failing makes the database fail once a document of this kind is written: what a crash would leave behind is what was kept before.
func (w *world) failing(kind vault.Kind) {
	w.t.Helper()
	w.exec(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'on purpose'; END $$`)
	w.exec(`CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON vault_documents FOR EACH ROW WHEN (new.kind = '` + string(kind) + `') EXECUTE FUNCTION fail()`)
}

// everything is all that is in the vault.
func (w *world) everything() string {
	w.t.Helper()
	var all string
	w.must(w.db.GetContext(w.t.Context(), &all, `
		SELECT coalesce(string_agg(concat_ws(' ', kind, name, body, sealed, version), E'\n' ORDER BY kind, name), '') FROM vault_documents`))
	return all
}

// newFurnished is a site where dev has the profiles one, and two, which is active, and the agent profile agent, which names one and
// is active.
func newFurnished(t *testing.T) *site {
	t.Helper()
	s := newSite(t, settings.Operator{})
	for _, name := range []string{"one", "two"} {
		s.ask("dev", "POST", models+"/"+name, `{"llm":{"model":"openai/m","api_key":"k"}}`).is(http.StatusCreated)
	}
	s.ask("dev", "POST", agents+"/agent", `{"llm_profile_ref":"one"}`).is(http.StatusCreated)
	s.ask("dev", "POST", agents+"/"+s.agent("agent")+"/activate", nil).is(http.StatusOK)
	s.ask("dev", "POST", models+"/two/activate", nil).is(http.StatusOK)
	return s
}

// agent is the id of one of dev's agent profiles.
func (s *site) agent(name string) string {
	s.t.Helper()
	_, ids, _ := s.agentList("dev")
	return ids[name]
}

func TestAChangeOfSeveralDocumentsIsKeptAsAWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails vault.Kind
		call  func(s *site) asked
	}{
		"a profile is renamed, and the pointer does not follow": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "POST", models+"/two/rename", `{"new_name":"second"}`)
		}},
		"a profile is renamed, and an agent profile does not follow": {vault.KindAgentProfile, func(s *site) asked {
			return s.ask("dev", "POST", models+"/one/rename", `{"new_name":"first"}`)
		}},
		"an active profile is deleted": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "DELETE", models+"/two", nil)
		}},
		"an agent profile is deleted": {vault.KindSettings, func(s *site) asked { return s.ask("dev", "DELETE", agents+"/agent", nil) }},
		"a configuration is renamed and changed": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "PUT", configurations+"/"+s.configuration("two"), `{"name":"second","model":"openai/n"}`)
		}},
		"a configuration becomes the default one": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "PUT", configurations+"/"+s.configuration("one"), `{"name":"first","is_default":true}`)
		}},
		"a new configuration is the default one": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "POST", configurations, `{"name":"three","model":"openai/m","is_default":true}`)
		}},
		"a configuration is deleted": {vault.KindSettings, func(s *site) asked {
			return s.ask("dev", "DELETE", configurations+"/"+s.configuration("two"), nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newFurnished(t)
			s.failing(c.fails)
			before := s.everything()
			if a := c.call(s); a.status < 500 {
				t.Errorf("it went well: %d %s", a.status, a.text)
			}
			if after := s.everything(); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
			s.exec(`DROP TRIGGER fail ON vault_documents`)
			if a := c.call(s); a.status >= 300 {
				t.Errorf("later: %d %s", a.status, a.text)
			}
		})
	}
}

func TestTheFirstAgentProfileIsKeptTogetherWithTheChangeBesideIt(t *testing.T) {
	t.Parallel()
	for path, body := range map[string]any{"/mine": `{"llm_profile_ref":"x"}`, "/default/rename": `{"new_name":"first"}`, "/activate": nil} {
		s := newSite(t, operator())
		if path == "/activate" {
			path = "/" + s.agent("default") + path
		}
		s.failing(vault.KindSettings)
		s.ask("dev", "POST", agents+path, body).is(http.StatusInternalServerError)
		if after := s.everything(); after != "" {
			t.Errorf("%s leaves %s", path, after)
		}
	}
}

func TestAConfigurationThatIsRefusedKeepsItsNameAndItsKey(t *testing.T) {
	t.Parallel()
	s := newFurnished(t)
	id := s.configuration("one")
	s.exec(`UPDATE vault_documents SET body = body || '{"provider_connection_id":"gone"}' WHERE name = 'one'`)
	before := s.everything()
	for body, want := range map[string]string{
		`{"name":"first","api_key":"ohv1.AAAA"}`:                 `value_error at ["body","llm","api_key"]`,
		`{"name":"first","api_key":"gAAAAAB"}`:                   `value_error at ["body","llm","api_key"]`,
		`{"name":"first","base_url":"http://169.254.169.254/x"}`: `value_error at ["body","llm","base_url"]`,
	} {
		if got := s.ask("dev", "PUT", configurations+"/"+id, body).faults(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	s.ask("dev", "PUT", configurations+"/"+id, `{"name":"first","is_default":true}`).says(http.StatusUnprocessableEntity,
		"Profile 'first' references provider connection 'gone', which does not exist. Update the profile or recreate the connection.")
	s.ask("dev", "PUT", configurations+"/"+id, `{"name":"TWO"}`).is(http.StatusConflict)
	s.ask("dev", "POST", configurations, `{"name":"TWO","model":"m"}`).is(http.StatusConflict)
	if after := s.everything(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestWhatNamesAProfileFollowsIt(t *testing.T) {
	t.Parallel()
	s := newFurnished(t)
	s.ask("dev", "PUT", configurations+"/"+s.configuration("one"), `{"name":"first","model":"openai/n","is_default":true}`).is(http.StatusOK)
	seen := s.ask("dev", "GET", settingsPath, nil).object()
	if llm := seen["agent_settings"].(map[string]any)["llm"].(map[string]any); seen["active_profile"] != "first" || llm["model"] != "openai/n" {
		t.Errorf("the settings say %v", seen)
	}
	if p := s.ask("dev", "GET", agents+"/agent", nil).object()["profile"].(map[string]any); p["llm_profile_ref"] != "first" {
		t.Errorf("the agent profile says %v", p)
	}
	s.ask("dev", "DELETE", configurations+"/"+s.configuration("first"), nil).says(http.StatusConflict, "LLM profile is referenced by 1 agent profile(s): agent")
	s.ask("dev", "DELETE", agents+"/agent", nil).is(http.StatusOK)
	s.ask("dev", "DELETE", models+"/first", nil).is(http.StatusOK)
	seen = s.ask("dev", "GET", settingsPath, nil).object()
	if seen["active_profile"] != nil || seen["active_agent_profile_id"] != nil {
		t.Errorf("after both are gone the settings say %v", seen)
	}
}

// TestPatchesAtOnceLoseNothing has each change a member of its own, in clear, sealed and as a server.
func TestPatchesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	bodies := []string{}
	for i := range 8 {
		bodies = append(bodies,
			fmt.Sprintf(`{"misc_settings_diff":{"app_preferences":{"p%d":%d}}}`, i, i),
			set(fmt.Sprintf(`{"extra_headers":{"H%d":"v%d"}}`, i, i)),
			set(fmt.Sprintf(`{"litellm_extra_body":{"b%d":%d}}`, i, i)),
			servers(fmt.Sprintf(`{"s%d":{"url":"https://10.1.0.1/%d","headers":{"X":"x%d"}}}`, i, i, i)))
	}
	var all sync.WaitGroup
	for _, body := range bodies {
		all.Go(func() {
			if a := s.ask("dev", "PATCH", settingsPath, body); a.status != http.StatusOK {
				t.Errorf("%s: %d %s", body, a.status, a.text)
			}
		})
	}
	all.Wait()
	seen := s.ask("dev", "GET", settingsPath, nil, "X-Expose-Secrets: plaintext").is(http.StatusOK).object()
	agent := seen["agent_settings"].(map[string]any)
	llm, mcp := agent["llm"].(map[string]any), agent["mcp_config"].(map[string]any)
	preferences := seen["misc_settings"].(map[string]any)["app_preferences"].(map[string]any)
	for i := range 8 {
		number := json.Number(fmt.Sprint(i))
		server, _ := mcp[fmt.Sprint("s", i)].(map[string]any)
		if preferences[fmt.Sprint("p", i)] != number || llm["litellm_extra_body"].(map[string]any)[fmt.Sprint("b", i)] != number ||
			llm["extra_headers"].(map[string]any)[fmt.Sprint("H", i)] != fmt.Sprint("v", i) || canonical(t, server["headers"]) != fmt.Sprintf(`{"X":"x%d"}`, i) || server["url"] != fmt.Sprint("https://10.1.0.1/", i) {
			t.Errorf("of the changes numbered %d something is lost: %v", i, seen)
		}
	}
	var version int
	s.must(s.db.GetContext(t.Context(), &version, `SELECT version FROM vault_documents WHERE kind = 'settings'`))
	if version != len(bodies) {
		t.Errorf("%d changes made version %d", len(bodies), version)
	}
}

// TestOfThoseWhoMakeTheSameAtOnceOneSucceeds is for what is made once, under a name that must be free.
func TestOfThoseWhoMakeTheSameAtOnceOneSucceeds(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for path, body := range map[string]string{
		settingsPath + "/mcp/a": `{"url":"https://10.1.0.1/%d"}`, configurations: `{"name":"a","model":"openai/m%d"}`,
	} {
		var all sync.WaitGroup
		var made, refused atomic.Int32
		for i := range 8 {
			all.Go(func() {
				switch a := s.ask("dev", "POST", path, fmt.Sprintf(body, i)); a.status {
				case http.StatusCreated:
					made.Add(1)
				case http.StatusConflict:
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if made.Load() != 1 || refused.Load() != 7 {
			t.Errorf("%s: %d made, %d refused", path, made.Load(), refused.Load())
		}
	}
}
