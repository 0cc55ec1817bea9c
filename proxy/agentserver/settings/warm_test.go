package settings_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// newLayered is a site whose queries are recorded, and where every layer says something: the schema, the operator, the team with a
// profile and a connection, and dev.
func newLayered(t *testing.T) (*site, *dbtest.Record) {
	t.Helper()
	w, record := newRecordedWorld(t, operator())
	s := w.site()
	id := s.ask("team ada", "POST", connections, `{"display_name":"c","api_key":"k"}`).is(http.StatusCreated).object()["id"]
	s.ask("team ada", "POST", models+"/house", fmt.Sprintf(`{"llm":{"model":"openai/house","provider_connection_id":"%s"}}`, id)).is(http.StatusCreated)
	s.ask("team ada", "POST", models+"/house/activate", nil).is(http.StatusOK)
	s.ask("team ada", "PATCH", settingsPath, servers(`{"team":{"url":"https://10.1.0.1","headers":{"X":"planted"}}}`)).is(http.StatusOK)
	s.ask("dev", "PATCH", settingsPath, set(`{"temperature":1}`)).is(http.StatusOK)
	s.ask("dev", "PATCH", settingsPath, servers(`{"own":{"url":"https://10.1.0.1","headers":{"X":"planted","Y":"planted"}}}`)).is(http.StatusOK)
	s.ask("dev", "PATCH", settingsPath, `{"misc_settings_diff":{"app_preferences":{"a":1}},"conversation_settings_diff":{"max_iterations":5}}`).is(http.StatusOK)
	return s, record
}

// The UI asks for the settings to learn whether the server lives: that must stay cheap. The site's upstream fails the test if it is
// asked for anything, and the schemas are there.
func TestReadingTheSettingsIsOneQueryAndAsksTheUpstreamForNothing(t *testing.T) {
	t.Parallel()
	s, record := newLayered(t)
	for _, c := range []struct {
		who, expose string
		others      []string // what else the database is asked
		tokens      int
	}{
		{who: "view"}, {who: "dev"}, {who: "ada"}, {who: "team ada"}, {who: "eve"},
		// Tokens are made without asking anybody.
		{who: "dev", expose: "encrypted", tokens: 4}, {who: "view", expose: "encrypted", tokens: 2},
		// Values in clear go on record first, a line for each document.
		{who: "dev", expose: "plaintext", others: []string{"BEGIN", "INSERT INTO audit_log"}, tokens: 2},
		{who: "ada", expose: "plaintext", others: []string{"BEGIN", "INSERT INTO audit_log", "INSERT INTO audit_log"}},
	} {
		asked := s.asks()
		record.Forget()
		a := s.ask(c.who, "GET", settingsPath, nil, "X-Expose-Secrets: "+c.expose).is(http.StatusOK)
		var others []string
		reads := 0
		for _, statement := range record.Statements() {
			if strings.Contains(statement.SQL, "FROM vault_documents") {
				reads++
			} else {
				others = append(others, strings.TrimSpace(statement.SQL))
			}
		}
		if reads != 1 || len(others) != len(c.others) {
			t.Errorf("%s %s: %d reads and %q", c.who, c.expose, reads, others)
			continue
		}
		for i, want := range c.others {
			if !strings.HasPrefix(others[i], want) {
				t.Errorf("%s %s: %q, want %s", c.who, c.expose, others[i], want)
			}
		}
		if n := strings.Count(a.text, `"ohv1.`); n != c.tokens {
			t.Errorf("%s %s: %d tokens in %s", c.who, c.expose, n, a.text)
		}
		if n := s.asks() - asked; n != 0 {
			t.Errorf("%s %s: the schemas were asked for %d times", c.who, c.expose, n)
		}
	}
}

// asks counts how often the schemas were asked for.
func (w *world) asks() int64 { return w.fetched.Load() }

// A team's view is shown to several Admins: what stands there for a secret is the same to all of them, and can be written back.
func TestATeamsModelCanBeWrittenBackAsItWasRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "POST", models+"/p", `{"llm":{"model":"openai/m","api_key":"planted"}}`).is(http.StatusCreated)
	for _, expose := range []string{"encrypted", "plaintext"} {
		read := s.ask("team ada", "GET", models+"/p", nil, "X-Expose-Secrets: "+expose).is(http.StatusOK).object()
		s.ask("team ada", "POST", models+"/p", map[string]any{"llm": read["config"]}).is(http.StatusCreated)
		if got := s.key("p"); got != "planted" {
			t.Errorf("%s: the key became %v", expose, got)
		}
	}
}
