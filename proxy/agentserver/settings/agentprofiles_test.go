package settings_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const agents = "/api/agent-profiles"

// agentList is what somebody sees: "name id" of each profile, and the id of the active one.
func (s *site) agentList(who string) (names []string, ids map[string]string, active any) {
	s.t.Helper()
	seen := s.ask(who, "GET", agents, nil).is(http.StatusOK).object()
	ids = map[string]string{}
	for _, v := range seen["profiles"].([]any) {
		p := v.(map[string]any)
		names = append(names, p["name"].(string))
		ids[p["name"].(string)] = p["id"].(string)
	}
	return names, ids, seen["active_agent_profile_id"]
}

// kept counts the documents of a kind, in whichever scope.
func (w *world) kept(kind vault.Kind) int {
	w.t.Helper()
	var count int
	w.must(w.db.GetContext(w.t.Context(), &count, `SELECT count(*) FROM vault_documents WHERE kind = $1`, kind))
	return count
}

func TestTheFirstAgentProfileFollowsFromTheSettingsAndReadingKeepsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	s.must(s.patch(s.dev, `{"agent_settings_diff":{"tool_concurrency_limit":3}}`))
	seen := map[string]bool{}
	for _, who := range []string{"dev", "view", "ada", "team ada", "eve"} {
		first := s.ask(who, "GET", agents, nil).is(http.StatusOK)
		if again := s.ask(who, "GET", agents, nil); again.text != first.text {
			t.Errorf("%s is shown %s, then %s", who, first.text, again.text)
		}
		names, ids, active := s.agentList(who)
		if !slices.Equal(names, []string{"default"}) || active != ids["default"] || seen[ids["default"]] {
			t.Errorf("%s is shown %s", who, first.text)
		}
		seen[ids["default"]] = true
	}
	_, ids, _ := s.agentList("dev")
	s.ask("dev", "GET", agents+"/default", nil).is(http.StatusOK).equals(`{"name":"default","profile":{"schema_version":2,"id":"` + ids["default"] + `",
		"name":"default","revision":0,"mcp_server_refs":null,"secret_refs":null,"agent_kind":"openhands","llm_profile_ref":"default","agent":"CodeActAgent",
		"tools":null,"system_message_suffix":null,"disabled_skills":[],"condenser":{"condenser_kind":"llm_summarizing","enabled":true,"max_size":240,
		"max_tokens":null,"keep_first":2,"minimum_progress":0.1,"hard_context_reset_max_retries":5,"hard_context_reset_context_scaling":0.8},
		"verification":{"critic_enabled":false,"critic_mode":"finish_and_message","enable_iterative_refinement":false,"critic_threshold":0.6,
		"max_refinement_iterations":3,"critic_server_url":null,"critic_model_name":null},"enable_sub_agents":false,"enable_switch_llm_tool":true,
		"tool_concurrency_limit":3}}`)
	if n := s.kept(vault.KindAgentProfile); n != 0 {
		t.Errorf("%d profiles are kept", n)
	}
}

func TestTheFirstAgentProfileIsKeptWithTheFirstChange(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *site, id string){
		"another one": func(s *site, _ string) {
			s.ask("dev", "POST", agents+"/mine", `{"llm_profile_ref":"x"}`).is(http.StatusCreated)
		},
		"itself": func(s *site, _ string) {
			s.ask("dev", "POST", agents+"/default", `{"llm_profile_ref":"x"}`).is(http.StatusCreated)
		},
		"its name": func(s *site, _ string) {
			s.ask("dev", "POST", agents+"/default/rename", `{"new_name":"first"}`).is(http.StatusOK)
		},
		"activation": func(s *site, id string) { s.ask("dev", "POST", agents+"/"+id+"/activate", nil).is(http.StatusOK) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, operator())
			_, ids, _ := s.agentList("dev")
			change(s, ids["default"])
			_, after, active := s.agentList("dev")
			if after["default"]+after["first"] != ids["default"] || active != ids["default"] {
				t.Errorf("after it: %v, active %v; before: %v", after, active, ids)
			}
			if got := s.ask("dev", "GET", "/api/settings", nil).object()["active_agent_profile_id"]; got != ids["default"] {
				t.Errorf("the settings say %v", got)
			}
		})
	}
}

