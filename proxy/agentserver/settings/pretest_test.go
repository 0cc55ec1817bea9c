package settings_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// answering is a provider that answers everything alike, at an address that the operator allows.
func answering(t *testing.T, s *site, status int, body string) (url string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	s.Egress = &egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	return server.URL
}

func TestOfAProvidersAnswerOnlyItsErrorIsShownToWhoGaveTheKey(t *testing.T) {
	t.Parallel()
	const inner = `{"error":{"message":"Incorrect key sk-mine, ` + "`" + `"},"more":"inner page"}`
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"a wrong key":       {401, inner, `{"error":{"message":"Incorrect key **********, ` + "`" + `","type":"LLMAuthenticationError"},"valid":false}`},
		"an inner page":     {404, `<html>inner page</html>`, `{"error":{"message":"The provider answered with status 404.","type":"LLMBadRequestError"},"valid":false}`},
		"a redirect":        {302, `inner page`, `{"error":{"message":"The provider answered with status 302.","type":"LLMBadRequestError"},"valid":false}`},
		"a broken provider": {502, ``, `{"error":{"message":"The provider answered with status 502.","type":"LLMServiceUnavailableError"},"valid":false}`},
		"a limit":           {429, inner, `{"error":null,"valid":true}`},
		"a model":           {200, `{}`, `{"error":null,"valid":true}`},
	} {
		s := newSite(t, settings.Operator{})
		base := answering(t, s, c.status, c.body)
		a := s.ask("dev", "POST", "/api/profiles/p/validate", map[string]any{"llm": map[string]any{"model": "openai/m", "base_url": base, "api_key": "sk-mine"}})
		if a.status != http.StatusOK || strings.TrimSpace(a.text) != c.want {
			t.Errorf("%s: %d %s, want %s", name, a.status, a.text, c.want)
		}
	}
}

func TestAProvidersErrorIsNotShownWhereTheKeyIsTheTeams(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	base := answering(t, s, 401, `{"error":{"message":"Incorrect key te**-key"}}`)
	s.ask("team ada", "PATCH", settingsPath, set(`{"model":"openai/m","base_url":"`+base+`","api_key":"team-key"}`)).is(http.StatusOK)
	a := s.ask("dev", "POST", "/api/profiles/p/validate", map[string]any{"llm": map[string]any{"model": "openai/m", "base_url": base, "api_key": "**********"}})
	if a.status != http.StatusOK || strings.Contains(a.text, "Incorrect") || !strings.Contains(a.text, "LLMAuthenticationError") {
		t.Errorf("%d %s", a.status, a.text)
	}
}

// A form that the provider does not have would call good settings bad.
func TestAProviderThatIsAskedInAnotherWayIsNotAsked(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	base := answering(t, s, 404, `{"error":{"message":"no such path"}}`)
	for _, model := range []string{"azure/m", "ollama/m", "gemini/m", "claude-3"} {
		a := s.ask("dev", "POST", "/api/profiles/p/validate", map[string]any{"llm": map[string]any{"model": model, "base_url": base, "api_key": "sk"}})
		if a.status != http.StatusOK || strings.TrimSpace(a.text) != `{"error":null,"valid":true}` {
			t.Errorf("%s: %d %s", model, a.status, a.text)
		}
	}
}
