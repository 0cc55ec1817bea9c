package agentserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// Keys in the anonymous tenant's own files.
const (
	storedKey  = "sk-stored-in-the-files"
	profileKey = "sk-stored-in-a-profile"
)

// filesOf answers like an upstream with settings, keys and one more profile in its files. It shows keys when told to.
func filesOf(w http.ResponseWriter, r *http.Request, _ []byte) bool {
	hidden := func(key string, mask any) any {
		if r.Header.Get("X-Expose-Secrets") == "plaintext" {
			return key
		}
		return mask
	}
	answers := map[string]any{
		"/api/settings": map[string]any{
			"agent_settings": map[string]any{
				"llm":        map[string]any{"model": "openai/stored", "base_url": "http://10.9.9.9/v1", "api_key": hidden(storedKey, "**********")},
				"mcp_config": map[string]any{"x": map[string]any{"command": "sh"}},
			},
			"llm_api_key_is_set": true,
		},
		"/api/profiles": map[string]any{"profiles": []any{map[string]any{"name": "fast", "model": "openai/fast"}}, "active_profile": nil},
		"/api/profiles/fast": map[string]any{
			"name": "fast", "api_key_set": true,
			"config": map[string]any{"model": "openai/fast", "base_url": nil, "api_key": hidden(profileKey, nil)},
		},
		"/api/settings/secrets": map[string]any{"secrets": []any{map[string]any{"name": "TOKEN"}}},
	}
	answer, known := answers[r.URL.Path]
	if known {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
	return known
}

func newFiles(t testing.TB) *world {
	t.Helper()
	w := newHouse(t, withFiles)
	w.upstream.script(filesOf)
	return w
}

func TestTheAnonymousTenantSeesItsOwnFilesWithMarkersForKeys(t *testing.T) {
	t.Parallel()
	w := newFiles(t)
	for mode, key := range map[string]string{"": "**********", "plaintext": "stored-key", "encrypted": "stored-key"} {
		a := w.askFor(mode, "nobody", "/api/settings")
		llm := within(t, a.object(t), "agent_settings", "llm").(map[string]any)
		if llm["model"] != "openai/stored" || llm["api_key"] != key || strings.Contains(a.body, "command") {
			t.Errorf("%q: %s", mode, a.body)
		}
		a = w.askFor(mode, "nobody", "/api/profiles/fast")
		if strings.Contains(a.body, profileKey) || (mode != "") != (within(t, a.object(t), "config", "api_key") == "stored-key") {
			t.Errorf("%q: %s", mode, a.body)
		}
	}
	if a := w.ask("nobody", "GET", "/api/settings/secrets", nil); !strings.Contains(a.body, "TOKEN") {
		t.Errorf("the secrets are %s", a.body)
	}
	if shown := w.upstream.arrived("/api/settings")[0].header.Get("X-Expose-Secrets"); shown != "" {
		t.Errorf("the upstream was told to show keys: %q", shown)
	}
}

func TestTheFilesServeNobodyWhoSignedIn(t *testing.T) {
	t.Parallel()
	w := newFiles(t)
	for _, path := range []string{"/api/settings", "/api/profiles", "/api/profiles/fast", "/api/settings/secrets", "/api/settings/secrets/TOKEN"} {
		a := w.ask("ann", "GET", path, nil)
		if strings.Contains(a.body, "stored") || strings.Contains(a.body, "fast\"") || strings.Contains(a.body, "TOKEN") {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if a := w.start("ann", map[string]any{"model": "openai/stored", "api_key": "stored-key"}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("ann used the stored key: %d %s", a.status, a.body)
	}
}

func TestAStoredKeyGoesInWithItsOwnModelAndAddressOnly(t *testing.T) {
	t.Parallel()
	w := newFiles(t)
	for _, c := range []struct {
		llm map[string]any
		key string // "" is refused
	}{
		{map[string]any{}, storedKey},
		{map[string]any{"model": "openai/stored", "api_key": "stored-key"}, storedKey},
		{map[string]any{"model": "openai/stored", "api_key": "stored-key", "base_url": "http://10.9.9.9/v1"}, storedKey},
		{map[string]any{"model": "openai/fast", "api_key": "stored-key"}, profileKey},
		{map[string]any{"model": "openai/mine", "api_key": "sk-mine"}, "sk-mine"},
		{map[string]any{"model": "openai/stored", "api_key": "stored-key", "base_url": "http://203.0.113.9/v1"}, ""},
		{map[string]any{"model": "openai/fast", "api_key": "stored-key", "base_url": "http://10.9.9.9/v1"}, ""},
		{map[string]any{"model": "openai/other", "api_key": "stored-key"}, ""},
		{map[string]any{"model": "openai/other", "api_key": "gAAAAABm"}, ""},
	} {
		a := w.start("nobody", c.llm)
		if strings.Contains(a.body, storedKey) || strings.Contains(a.body, profileKey) {
			t.Errorf("%v: a key got out", c.llm)
		}
		switch {
		case c.key == "" && a.status != http.StatusUnprocessableEntity, c.key != "" && a.status != http.StatusCreated:
			t.Errorf("%v: %d %s", c.llm, a.status, a.body)
		case c.key != "" && w.llmOf()["api_key"] != c.key:
			t.Errorf("%v became %v", c.llm, w.llmOf())
		}
	}
}

func TestAChangeOfTheFilesCannotLeadAStoredKeyElsewhere(t *testing.T) {
	t.Parallel()
	w := newFiles(t)
	for _, c := range []struct {
		method, path, body string
		forwarded          bool
	}{
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"openai/stored2"}}}`, true},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"base_url":"http://203.0.113.9/v1","api_key":"sk-new"}}}`, true},
		{"PATCH", "/api/settings", `{"misc_settings_diff":{"app_preferences":{"language":"de"}}}`, true},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"base_url":"http://203.0.113.9/v1"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"base_url":"http://203.0.113.9/v1","api_key":"stored-key"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"base_url":"http://127.0.0.1/v1","api_key":"sk-new"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"ollama_base_url":"http://127.0.0.1"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"api_key":"gAAAAABm"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"mcp_config":{"x":{"command":"sh"}}}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":"openai/new","api_key":"sk-new"}}`, true},
		{"POST", "/api/profiles/new", `{"llm":{"model":"openai/new","api_key":"sk-new","base_url":"http://169.254.169.254"}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":"openai/new","api_key":"stored-key"}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":"openai/new","api_key":"gAAAAABm"}}`, false},
		{"POST", "/api/profiles/new/validate", `{"llm":{"model":"openai/new","api_key":"gAAAAABm","base_url":"http://203.0.113.9"}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"oobabooga/http://169.254.169.254","api_key":"sk"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"ollama/x","api_key":"sk"}}}`, false},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"ollama/x","api_key":"sk","base_url":"http://203.0.113.9"}}}`, true},
		{"PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"vertex_ai/gemini"}}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":"oobabooga/http://169.254.169.254"}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":"ollama/x"}}`, false},
		{"POST", "/api/profiles/new", `{"llm":{"model":7}}`, false},
		{"POST", "/api/profiles/new/validate", `{"llm":{"model":"oobabooga/http://169.254.169.254","api_key":"sk"}}`, false},
		{"POST", "/api/profiles/new/validate", `{"llm":{"model":"ollama/x","api_key":"sk"}}`, false},
		{"POST", "/api/profiles/new/validate", `{"llm":{"model":"openai/x","api_key":"sk"}}`, true},
		{"PUT", "/api/settings/secrets", `{"name":"TOKEN","value":"clear"}`, true},
		{"PUT", "/api/settings/secrets", `{"name":"TOKEN","value":"gAAAAABm"}`, false},
		{"POST", "/api/settings/mcp/x", `{"command":"sh"}`, false},
	} {
		w.upstream.forget()
		a := w.ask("nobody", c.method, c.path, c.body)
		forwarded := false
		for _, r := range w.upstream.arrived(c.path) {
			forwarded = forwarded || r.method == c.method
		}
		if forwarded != c.forwarded || !c.forwarded && a.status/100 != 4 {
			t.Errorf("%s %s %s: forwarded is %v, %d %s", c.method, c.path, c.body, forwarded, a.status, a.body)
		}
	}
}

