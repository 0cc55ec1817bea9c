package settings_test

import (
	"net/http"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

const configurations = "/api/llm-configurations"

func TestAConfigurationIsAViewOnAProfile(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "POST", models+"/one", `{"llm":{"model":"openai/m","api_key":"k","extra_headers":{"A":"planted"}}}`).is(http.StatusCreated)
	s.ask("dev", "POST", configurations, `{"name":"two","provider":"groq","model":"m","api_key":"k"}`).is(http.StatusCreated)
	s.ask("dev", "POST", configurations, `{"name":"two","model":"m"}`).says(http.StatusConflict, "There is a configuration 'two' already")
	id := s.configuration("one")
	s.ask("dev", "PUT", configurations+"/"+id, `{"name":"two"}`).says(http.StatusConflict, "There is a configuration 'two' already")
	s.ask("dev", "PUT", configurations+"/"+id, `{"name":"three","model":"openai/n"}`).is(http.StatusOK)
	llm := s.ask("dev", "GET", models+"/three", nil, "X-Expose-Secrets: plaintext").is(http.StatusOK).object()["config"].(map[string]any)
	if headers, _ := llm["extra_headers"].(map[string]any); llm["model"] != "openai/n" || llm["api_key"] != "k" || headers["A"] != "planted" {
		t.Errorf("the profile is %v", llm)
	}
	s.ask("dev", "GET", configurations+"/"+id, nil).is(http.StatusOK)
	s.ask("eve", "GET", configurations+"/"+id, nil).says(http.StatusNotFound, "LLM configuration not found")
	s.ask("dev", "POST", configurations+"/test", `{"model":"nobody-knows-it/m"}`).is(http.StatusOK).equals(`{"success":true,"message":null}`)
	s.ask("dev", "POST", configurations+"/"+id+"/default", nil).is(http.StatusOK)
	for _, call := range [][2]string{{"GET", configurations}, {"POST", configurations}, {"DELETE", configurations + "/" + id}, {"GET", configurations + "/" + id}} {
		s.ask("team ada", call[0], call[1], `{"name":"x","model":"m"}`).is(http.StatusBadRequest)
	}
	s.ask("dev", "DELETE", configurations+"/"+id, nil).is(http.StatusNoContent)
}

// configuration is the id of the one of a name.
func (s *site) configuration(name string) string {
	s.t.Helper()
	listed := object(s.t, `{"all":`+s.ask("dev", "GET", configurations, nil).is(http.StatusOK).text+`}`)["all"].([]any)
	for _, c := range listed {
		if c := c.(map[string]any); c["name"] == name {
			return c["id"].(string)
		}
	}
	s.t.Fatalf("there is no configuration %s in %v", name, listed)
	return ""
}