func TestAnAgentProfileIsSavedRenamedActivatedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	s.ask("dev", "POST", agents+"/mine", `{"llm_profile_ref":"fast","id":"00000000-0000-4000-8000-000000000001","revision":4,"name":"other","mcp_server_refs":["a"]}`).
		is(http.StatusCreated).equals(`{"name":"mine","message":"Agent profile 'mine' saved"}`)
	_, ids, _ := s.agentList("dev")
	id := ids["mine"]
	if id == "00000000-0000-4000-8000-000000000001" {
		t.Error("the client chose the id")
	}
	s.ask("dev", "POST", agents+"/mine", `{"llm_profile_ref":"slow"}`).is(http.StatusCreated)
	p := s.ask("dev", "GET", agents+"/mine", nil).is(http.StatusOK).object()["profile"].(map[string]any)
	if p["id"] != id || canonical(t, p["revision"]) != "5" || p["name"] != "mine" || p["llm_profile_ref"] != "slow" || p["mcp_server_refs"] != nil {
		t.Errorf("saved again: %v", p)
	}
	s.ask("dev", "POST", agents+"/"+id+"/activate", nil).is(http.StatusOK).equals(`{"id":"` + id + `","message":"Agent profile '` + id + `' activated","agent_settings_applied":false}`)
	s.ask("dev", "POST", agents+"/mine/rename", `{"new_name":"ours"}`).is(http.StatusOK).equals(`{"name":"ours","message":"Agent profile 'mine' renamed to 'ours'"}`)
	s.ask("dev", "POST", agents+"/ours/rename", `{"new_name":"ours"}`).is(http.StatusOK).equals(`{"name":"ours","message":"Agent profile 'ours' unchanged (same name)"}`)
	if names, ids, active := s.agentList("dev"); !slices.Equal(names, []string{"default", "ours"}) || ids["ours"] != id || active != id {
		t.Errorf("renamed: %v %v, active %v", names, ids, active)
	}
	s.ask("dev", "DELETE", agents+"/ours", nil).is(http.StatusOK).equals(`{"name":"ours","message":"Agent profile 'ours' deleted"}`)
	s.ask("dev", "DELETE", agents+"/ours", nil).is(http.StatusOK)
	if _, _, active := s.agentList("dev"); active != nil {
		t.Errorf("deleted, and %v is active", active)
	}
	if got := s.ask("dev", "GET", "/api/settings", nil).object()["active_agent_profile_id"]; got != nil {
		t.Errorf("deleted, and the settings say %v", got)
	}
	s.ask("dev", "GET", agents+"/ours", nil).says(http.StatusNotFound, "Agent profile 'ours' not found")
	s.ask("dev", "POST", agents+"/ours/materialize", nil).says(http.StatusNotFound, "Agent profile 'ours' not found")
	s.ask("dev", "POST", agents+"/ours/rename", `{"new_name":"x"}`).says(http.StatusNotFound, "Agent profile 'ours' not found")
	s.ask("dev", "POST", agents+"/"+id+"/activate", nil).says(http.StatusNotFound, "Agent profile with id '"+id+"' not found")
	s.ask("dev", "POST", agents+"/b", `{"llm_profile_ref":"x"}`).is(http.StatusCreated)
	s.ask("dev", "POST", agents+"/b/rename", `{"new_name":"default"}`).says(http.StatusConflict, "Agent profile 'default' already exists")
}

