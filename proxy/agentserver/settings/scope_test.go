package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// An Owner's key is worth what its scope allows. The routes here ask for settings:read alone, so that what refuses is the surface.
func TestAKeySeesAndChangesNoMoreThanItsScopeAllows(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "PUT", secrets, `{"name":"SHARED","value":"teams"}`).is(http.StatusOK)
	s.ask("ada", "PUT", secrets, `{"name":"MINE","value":"own"}`).is(http.StatusOK)
	s.ask("ada", "PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"api_key":"sk-own"}}}`).is(http.StatusOK)
	person := s.ada
	with := func(scope access.Scope) {
		key := *person
		key.Key, key.Scope = true, scope
		s.ada = &key
	}
	const scope, plaintext = "The scope of this API key does not allow this. Use a key with a higher scope.", "X-Expose-Secrets: plaintext"

	with(access.ScopeRead)
	s.ask("ada", "GET", secrets, nil).is(http.StatusOK)
	s.ask("ada", "GET", secrets+"/MINE", nil).says(http.StatusForbidden, scope)
	s.ask("ada", "GET", secrets+"/SHARED", nil).says(http.StatusForbidden, scope)
	s.ask("ada", "GET", "/api/settings", nil, plaintext).says(http.StatusForbidden, scope)
	s.ask("ada", "PUT", secrets, `{"name":"MINE","value":"other"}`).says(http.StatusForbidden, scope)
	s.ask("ada", "DELETE", secrets+"/MINE", nil).says(http.StatusForbidden, scope)
	s.ask("ada", "PATCH", "/api/settings", `{"misc_settings_diff":{"app_preferences":{"a":1}}}`).says(http.StatusForbidden, scope)
	s.ask("team ada", "GET", secrets, nil).says(http.StatusForbidden, scope)

	with(access.ScopeWrite)
	if a := s.ask("ada", "GET", secrets+"/MINE", nil).is(http.StatusOK); a.text != "own" {
		t.Errorf("one's own is %q", a.text)
	}
	if a := s.ask("ada", "GET", secrets+"/SHARED", nil).is(http.StatusOK); !strings.HasPrefix(a.text, "ohv1.") {
		t.Errorf("the team's is %q", a.text)
	}
	if a := s.ask("ada", "GET", "/api/settings", nil, plaintext).is(http.StatusOK); !strings.Contains(a.text, "sk-own") {
		t.Errorf("one's own is not in %s", a.text)
	}
	s.ask("team ada", "PUT", secrets, `{"name":"SHARED","value":"other"}`).says(http.StatusForbidden, scope)
	s.ask("team ada", "GET", secrets, nil).says(http.StatusForbidden, scope)
	s.ask("ada", "PATCH", "/api/settings", `{"misc_settings_diff":{"app_preferences":{"a":1}}}`).is(http.StatusOK)

	with(access.ScopeAdmin)
	if a := s.ask("ada", "GET", secrets+"/SHARED", nil).is(http.StatusOK); a.text != "teams" {
		t.Errorf("the team's is %q", a.text)
	}
	s.ask("team ada", "PUT", secrets, `{"name":"SHARED","value":"other"}`).is(http.StatusOK)
}
