package settings_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

const models = "/api/profiles"

func TestAModelProfileIsSavedShownRenamedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "POST", models+"/fast", `{"llm":{"model":"groq/fast","api_key":"planted","base_url":"https://10.1.0.1"}}`).is(http.StatusCreated).
		equals(`{"name":"fast","message":"Profile 'fast' saved"}`)
	s.ask("dev", "GET", models, nil).is(http.StatusOK).equals(`{"profiles":[{"name":"fast","model":"groq/fast","base_url":"https://10.1.0.1",
		"provider_connection_id":null,"provider_connection_broken":false,"api_key_set":true}],"active_profile":null}`)
	s.ask("dev", "GET", models+"/fast", nil).is(http.StatusOK).equals(`{"name":"fast","config":{"model":"groq/fast","api_key":null,
		"base_url":"https://10.1.0.1","temperature":null,"is_subscription":false},"api_key_set":true}`)
	key := func(expose string) string {
		config := s.ask("dev", "GET", models+"/fast", nil, "X-Expose-Secrets: "+expose).is(http.StatusOK).object()["config"].(map[string]any)
		text, _ := config["api_key"].(string)
		return text
	}
	if key("plaintext") != "planted" || !strings.HasPrefix(key("encrypted"), "ohv1.") {
		t.Errorf("shown as %q and %q", key("plaintext"), key("encrypted"))
	}
	s.ask("view", "GET", models+"/fast", nil, "X-Expose-Secrets: plaintext").is(http.StatusForbidden)
	s.ask("dev", "GET", models+"/fast", nil, "X-Expose-Secrets: no").is(http.StatusBadRequest)
	for _, same := range []string{"**********", key("encrypted")} {
		s.ask("dev", "POST", models+"/fast", map[string]any{"llm": map[string]any{"model": "groq/faster", "api_key": same}}).is(http.StatusCreated)
		if got := key("plaintext"); got != "planted" {
			t.Errorf("written back as %q it is %q", same, got)
		}
	}
	s.ask("dev", "POST", models+"/fast/activate", nil).is(http.StatusOK).equals(`{"name":"fast","message":"Profile 'fast' activated and applied to current settings","llm_applied":true}`)
	s.shows("dev", s.llm(s.dev, "plaintext"), [3]any{"groq/faster", nil, "planted"})
	s.ask("dev", "POST", agents+"/a", `{"llm_profile_ref":"fast"}`).is(http.StatusCreated)
	s.ask("dev", "POST", agents+"/b", `{"llm_profile_ref":"fast"}`).is(http.StatusCreated)
	s.ask("dev", "POST", models+"/fast/rename", `{"new_name":"quick"}`).is(http.StatusOK).equals(`{"name":"quick","message":"Profile 'fast' renamed to 'quick'"}`)
	s.ask("dev", "POST", models+"/quick/rename", `{"new_name":"quick"}`).is(http.StatusOK).equals(`{"name":"quick","message":"Profile 'quick' unchanged (same name)"}`)
	s.shows("dev after the renaming", s.llm(s.dev, "plaintext"), [3]any{"groq/faster", nil, "planted"})
	if got := s.ask("dev", "GET", models, nil).object()["active_profile"]; got != "quick" {
		t.Errorf("active is %v", got)
	}
	s.ask("dev", "DELETE", models+"/quick", nil).says(http.StatusConflict, "LLM profile is referenced by 3 agent profile(s): a, b, default")
	for _, name := range []string{"a", "b", "default"} {
		s.ask("dev", "DELETE", agents+"/"+name, nil).is(http.StatusOK)
	}
	s.ask("dev", "DELETE", models+"/quick", nil).is(http.StatusOK).equals(`{"name":"quick","message":"Profile 'quick' deleted"}`)
	s.ask("dev", "DELETE", models+"/quick", nil).is(http.StatusOK)
	s.ask("dev", "GET", models, nil).equals(`{"profiles":[],"active_profile":null}`)
	s.ask("dev", "GET", models+"/quick", nil).says(http.StatusNotFound, "Profile 'quick' not found")
	s.ask("dev", "POST", models+"/quick/activate", nil).says(http.StatusNotFound, "Profile 'quick' not found")
	s.ask("dev", "POST", models+"/quick/rename", `{"new_name":"x"}`).says(http.StatusNotFound, "Profile 'quick' not found")
}

func TestAKeyIsKeptOnlyWhereItIsSent(t *testing.T) {
	t.Parallel()
	for llm, kept := range map[string]bool{
		`{"llm":{"model":"m","api_key":"new"}}`:                            true,
		`{"llm":{"model":"m","api_key":"new"},"include_secrets":false}`:    false,
		`{"llm":{"model":"m"}}`:                                            false,
		`{"llm":{"model":"m","api_key":null}}`:                             false,
		`{"llm":{"model":"m","api_key":""}}`:                               false,
		`{"llm":{"model":"m","api_key":"**********"}}`:                     true,
		`{"llm":{"model":"m","api_key":"**********"},"include_secrets":0}`: false,
	} {
		t.Run(llm, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, settings.Operator{})
			s.ask("dev", "POST", models+"/p", `{"llm":{"model":"m","api_key":"old"}}`).is(http.StatusCreated)
			s.ask("dev", "POST", models+"/p", llm).is(http.StatusCreated)
			if got := s.ask("dev", "GET", models+"/p", nil).object()["api_key_set"]; got != kept {
				t.Errorf("a key is kept: %v", got)
			}
		})
	}
}