func TestAnAgentProfileIsJudgedAsTheUpstreamDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	for body, want := range map[string]string{
		`{}`:                                    `missing at ["openhands","llm_profile_ref"]`,
		`{"llm_profile_ref":""}`:                `string_too_short at ["openhands","llm_profile_ref"]`,
		`{"llm_profile_ref":3,"x":"s3cret"}`:    `extra_forbidden at ["openhands","x"] string_type at ["openhands","llm_profile_ref"]`,
		`{"agent_kind":"zip"}`:                  `union_tag_invalid at []`,
		`{"agent_kind":"acp"}`:                  `value_error at ["agent_kind"]`,
		`{"llm_profile_ref":"a","condenser":3}`: `model_type at ["openhands","condenser","llm_summarizing"]`,
		`{"llm_profile_ref":"a","condenser":{"max_size":1,"zz":1}}`:                                                     `greater_than_equal at ["openhands","condenser","llm_summarizing","max_size"]`,
		`{"llm_profile_ref":"a","condenser":{"condenser_kind":"foo"}}`:                                                  `union_tag_invalid at ["openhands","condenser"]`,
		`{"llm_profile_ref":"a","tools":[{"name":" "},3,{"params":[]}]}`:                                                `dict_type at ["openhands","tools",2,"params"] missing at ["openhands","tools",2,"name"] model_type at ["openhands","tools",1] value_error at ["openhands","tools",0,"name"]`,
		`{"llm_profile_ref":"a","id":"x","revision":-1,"disabled_skills":null}`:                                         `greater_than_equal at ["openhands","revision"] list_type at ["openhands","disabled_skills"] uuid_parsing at ["openhands","id"]`,
		`{"llm_profile_ref":"a","id":3,"verification":3,"tools":3}`:                                                     `list_type at ["openhands","tools"] model_type at ["openhands","verification"] uuid_type at ["openhands","id"]`,
		`{"llm_profile_ref":"a","verification":{"critic_threshold":2,"critic_mode":"z","max_refinement_iterations":0}}`: `greater_than_equal at ["openhands","verification","max_refinement_iterations"] less_than_equal at ["openhands","verification","critic_threshold"] literal_error at ["openhands","verification","critic_mode"]`,
		`{"llm_profile_ref":"a","tool_concurrency_limit":"0","enable_sub_agents":"maybe"}`:                              `bool_parsing at ["openhands","enable_sub_agents"] greater_than_equal at ["openhands","tool_concurrency_limit"]`,
	} {
		a := s.ask("dev", "POST", agents+"/p", body)
		found := a.faults()
		slices.Sort(found)
		if got := strings.Join(found, " "); got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
		if strings.Contains(a.text, `"input"`) || strings.Contains(a.text, "s3cret") {
			t.Errorf("%s is echoed: %s", body, a.text)
		}
	}
	if got := s.ask("dev", "POST", agents+"/p", `[]`).faults(); len(got) != 1 || got[0] != `dict_type at ["body"]` {
		t.Errorf("a list: %v", got)
	}
	for _, version := range []string{"3", "0", "-1", "true", "1.0", `"2"`} {
		s.ask("dev", "POST", agents+"/p", `{"llm_profile_ref":"a","schema_version":`+version+`}`).says(422, "Invalid agent profile")
	}
	for body, want := range map[string]string{
		`{"llm_profile_ref":"a","schema_version":1,"skills":[1]}`:                                 `"schema_version":2`,
		`{"llm_profile_ref":"a","schema_version":null,"tool_concurrency_limit":"4"}`:              `"tool_concurrency_limit":4`,
		`{"llm_profile_ref":"a","condenser":{"condenser_kind":"no_op","max_size":1}}`:             `"condenser":{"condenser_kind":"no_op","enabled":true}`,
		`{"llm_profile_ref":"a","tools":[{"name":"terminal","params":null}]}`:                     `"tools":[{"name":"terminal","params":{}}]`,
		`{"llm_profile_ref":"a","tools":[]}`:                                                      `"tools":[]`,
		`{"llm_profile_ref":"a","verification":{"critic_api_key":"s3cret","critic_threshold":1}}`: `"critic_threshold":1,`,
	} {
		s.ask("dev", "POST", agents+"/p", body).is(http.StatusCreated)
		got := canonical(t, s.ask("dev", "GET", agents+"/p", nil).object())
		if !strings.Contains(got, want) || strings.Contains(got, "s3cret") {
			t.Errorf("%s is kept as %s", body, got)
		}
	}
	for _, name := range []string{"a%20b", strings.Repeat("a", 65), ".a"} {
		if got := s.ask("dev", "POST", agents+"/"+name, `{"llm_profile_ref":"a"}`).faults(); len(got) != 1 || !strings.HasSuffix(got[0], `["path","name"]`) {
			t.Errorf("name %s: %v", name, got)
		}
	}
}