func TestAStoredKeyIsPutIntoACopyOfItsOwnProfile(t *testing.T) {
	t.Parallel()
	w := newFiles(t)
	a := w.ask("nobody", "POST", "/api/profiles/copy", `{"llm":{"model":"openai/fast","api_key":"stored-key"}}`)
	saved := w.upstream.arrived("/api/profiles/copy")
	if len(saved) != 1 || !strings.Contains(saved[0].body, profileKey) || strings.Contains(a.body, profileKey) {
		t.Errorf("saved %v, answered %s", saved, a.body)
	}
}

// The upstream keeps its files on its own disk, where every agent can read them.
func TestTheOperatorsKeyIsNeverWrittenIntoTheFiles(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withFilesAndModel)
	w.upstream.script(filesOf)
	house := func(key string) map[string]any {
		return map[string]any{"model": house.Model, "base_url": house.BaseURL, "api_key": key}
	}
	for _, key := range []string{"operator-managed-key", " operator-managed-key ", "stored-key", "**********"} {
		for _, path := range []string{"/api/profiles/x", "/api/profiles/x/validate"} {
			a := w.ask("nobody", "POST", path, map[string]any{"llm": house(key)})
			if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `["body","llm","api_key"]`) {
				t.Errorf("%s with %q: %d %s", path, key, a.status, a.body)
			}
		}
	}
	for _, llm := range []map[string]any{
		{"model": house("")["model"], "api_key": "operator-managed-key"},
		{"model": "bedrock/x", "aws_access_key_id": "a", "aws_secret_access_key": "b", "api_key": "operator-managed-key"},
	} {
		a := w.ask("nobody", "PATCH", "/api/settings", map[string]any{"agent_settings_diff": map[string]any{"llm": llm}})
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `["body","agent_settings_diff","llm","api_key"]`) {
			t.Errorf("%v: %d %s", llm, a.status, a.body)
		}
	}
	for _, r := range w.upstream.arrived("/api/") {
		if strings.Contains(r.body, operatorKey) || r.method != "GET" {
			t.Errorf("the upstream got %s %s %s", r.method, r.path, r.body)
		}
	}
	if a := w.start("nobody", house("operator-managed-key")); a.status != http.StatusCreated || w.llmOf()["api_key"] != operatorKey {
		t.Errorf("a conversation cannot use the operator's model: %d %s", a.status, a.body)
	}
}

