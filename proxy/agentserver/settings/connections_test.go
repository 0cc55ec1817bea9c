package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const connections = "/api/llm/provider-connections"

// connect makes a connection and gives its id.
func (s *site) connect(who, body string) string {
	s.t.Helper()
	return s.ask(who, "POST", connections, body).is(http.StatusCreated).object()["id"].(string)
}

// key is what a conversation of dev's gets with a profile.
func (s *site) key(profile string) any {
	s.t.Helper()
	llm, err := s.Profile(s.t.Context(), s.dev, s.team, profile)
	s.must(err)
	s.must(filled(s.Fill(s.t.Context(), s.dev, s.team, []any{"body"}, llm)))
	return llm["api_key"]
}

func TestAConnectionIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	made := s.ask("dev", "POST", connections, `{"display_name":"Mine","api_key":"planted-1","base_url":"https://10.1.0.1/v1"}`).is(http.StatusCreated)
	made.equals(`{"display_name":"Mine","provider":"custom","base_url":"https://10.1.0.1/v1","api_key_set":true}`, "id", "created_at", "updated_at")
	id := made.object()["id"].(string)
	at := connections + "/" + id
	if len(id) != 32 || strings.Contains(id, "-") {
		t.Errorf("its id is %s", id)
	}
	if listed := s.ask("dev", "GET", connections, nil).is(http.StatusOK); listed.text != "["+made.text+"]" {
		t.Errorf("listed as %s, made as %s", listed.text, made.text)
	}
	s.ask("dev", "POST", "/api/profiles/p", `{"llm":{"model":"openai/m","api_key":"inline","base_url":"https://10.1.0.9","provider_connection_id":"`+id+`"}}`).is(http.StatusCreated)
	s.ask("dev", "GET", "/api/profiles/p", nil).equals(`{"name":"p","config":{"model":"openai/m","api_key":null,"base_url":null,"temperature":null,
		"is_subscription":false,"provider_connection_id":"` + id + `"},"api_key_set":true}`)
	if got := s.key("p"); got != "planted-1" {
		t.Errorf("the profile's key is %v", got)
	}
	s.ask("dev", "PATCH", at, `{"display_name":"Ours","api_key":"planted-2"}`).is(http.StatusOK).
		equals(`{"id":"`+id+`","display_name":"Ours","provider":"custom","base_url":"https://10.1.0.1/v1","api_key_set":true}`, "created_at", "updated_at")
	s.ask("dev", "PATCH", at, `{"base_url":null}`).is(http.StatusOK).
		equals(`{"id":"`+id+`","display_name":"Ours","provider":"custom","base_url":null,"api_key_set":true}`, "created_at", "updated_at")
	if got := s.key("p"); got != "planted-2" {
		t.Errorf("after its change the profile's key is %v", got)
	}
	s.must(s.patch(s.dev, set(`{"provider_connection_id":"`+id+`"}`)))
	s.ask("dev", "DELETE", at, nil).says(http.StatusConflict, "Provider connection cannot be deleted while it is referenced by LLM profile(s): p and "+
		"referenced by the active agent settings. Update those references before deleting it.")
	s.must(s.patch(s.dev, set(`{"provider_connection_id":null}`)))
	s.ask("dev", "DELETE", at, nil).says(http.StatusConflict, "Provider connection cannot be deleted while it is referenced by LLM profile(s): p. "+
		"Update those references before deleting it.")
	s.ask("dev", "DELETE", "/api/profiles/p", nil).is(http.StatusOK)
	s.ask("dev", "DELETE", at, nil).is(http.StatusOK).equals(`{"id":"`+id+`","display_name":"Ours","provider":"custom","base_url":null,"api_key_set":false}`, "created_at", "updated_at")
	missing := "Provider connection '" + id + "' not found"
	s.ask("dev", "DELETE", at, nil).says(http.StatusNotFound, missing)
	s.ask("dev", "PATCH", at, `{"display_name":"x"}`).says(http.StatusNotFound, missing)
}

func TestConnectionsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	at := connections + "/" + s.connect("dev", `{"display_name":"c","api_key":"k"}`)
	for body, want := range map[string]string{
		`{"display_name":"c"}`:                                         `missing at ["body","api_key"]`,
		`{"display_name":"c","api_key":""}`:                            `too_short at ["body","api_key"]`,
		`{"display_name":"","api_key":"k"}`:                            `string_too_short at ["body","display_name"]`,
		`{"display_name":"c","api_key":"k","id":"x"}`:                  `extra_forbidden at ["body","id"]`,
		`{"display_name":"c","api_key":"gAAAAABm"}`:                    `value_error at ["body","api_key"]`,
		`{"display_name":"c","api_key":"ohv1.AAAA"}`:                   `value_error at ["body","api_key"]`,
		`{"display_name":"c","api_key":"k","base_url":"http://[::1]"}`: `value_error at ["body","base_url"]`,
	} {
		if got := s.ask("dev", "POST", connections, body).faults(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	if got := s.ask("dev", "PATCH", at, `{"display_name":null}`).faults(); len(got) != 1 || got[0] != `value_error at ["body"]` {
		t.Errorf("without a name: %v", got)
	}
	s.ask("dev", "PATCH", at, `{}`).says(422, "Provide at least one provider connection field to update")
	s.ask("dev", "PATCH", at, `{"api_key":null}`).says(422, "api_key cannot be cleared; provide a new key to rotate it")
	for range 49 {
		s.connect("dev", `{"display_name":"c","api_key":"k"}`)
	}
	s.ask("dev", "POST", connections, `{"display_name":"c","api_key":"k"}`).says(http.StatusConflict, "Provider connection limit reached (50). Delete one before adding another.")
	s.connect("team ada", `{"display_name":"c","api_key":"k"}`)
}

func TestATeamsConnectionKeepsItsKeyAtItsAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	named := s.connect("team ada", `{"display_name":"c","api_key":"teams","base_url":"https://10.1.0.1/v1"}`)
	open := s.connect("team ada", `{"display_name":"o","api_key":"teams","provider":"openai"}`)
	for _, c := range []struct {
		llm  string
		kept bool
	}{
		{`{"model":"openai/m","provider_connection_id":"` + named + `"}`, true},
		{`{"model":"groq/m","base_url":"https://10.1.0.2","provider_connection_id":"` + named + `"}`, true}, // the address is the connection's
		{`{"model":"ollama/m","ollama_base_url":"https://10.1.0.2","provider_connection_id":"` + named + `"}`, false},
		{`{"model":"huggingface/https://10.1.0.2","provider_connection_id":"` + named + `"}`, false},
		{`{"model":"openai/m","provider_connection_id":"` + open + `"}`, true},
		{`{"model":"groq/m","provider_connection_id":"` + open + `"}`, false},
		{`{"model":"openai/m","ollama_base_url":"https://10.1.0.2","provider_connection_id":"` + open + `"}`, false},
	} {
		s.must(settings.Keep(t.Context(), s.Surface, vault.Scope{Team: s.team, User: s.dev.User}, vault.KindProfile, "p", object(t, c.llm), nil)) // some could not be saved
		if got := s.key("p"); (got == "teams") != c.kept {
			t.Errorf("%s: the key is %v", c.llm, got)
		}
		s.ask("dev", "POST", "/api/profiles/p/activate", nil).is(http.StatusOK)
		if seen := s.see(s.dev, ""); seen.HasKey != c.kept {
			t.Errorf("%s: active, it has a key: %v", c.llm, seen.HasKey)
		}
	}
	s.ask("dev", "DELETE", connections+"/"+named, nil).says(http.StatusForbidden, "'"+named+"' belongs to the team: an Admin can change it.")
	s.ask("dev", "PATCH", connections+"/"+named, `{"base_url":"https://10.1.0.2"}`).says(http.StatusForbidden, "'"+named+"' belongs to the team: an Admin can change it.")
	s.ask("eve", "PATCH", connections+"/"+named, `{"base_url":"https://10.1.0.2"}`).is(http.StatusNotFound)
	s.ask("view", "POST", connections, `{"display_name":"c","api_key":"k"}`).is(http.StatusForbidden)
	if a := s.ask("eve", "GET", connections, nil); a.text != "[]" {
		t.Errorf("eve is shown %s", a.text)
	}
}

func TestAProfileWhoseConnectionIsMissingIsBroken(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "POST", "/api/profiles/p", `{"llm":{"model":"openai/m","provider_connection_id":"gone"}}`).is(http.StatusCreated)
	s.ask("dev", "GET", "/api/profiles", nil).is(http.StatusOK).equals(`{"profiles":[{"name":"p","model":"openai/m","base_url":null,"provider_connection_id":"gone",
		"provider_connection_broken":true,"api_key_set":false}],"active_profile":null}`)
	const broken = "Profile 'p' references provider connection 'gone', which does not exist. Update the profile or recreate the connection."
	s.ask("dev", "POST", "/api/profiles/p/activate", nil).says(422, broken)
	s.ask("dev", "PATCH", "/api/settings", `{"active_profile":"p"}`).says(422, broken)
	s.ask("dev", "POST", agents+"/a", `{"llm_profile_ref":"p"}`).is(http.StatusCreated)
	if report := s.ask("dev", "POST", agents+"/a/materialize", nil).object(); report["valid"] != false || !strings.Contains(canonical(t, report["errors"]), broken) {
		t.Errorf("materialized: %v", report)
	}
}