func TestModelProfilesOfTheTeamAndTheOperator(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	s.ask("dev", "GET", models, nil).is(http.StatusOK).equals(`{"profiles":[{"name":"default","model":"openai/op","base_url":"http://127.0.0.1:9/v1",
		"provider_connection_id":null,"provider_connection_broken":false,"api_key_set":true}],"active_profile":"default"}`)
	for _, expose := range []string{"plaintext", "encrypted"} {
		config := s.ask("ada", "GET", models+"/default", nil, "X-Expose-Secrets: "+expose).is(http.StatusOK).object()["config"].(map[string]any)
		if config["api_key"] != settings.OperatorMarker {
			t.Errorf("the operator's key is shown as %v", config["api_key"])
		}
	}
	s.ask("team ada", "POST", models+"/house", `{"llm":{"model":"openai/m","api_key":"teams","base_url":"https://10.1.0.1"}}`).is(http.StatusCreated)
	config := s.ask("dev", "GET", models+"/house", nil, "X-Expose-Secrets: plaintext").is(http.StatusOK).object()["config"].(map[string]any)
	token, _ := config["api_key"].(string)
	if !strings.HasPrefix(token, "ohv1.") {
		t.Errorf("dev is shown the team's key as %v", token)
	}
	for name, address := range map[string]string{"stolen": "https://10.1.0.2", "copied": "https://10.1.0.1"} {
		got := s.ask("dev", "POST", models+"/"+name, map[string]any{"llm": map[string]any{"model": "openai/m", "api_key": token, "base_url": address}}).faults()
		if len(got) != 1 || got[0] != `value_error at ["body","llm","api_key"]` {
			t.Errorf("with the team's token a profile of dev's is %s: %v", name, got)
		}
	}
	const teams = "'house' belongs to the team: an Admin can change it."
	s.ask("dev", "DELETE", models+"/house", nil).says(http.StatusForbidden, teams)
	s.ask("dev", "POST", models+"/house/rename", `{"new_name":"x"}`).says(http.StatusForbidden, teams)
	s.ask("dev", "POST", models+"/house/activate", nil).is(http.StatusOK)
	s.shows("dev", s.llm(s.dev, ""), [3]any{"openai/m", "https://10.1.0.1", "**********"})
	s.ask("dev", "POST", models+"/default/activate", nil).is(http.StatusOK)
	s.shows("dev", s.llm(s.dev, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", "**********"})
	for _, who := range []string{"view", "team dev"} {
		s.ask(who, "POST", models+"/x", `{"llm":{"model":"m"}}`).is(http.StatusForbidden)
		s.ask(who, "DELETE", models+"/x", nil).is(http.StatusForbidden)
		s.ask(who, "POST", models+"/x/rename", `{"new_name":"y"}`).is(http.StatusForbidden)
		s.ask(who, "POST", models+"/house/activate", nil).is(http.StatusForbidden)
	}
	s.ask("eve", "GET", models+"/house", nil).is(http.StatusNotFound)
	s.ask("dev", "POST", models+"/house", `{"llm":{"model":"openai/own"}}`).is(http.StatusCreated)
	if got := s.ask("dev", "GET", models+"/house", nil).object()["config"].(map[string]any)["model"]; got != "openai/own" {
		t.Errorf("dev's own is not shown, but %v", got)
	}
}

func TestModelProfilesThatCannotBeKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for body, want := range map[string]string{
		`{}`:                                     `missing at ["body","llm"]`,
		`{"llm":3}`:                              `model_attributes_type at ["body","llm"]`,
		`{"llm":{"model":""}}`:                   `value_error at ["body","llm"]`,
		`{"llm":{"model":"m","temperature":-1}}`: `greater_than_equal at ["body","llm","temperature"]`,
		`{"llm":{"model":"m","api_key":"gAAAAB"}}`:                   `value_error at ["body","llm","api_key"]`,
		`{"llm":{"model":"m","api_key":"ohv1.x"}}`:                   `value_error at ["body","llm","api_key"]`,
		`{"llm":{"model":"m","base_url":"http://169.254.169.254"}}`:  `value_error at ["body","llm","base_url"]`,
		`{"llm":{"model":"m","ollama_base_url":"http://127.0.0.1"}}`: `value_error at ["body","llm","ollama_base_url"]`,
	} {
		if got := s.ask("dev", "POST", models+"/p", body).faults(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	for _, name := range []string{"a%20b", strings.Repeat("a", 65), ".a"} {
		if got := s.ask("dev", "POST", models+"/"+name, `{"llm":{"model":"m"}}`).faults(); len(got) != 1 || !strings.HasSuffix(got[0], `["path","name"]`) {
			t.Errorf("name %s: %v", name, got)
		}
	}
	for i := range 50 {
		s.ask("dev", "POST", fmt.Sprint(models, "/p", i), `{"llm":{"model":"m"}}`).is(http.StatusCreated)
	}
	s.ask("dev", "POST", models+"/more", `{"llm":{"model":"m"}}`).says(http.StatusConflict, "Profile limit reached (50). Delete a profile before saving a new one.")
	s.ask("dev", "POST", models+"/P1", `{"llm":{"model":"m"}}`).is(http.StatusConflict)
	s.ask("dev", "POST", models+"/p1/rename", `{"new_name":"p2"}`).says(http.StatusConflict, "Profile 'p2' already exists")
	s.ask("dev", "POST", models+"/p1/rename", `{"new_name":"P1"}`).is(http.StatusOK)
}