// A key in the files that may not be shown comes to us as a mask; and markers may have been written there as they are.
func TestAMaskInTheFilesIsNoKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{operatorKey, "**********", "stored-key", "operator-managed-key"} {
		w := newHouse(t, withFilesAndModel)
		w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.URL.Path != "/api/settings" {
				return filesOf(rw, r, body)
			}
			_ = json.NewEncoder(rw).Encode(map[string]any{"agent_settings": map[string]any{
				"llm": map[string]any{"model": house.Model, "base_url": house.BaseURL, "api_key": key},
			}})
			return true
		})
		for _, llm := range []map[string]any{{"model": house.Model}, {"model": house.Model, "api_key": "stored-key"}} {
			if a := w.start("nobody", llm); a.status != http.StatusCreated || w.llmOf()["api_key"] != operatorKey {
				t.Errorf("stored %q, asked for %v: %d, sent %v", key, llm, a.status, w.llmOf())
			}
		}
	}
}

func TestAnAnswerThatIsNoJSONIsTheBackendsFailure(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withFiles)
	w.upstream.script(func(rw http.ResponseWriter, _ *http.Request, _ []byte) bool {
		_, _ = rw.Write([]byte("<html>/secret/path"))
		return true
	})
	for who, paths := range map[string][]string{"nobody": {"/api/settings", "/api/profiles/fast"}, "ann": {"/api/settings"}} {
		for _, path := range paths {
			if a := w.ask(who, "GET", path, nil); a.status != http.StatusBadGateway || strings.Contains(a.body, "secret") {
				t.Errorf("%s %s: %d %s", who, path, a.status, a.body)
			}
		}
	}
	if a := w.start("nobody", map[string]any{}); a.status != http.StatusBadGateway {
		t.Errorf("create: %d %s", a.status, a.body)
	}
}

func TestAStoredModelThatLeadsToTheHostIsNotLent(t *testing.T) {
	t.Parallel()
	for _, llm := range []map[string]any{
		{"model": "oobabooga/http://169.254.169.254", "api_key": "sk-stored"},
		{"model": "ollama/x", "api_key": "sk-stored"},
		{"model": "vertex_ai/gemini", "api_key": "sk-stored"},
	} {
		w := newHouse(t, withFiles)
		w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.URL.Path != "/api/settings" {
				return filesOf(rw, r, body)
			}
			_ = json.NewEncoder(rw).Encode(map[string]any{"agent_settings": map[string]any{"llm": llm}})
			return true
		})
		if a := w.start("nobody", map[string]any{}); a.status != http.StatusCreated || w.llmOf()["model"] != "openai/fast" {
			t.Errorf("%v: %d %s, sent %v", llm, a.status, a.body, w.llmOf())
		}
	}
}

func TestProfilesOfTheServerAreClosedOnceThereAreUsers(t *testing.T) {
	t.Parallel()
	users := false
	w := newHouse(t, func(c *agentserver.Config) {
		withFiles(c)
		c.HasUsers = func(context.Context) (bool, error) { return users, nil }
	})
	w.upstream.script(filesOf)
	for _, users = range []bool{false, true} {
		for _, c := range []struct {
			method, path string
			closes       bool
		}{
			{"POST", "/api/profiles/fast", true}, {"POST", "/api/profiles/fast/rename", true}, {"POST", "/api/profiles/fast/activate", true},
			{"POST", "/api/profiles/fast/validate", false}, {"GET", "/api/profiles/fast", false}, {"DELETE", "/api/profiles/fast", false},
		} {
			w.upstream.forget()
			a := w.ask("nobody", c.method, c.path, `{"llm":{"model":"openai/new","api_key":"sk-new"},"new_name":"x"}`)
			refused := a.status == http.StatusForbidden && len(w.upstream.arrived("/")) == 0
			if refused != (users && c.closes) || !refused && a.status != http.StatusOK {
				t.Errorf("with users %v, %s %s: %d %s", users, c.method, c.path, a.status, a.body)
			}
		}
	}
}
