package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

const mcp = "/api/settings/mcp/"

// servers are the MCP servers that an answer of the settings shows.
func (a asked) servers() string {
	a.t.Helper()
	agent, _ := a.object()["agent_settings"].(map[string]any)
	return canonical(a.t, agent["mcp_config"])
}

func TestAnMCPServerIsMadeChangedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	made := s.ask("dev", "POST", mcp+"a", `{"url":"https://10.1.0.1/mcp","headers":{"X-Key":"planted","X-Other":"planted-too"},"env":null}`).is(http.StatusCreated)
	if got, want := made.servers(), `{"a":{"enabled":true,"headers":{"X-Key":"**********","X-Other":"**********"},"url":"https://10.1.0.1/mcp"}}`; got != want {
		t.Errorf("made %s, want %s", got, want)
	}
	s.ask("dev", "POST", mcp+"a", `{"url":"https://10.1.0.1"}`).says(http.StatusConflict, "MCP server 'a' already exists")
	changed := s.ask("dev", "PATCH", mcp+"a", `{"enabled":false,"headers":{"X-Other":null}}`).is(http.StatusOK)
	if got, want := changed.servers(), `{"a":{"enabled":false,"headers":{"X-Key":"**********"},"url":"https://10.1.0.1/mcp"}}`; got != want {
		t.Errorf("changed to %s, want %s", got, want)
	}
	shown := s.ask("dev", "GET", "/api/settings", nil, "X-Expose-Secrets: plaintext").servers()
	if !strings.Contains(shown, `"X-Key":"planted"`) {
		t.Errorf("in clear: %s", shown)
	}
	s.ask("dev", "PATCH", mcp+"b", `{"enabled":false}`).says(http.StatusNotFound, "MCP server 'b' was not found")
	s.ask("dev", "DELETE", mcp+"b", nil).says(http.StatusNotFound, "MCP server 'b' was not found")
	if got := s.ask("dev", "DELETE", mcp+"a", nil).is(http.StatusOK).servers(); got != "{}" {
		t.Errorf("deleted, and there is %s", got)
	}
	var left int
	s.must(s.db.GetContext(t.Context(), &left, `SELECT count(*) FROM vault_documents WHERE sealed <> '{}'`))
	if left != 0 {
		t.Error("its secrets are still there")
	}
}

func TestATeamsMCPServerIsTheAdminsToDelete(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "POST", mcp+"a", `{"url":"https://10.1.0.1","headers":{"X-Key":"planted"}}`).is(http.StatusCreated)
	s.ask("dev", "POST", mcp+"a", `{"url":"https://10.1.0.2"}`).is(http.StatusConflict)
	s.ask("dev", "DELETE", mcp+"a", nil).says(http.StatusForbidden, "'a' belongs to the team: an Admin can change it.")
	s.ask("dev", "PATCH", mcp+"a", `{"enabled":false}`).is(http.StatusOK)
	if got := s.ask("dev", "DELETE", mcp+"a", nil).is(http.StatusOK).servers(); got != `{"a":{"enabled":true,"headers":{"X-Key":"**********"},"url":"https://10.1.0.1"}}` {
		t.Errorf("the team's does not show again: %s", got)
	}
	if got := s.ask("dev", "PATCH", mcp+"a", `{"url":"https://10.1.0.2"}`).is(http.StatusOK).servers(); strings.Contains(got, "X-Key") {
		t.Errorf("the team's header goes elsewhere: %s", got)
	}
	for _, who := range []string{"view", "team dev", "team view"} {
		s.ask(who, "PATCH", mcp+"a", `{"enabled":false}`).is(http.StatusForbidden)
		s.ask(who, "DELETE", mcp+"a", nil).is(http.StatusForbidden)
		s.ask(who, "POST", mcp+"c", `{"url":"https://10.1.0.1"}`).is(http.StatusForbidden)
	}
	s.ask("eve", "DELETE", mcp+"a", nil).is(http.StatusNotFound)
	if got := s.ask("team ada", "DELETE", mcp+"a", nil).is(http.StatusOK).servers(); got != "{}" {
		t.Errorf("deleted, and there is %s", got)
	}
}

func TestMCPServersThatCannotBeCalledAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for body, want := range map[string]string{
		`{"url":"http://127.0.0.1:1/"}`:                  `value_error at ["body","agent_settings_diff","mcp_config","a","url"]`,
		`{"url":"http://169.254.169.254/latest/"}`:       `value_error at ["body","agent_settings_diff","mcp_config","a","url"]`,
		`{"command":"sh"}`:                               `value_error at ["body","agent_settings_diff","mcp_config","a","command"]`,
		`{"nope":1}`:                                     `extra_forbidden at ["body","nope"]`,
		`{"url":3}`:                                      `string_type at ["body","url"]`,
		`{"transport":"sse"}`:                            `value_error at ["body"]`,
		`{"transport":"stdio","url":"https://10.1.0.1"}`: `value_error at ["body"]`,
		`{"url":"https://10.1.0.1","headers":{"authorization":"b"},"auth":{"strategy":"bearer","value":"v"}}`: `value_error at ["body"]`,
	} {
		if got := s.ask("dev", "POST", mcp+"a", body).faults(); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	s.ask("dev", "POST", mcp+"a", `{"url":"https://10.1.0.1","headers":{"Authorization":"b"}}`).is(http.StatusCreated)
	for _, patch := range []string{`{"auth":{"strategy":"bearer","value":"v"}}`, `{"transport":"stdio"}`, `{"url":null,"transport":"http"}`} {
		s.ask("dev", "PATCH", "/api/settings", `{"agent_settings_diff":{"mcp_config":{"a":`+patch+`}}}`).says(422, "Settings validation failed")
	}
}
