package agentserver_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsHaveTheShapeAndTheDefaultsOfTheUpstream(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withoutModel)
	raw, err := os.ReadFile("testdata/settings-1.49.1.json")
	if err != nil {
		t.Fatal(err)
	}
	want := parsed[map[string]any](t, string(raw))
	want["misc_settings"] = map[string]any{"app_preferences": map[string]any{"user_consents_to_analytics": false}}
	got := w.ask("vic", "GET", "/api/settings", nil).object(t)
	for _, settings := range []map[string]any{want, got} {
		delete(within(t, settings, "agent_settings", "agent_context").(map[string]any), "current_datetime")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settings differ from a fresh upstream's (-want +got):\n%s", diff)
	}
}

func TestTheOperatorsModelIsShownAndItsKeyIsAMarker(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for mode, key := range map[string]string{
		"": "**********", "encrypted": "operator-managed-key", "PLAINTEXT": "operator-managed-key", " true ": "operator-managed-key",
	} {
		a := w.askFor(mode, "ann", "/api/settings")
		llm := within(t, a.object(t), "agent_settings", "llm").(map[string]any)
		if llm["model"] != house.Model || llm["base_url"] != house.BaseURL || llm["api_key"] != key || a.object(t)["llm_api_key_is_set"] != true {
			t.Errorf("%q: %v", mode, llm)
		}
		if strings.Contains(a.body, operatorKey) || strings.Contains(a.body, "gAAAA") {
			t.Errorf("%q: a key got out", mode)
		}
	}
	if a := w.askFor("yes", "ann", "/api/settings"); a.status != http.StatusBadRequest {
		t.Errorf("an unknown mode got %d", a.status)
	}
}

func TestTheUpstreamsOwnSettingsAreNeverAsked(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	w.ask("ann", "GET", "/api/settings", nil)
	w.ask("ann", "PATCH", "/api/settings", `{"misc_settings_diff":{"app_preferences":{"language":"de"}}}`)
	for _, path := range []string{"/api/profiles", "/api/profiles/default", "/api/settings/secrets", "/api/workspaces", "/api/agent-profiles"} {
		w.ask("ann", "GET", path, nil)
	}
	for _, r := range w.upstream.arrived("/") {
		if !strings.HasSuffix(r.path, "-schema") && r.path != "/openapi.json" {
			t.Errorf("the upstream was asked for %s %s", r.method, r.path)
		}
	}
}

func TestSchemasAreAskedForOnce(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for range 5 {
		w.ask("ann", "GET", "/api/settings", nil)
	}
	if n := len(w.upstream.arrived("/api/settings/agent-schema")); n != 1 {
		t.Errorf("the schema was asked for %d times", n)
	}
}

