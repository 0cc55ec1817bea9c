package agentserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// start posts a conversation with the given model object.
func (w *world) start(who string, llm map[string]any) answer {
	w.t.Helper()
	return w.ask(who, "POST", conversationsPath, startBody(map[string]any{"agent_settings": map[string]any{"llm": llm}}))
}

func TestTheOperatorsKeyGoesInWhereTheOperatorsModelIsMeant(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, llm := range []map[string]any{
		{},
		{"model": "openai/house"},
		{"model": "openai/house", "api_key": nil},
		{"model": "openai/house", "api_key": ""},
		{"model": "openai/house", "api_key": "**********"},
		{"model": "openai/house", "api_key": "operator-managed-key"},
		{"model": "openai/house", "api_key": " operator-managed-key ", "base_url": "http://10.1.2.3/v1"},
		{"api_key": "operator-managed-key", "base_url": "http://10.1.2.3/v1/"},
	} {
		if a := w.start("ann", llm); a.status != http.StatusCreated || strings.Contains(a.body, operatorKey) {
			t.Fatalf("%v: %d %s", llm, a.status, a.body)
		}
		sent := w.llmOf()
		if sent["model"] != house.Model || sent["base_url"] != house.BaseURL || sent["api_key"] != operatorKey {
			t.Errorf("%v became %v", llm, sent)
		}
	}
}

func TestTheOperatorsKeyGoesNowhereElse(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, llm := range []map[string]any{
		{"model": "openai/other", "api_key": "operator-managed-key"},
		{"model": "openai/other", "api_key": "**********"},
		{"model": "openai/other"},
		{"model": "OpenAI/House"},
		{"model": "openai/house", "api_key": "operator-managed-key", "base_url": "http://203.0.113.9/v1"},
		{"model": "openai/house", "base_url": "http://203.0.113.9/v1"},
		{"model": "openai/house", "base_url": "http://10.1.2.3.evil.example/v1"},
		{"model": "openai/house", "base_url": "http://10.1.2.3/v1?x"},
		{"model": "openai/house", "api_key": "operator-managed-key", "ollama_base_url": "http://203.0.113.9"},
		{"model": "openai/house", "api_key": "operator-managed-key", "aws_bedrock_runtime_endpoint": "http://203.0.113.9"},
		{"base_url": "http://203.0.113.9/v1"},
		{"api_key": "stored-key", "model": "openai/other"},
	} {
		if a := w.start("ann", llm); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%v: %d %s", llm, a.status, a.body)
		}
	}
	if n := len(w.posts()); n != 0 {
		t.Errorf("%d creations reached the upstream", n)
	}
}

func TestOnesOwnKeyGoesToPublicAddressesAndThoseTheOperatorAllows(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, c := range []struct {
		address any
		status  int
	}{
		{nil, 201}, {"", 201}, {"http://203.0.113.9/v1", 201},
		{"http://127.0.0.1:8000/v1", 422}, {"http://[::1]/v1", 422}, {"http://169.254.169.254/latest", 422}, {"http://10.1.2.3/v1", 422},
		{"file:///etc/passwd", 422}, {"http://user:pass@203.0.113.9/", 422}, {"http://0x7f000001/", 422}, {7, 422},
	} {
		a := w.start("ann", map[string]any{"model": "openai/mine", "api_key": "sk-mine", "base_url": c.address})
		if a.status != c.status {
			t.Errorf("%v: %d %s", c.address, a.status, a.body)
		}
		if c.status == 422 && !strings.Contains(a.body, `"loc":["body","agent_settings","llm","base_url"]`) {
			t.Errorf("%v: the fault has no place: %s", c.address, a.body)
		}
	}
	if sent := w.llmOf(); sent["api_key"] != "sk-mine" || sent["model"] != "openai/mine" || sent["base_url"] != "http://203.0.113.9/v1" {
		t.Errorf("it became %v", sent)
	}
}

func TestTokensOfTheUpstreamAreRefused(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, key := range []string{"gAAAAABm-token", " gAAAAABm-token"} {
		if a := w.start("ann", map[string]any{"model": "openai/mine", "api_key": key}); a.status != http.StatusUnprocessableEntity || len(w.posts()) != 0 {
			t.Errorf("%q: %d %s", key, a.status, a.body)
		}
	}
}

func TestWithoutAnyModelTheAnswerSaysWhatToDo(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withoutModel)
	for _, llm := range []map[string]any{{}, {"model": "openai/x"}, {"api_key": "operator-managed-key"}} {
		a := w.start("ann", llm)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, "api_key of your own") {
			t.Errorf("%v: %d %s", llm, a.status, a.body)
		}
	}
	if a := w.start("ann", map[string]any{"model": "openai/mine", "api_key": "sk-mine"}); a.status != http.StatusCreated {
		t.Errorf("an own key: %d %s", a.status, a.body)
	}
	profiles := w.ask("ann", "GET", "/api/profiles", nil)
	if strings.TrimSpace(profiles.body) != `{"active_profile":null,"profiles":[]}` {
		t.Error(profiles.body)
	}
}

func TestAnOperatorsModelWithoutAKeyNeverFallsBackToTheServersEnvironment(t *testing.T) {
	t.Parallel()
	w := newHouse(t, func(c *agentserver.Config) { c.OperatorModel.APIKey = "" })
	if a := w.start("ann", map[string]any{}); a.status != http.StatusCreated {
		t.Fatal(a.body)
	}
	if key := w.llmOf()["api_key"]; key == nil || key == "" {
		t.Errorf("the key is %v", key)
	}
}

// The model of one's settings has no key: no other steps in for it without a word.
func TestWhereNothingIsSaidNoOtherModelStepsIn(t *testing.T) {
	t.Parallel()
	w := newHouse(t, withoutModel)
	for path, body := range map[string]string{
		"/api/profiles/spare": `{"llm":{"model":"openai/spare","api_key":"sk-spare"}}`,
	} {
		if a := w.ask("ann", "POST", path, body); a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	w.ask("ann", "PATCH", "/api/settings", `{"agent_settings_diff":{"llm":{"model":"openai/mine","base_url":"http://203.0.113.9/v1"}}}`)
	if a := w.start("ann", map[string]any{}); a.status != http.StatusUnprocessableEntity || len(w.posts()) != 0 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := w.start("ann", map[string]any{"model": "openai/spare"}); a.status != http.StatusCreated || w.llmOf()["api_key"] != "sk-spare" {
		t.Errorf("by its name: %d %s", a.status, a.body)
	}
}

// What a client sends beside the operator's model is judged as beside any other.
func TestBesideTheOperatorsModelNoReferencesToTheServerAreTaken(t *testing.T) {
	t.Parallel()
	w := newHouse(t, asIs)
	for _, llm := range []map[string]any{
		{"api_version": "os.environ/OH_SECRET_KEY"}, {"model": "openai/house", "aws_session_token": "os.environ/HOME"},
		{"api_key": "operator-managed-key", "openrouter_app_name": "oidc/google/x"},
	} {
		if a := w.start("ann", llm); a.status != http.StatusUnprocessableEntity || len(w.posts()) != 0 {
			t.Errorf("%v: %d %s", llm, a.status, a.body)
		}
	}
}