func TestATeamsAgentProfilesAreTheAdminsToChange(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	s.ask("team ada", "POST", agents+"/house", `{"llm_profile_ref":"default"}`).is(http.StatusCreated)
	_, ids, active := s.agentList("dev")
	if ids["house"] == "" || active != ids["default"] {
		t.Fatalf("dev is shown %v, active %v", ids, active)
	}
	const teams = "'house' belongs to the team: an Admin can change it."
	s.ask("dev", "DELETE", agents+"/house", nil).says(http.StatusForbidden, teams)
	s.ask("dev", "POST", agents+"/house/rename", `{"new_name":"x"}`).says(http.StatusForbidden, teams)
	s.ask("team dev", "POST", agents+"/x", `{"llm_profile_ref":"a"}`).is(http.StatusForbidden)
	s.ask("view", "POST", agents+"/x", `{"llm_profile_ref":"a"}`).is(http.StatusForbidden)
	s.ask("view", "DELETE", agents+"/x", nil).is(http.StatusForbidden)
	s.ask("view", "POST", agents+"/"+ids["house"]+"/activate", nil).is(http.StatusForbidden)
	s.ask("dev", "POST", agents+"/"+ids["house"]+"/activate", nil).is(http.StatusOK)
	s.ask("dev", "POST", agents+"/house", `{"llm_profile_ref":"own"}`).is(http.StatusCreated)
	names, after, active := s.agentList("dev")
	if !slices.Equal(names, []string{"default", "house"}) || after["house"] == ids["house"] || active != after["house"] {
		t.Errorf("with one of dev's own: %v %v, active %v", names, after, active)
	}
	if _, seen, _ := s.agentList("view"); seen["house"] != ids["house"] {
		t.Errorf("view is shown %v", seen)
	}
	if names, _, _ := s.agentList("eve"); !slices.Equal(names, []string{"default"}) {
		t.Errorf("eve is shown %v", names)
	}
	s.ask("eve", "POST", agents+"/"+ids["house"]+"/activate", nil).is(http.StatusNotFound)
	s.ask("dev", "DELETE", agents+"/house", nil).is(http.StatusOK)
	if _, after, _ := s.agentList("dev"); after["house"] != ids["house"] {
		t.Errorf("the team's does not show again: %v", after)
	}
	s.ask("dev", "POST", agents+"/"+ids["house"]+"/activate", nil).is(http.StatusOK)
	s.ask("team ada", "DELETE", agents+"/house", nil).is(http.StatusOK)
	if _, ids, active := s.agentList("dev"); active != ids["default"] {
		t.Errorf("without the one that was active: %v of %v", active, ids)
	}
}

func TestOneAgentProfileTooMany(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	for i := range 50 {
		s.must(settings.Keep(t.Context(), s.Surface, vault.Scope{Team: s.team, User: s.dev.User}, vault.KindAgentProfile, "p"+strings.Repeat("x", i), map[string]any{"id": i}, nil))
	}
	s.ask("dev", "POST", agents+"/more", `{"llm_profile_ref":"a"}`).says(http.StatusConflict, "Agent profile limit reached (50). Delete a profile before saving a new one.")
}