func TestWithoutASchemaTheAnswerSaysThatTheBackendFailed(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	w.upstream.script(func(rw http.ResponseWriter, _ *http.Request, _ []byte) bool {
		http.Error(rw, "/secret/path", http.StatusInternalServerError)
		return true
	})
	if a := w.ask("ann", "GET", "/api/settings", nil); a.status != http.StatusBadGateway || strings.Contains(a.body, "secret") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestEverybodyKeepsTheirOwnPreferences(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	patch := `{"misc_settings_diff":{"app_preferences":{"enabled_skills":["a","b"],"user_consents_to_analytics":true}}}`
	for _, who := range []string{"vic", "nobody"} {
		a := w.ask(who, "PATCH", "/api/settings", patch)
		if a.status != http.StatusOK || within(t, a.object(t), "agent_settings", "llm", "api_key") != "**********" {
			t.Fatalf("%s: %d %s", who, a.status, a.body)
		}
		mine := within(t, w.ask(who, "GET", "/api/settings", nil).object(t), "misc_settings", "app_preferences")
		want := map[string]any{"enabled_skills": []any{"a", "b"}, "user_consents_to_analytics": true}
		if diff := cmp.Diff(want, mine); diff != "" {
			t.Errorf("%s: %s", who, diff)
		}
	}
	theirs := within(t, w.ask("ann", "GET", "/api/settings", nil).object(t), "misc_settings", "app_preferences")
	if diff := cmp.Diff(map[string]any{"user_consents_to_analytics": false}, theirs); diff != "" {
		t.Errorf("ann, of the same team, got vic's: %s", diff)
	}
}

func TestWhoMayChangeWhat(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	const preference, model = `{"misc_settings_diff":{"app_preferences":{"language":"de"}}}`, `{"agent_settings_diff":{"llm":{"model":"openai/mine"}}}`
	for _, c := range []struct {
		method, path, body   string
		ann, viewer, nobodys int
	}{
		{"PATCH", "/api/settings", preference, 200, 200, 200},
		{"PATCH", "/api/settings", model, 200, 403, 403},
		{"PATCH", "/api/settings", `{"misc_settings_diff":{"telemetry":{"consent":"granted"}}}`, 200, 403, 403},
		{"PATCH", "/api/settings", `{"conversation_settings_diff":{"max_iterations":5}}`, 200, 403, 403},
		{"PATCH", "/api/settings", `{"active_profile":null}`, 200, 403, 403},
		{"PATCH", "/api/settings", `{}`, 400, 400, 400},
		{"PUT", "/api/settings/secrets", `{"name":"TOKEN","value":"v"}`, 200, 403, 403},
		{"GET", "/api/settings/secrets/TOKEN", ``, 200, 403, 404},
		{"POST", "/api/settings/mcp/x", `{"url":"http://203.0.113.9/mcp"}`, 201, 403, 403},
		{"POST", "/api/profiles/mine", `{"llm":{"model":"openai/mine","api_key":"sk"}}`, 201, 403, 403},
		{"POST", "/api/profiles/mine/rename", `{"new_name":"yours"}`, 200, 403, 403},
		{"POST", "/api/profiles/yours/activate", ``, 200, 403, 403},
		{"DELETE", "/api/profiles/yours", ``, 200, 403, 403},
		{"POST", "/api/agent-profiles/mine", `{"agent_kind":"openhands","llm_profile_ref":"default"}`, 201, 403, 403},
		{"POST", "/api/llm/provider-connections", `{"display_name":"x","api_key":"sk"}`, 201, 403, 403},
	} {
		for who, want := range map[string]int{"ann": c.ann, "vic": c.viewer, "nobody": c.nobodys} {
			if a := w.ask(who, c.method, c.path, orNone(c.body)); a.status != want {
				t.Errorf("%s: %s %s %s: %d, want %d: %.300s", who, c.method, c.path, c.body, a.status, want, a.body)
			}
		}
	}
}

// orNone leaves out a body that is empty.
func orNone(body string) any {
	if body == "" {
		return nil
	}
	return body
}

func TestWhereNothingWasKeptTheAnswersHaveTheUpstreamsShapes(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, c := range []struct {
		method, path string
		status       int
		body         string // "" is any
	}{
		{"GET", "/api/settings/secrets", 200, `{"secrets":[]}`},
		{"GET", "/api/settings/secrets?agent_profile_id=x", 404, ""},
		{"GET", "/api/settings/secrets/TOKEN", 404, `{"detail":"Secret not found"}`},
		{"DELETE", "/api/settings/secrets/TOKEN", 404, `{"detail":"Secret not found"}`},
		{"GET", "/api/profiles", 200, `{"active_profile":"default","profiles":[{"api_key_set":true,"base_url":"http://10.1.2.3/v1","model":"openai/house","name":"default","provider_connection_broken":false,"provider_connection_id":null}]}`},
		{"GET", "/api/profiles/other", 404, `{"detail":"Profile 'other' not found"}`},
		{"POST", "/api/profiles/default/activate", 200, `{"llm_applied":true,"message":"Profile 'default' activated and applied to current settings","name":"default"}`},
		{"POST", "/api/profiles/other/activate", 404, ""},
		{"GET", "/api/agent-profiles/other", 404, `{"detail":"Agent profile 'other' not found"}`},
		{"GET", "/api/workspaces", 200, `{"workspaceParents":[],"workspaces":[]}`},
		{"GET", "/api/llm/provider-connections", 200, `[]`},
		{"GET", "/api/canvas-extensions/installed", 200, `{"canvas_extensions":[]}`},
		{"GET", "/api/canvas-extensions/installed/some-name", 404, `{"detail":"Canvas extension 'some-name' is not installed"}`},
		{"GET", "/api/canvas-extensions/installed/some-name/bundle", 404, `{"detail":"Canvas extension 'some-name' is not installed"}`},
		{"POST", "/api/canvas-extensions/install", 403, ""},
		{"GET", "/api/automation/health", 404, ""},
		{"GET", "/api/automation/v1?limit=50&offset=0", 200, `{"automations":[],"total":0}`},
		{"POST", "/api/automation/v1/telemetry/consent", 404, ""},
	} {
		a := w.ask("ann", c.method, c.path, nil)
		if a.status != c.status || c.body != "" && strings.TrimSpace(a.body) != c.body {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}

func TestTheProfileShowsNoKeyUnlessAskedAndThenAMarker(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for mode, key := range map[string]any{"": nil, "encrypted": "operator-managed-key"} {
		a := w.askFor(mode, "ann", "/api/profiles/default")
		if within(t, a.object(t), "config", "api_key") != key || a.object(t)["api_key_set"] != true || a.object(t)["name"] != "default" {
			t.Errorf("%q: %s", mode, a.body)
		}
	}
}

// llmOf is the model object that the upstream was sent with the last creation.
func (w *world) llmOf() map[string]any {
	w.t.Helper()
	posts := w.posts()
	if len(posts) == 0 {
		w.t.Fatal("nothing was created")
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(posts[len(posts)-1].body), &body); err != nil {
		w.t.Fatal(err)
	}
	return within(w.t, body, "agent_settings", "llm").(map[string]any)
}
