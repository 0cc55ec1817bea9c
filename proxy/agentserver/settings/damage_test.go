package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// damages are the ways in which a sealed value is lost, and what it becomes, in SQL, where it was v.
func damages() []string { return []string{"cut", "emptied", "of another keyset"} }

// damage loses one sealed value.
func (w *world) damage(how string, kind vault.Kind, name, field string) {
	w.t.Helper()
	become := map[string]string{
		"cut":               `left(v, 24)`,
		"emptied":           `''`,
		"of another keyset": `translate(encode(overlay(decode(v, 'base64') placing '\x01deadbeef'::bytea from 1), 'base64'), E'\n', '')`,
	}[how]
	result, err := w.db.ExecContext(w.t.Context(), `
		UPDATE vault_documents
		   SET sealed = jsonb_set(sealed, ARRAY[$3], to_jsonb((SELECT `+become+` FROM (SELECT sealed->>$3 AS v) AS old)))
		 WHERE kind = $1 AND name = $2 AND sealed ? $3`, kind, name, field)
	w.must(err)
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		w.t.Fatalf("%d values were damaged: %v", n, err)
	}
}

// lies is what lies at a sealed place, "" for nothing.
func (w *world) lies(kind vault.Kind, name, field string) string {
	w.t.Helper()
	var sealed string
	w.must(w.db.GetContext(w.t.Context(), &sealed, `
		SELECT coalesce((SELECT sealed->>$3 FROM vault_documents WHERE kind = $1 AND name = $2 AND sealed ? $3), '')`, kind, name, field))
	return sealed
}

// broken is a document with one value that does not open.
type broken struct {
	kind        vault.Kind
	name, field string
	make        func(s *site)
	beside      [][3]string       // changes that have nothing to do with the value: method, path, body
	replace     [3]string         // gives it anew
	remove      [3]string         // removes it
	use         func(*site) error // needs it
}

// brokens are those of each kind.
func brokens() map[string]broken {
	type calls = [][3]string
	patch := func(body string) [3]string { return [3]string{"PATCH", settingsPath, body} }
	models := func(s *site) error { _, err := s.Models(s.t.Context(), s.dev, s.team); return err }
	profile := func(s *site) error { _, err := s.Profile(s.t.Context(), s.dev, s.team, "p"); return err }
	launch := func(s *site) error {
		_, ids, _ := s.agentList("dev")
		_, err := s.AgentProfile(s.t.Context(), s.dev, s.team, ids["default"])
		return err
	}
	const masked = `{"llm":{"model":"openai/n","api_key":"**********","extra_headers":{"A":"new"}}}`
	return map[string]broken{
		"settings": {
			kind: vault.KindSettings, field: "/agent_settings/llm/api_key",
			make: func(s *site) {
				s.must(s.patch(s.dev, set(`{"model":"openai/m","api_key":"k","extra_headers":{"A":"a"}}`)))
			},
			beside: calls{patch(set(`{"temperature":1}`)), patch(set(`{"extra_headers":{"A":"new"}}`)), patch(set(`{"api_key":"**********"}`)),
				patch(`{"conversation_settings_diff":{"max_iterations":5}}`), {"POST", settingsPath + "/mcp/a", `{"url":"https://10.1.0.1"}`}},
			replace: patch(set(`{"api_key":"again"}`)), remove: patch(set(`{"api_key":null}`)), use: models,
		},
		"MCP server": {
			kind: vault.KindSettings, field: "/agent_settings/mcp_config/a/headers/X",
			make: func(s *site) {
				s.must(s.patch(s.dev, set(`{"model":"openai/m","api_key":"k"}`)))
				s.must(s.patch(s.dev, servers(`{"a":{"url":"https://10.1.0.1","headers":{"X":"k","Y":"y"}}}`)))
			},
			beside: calls{{"PATCH", settingsPath + "/mcp/a", `{"enabled":false}`}, {"PATCH", settingsPath + "/mcp/a", `{"headers":{"Y":"new"}}`},
				{"POST", settingsPath + "/mcp/b", `{"url":"https://10.1.0.1"}`}, patch(set(`{"temperature":1}`))},
			replace: [3]string{"PATCH", settingsPath + "/mcp/a", `{"headers":{"X":"again"}}`},
			remove:  [3]string{"DELETE", settingsPath + "/mcp/a"}, use: launch,
		},
		"profile": {
			kind: vault.KindProfile, name: "p", field: "/api_key",
			make: func(s *site) {
				s.ask("dev", "POST", "/api/profiles/p", `{"llm":{"model":"openai/m","api_key":"k"}}`).is(http.StatusCreated)
			},
			beside:  calls{{"POST", "/api/profiles/p", masked}, {"POST", "/api/profiles/p/activate"}, {"POST", "/api/profiles/q", masked}},
			replace: [3]string{"POST", "/api/profiles/p", `{"llm":{"model":"openai/m","api_key":"again"}}`},
			remove:  [3]string{"POST", "/api/profiles/p", `{"llm":{"model":"openai/m"}}`}, use: profile,
		},
		"connection": {
			kind: vault.KindConnection, field: "/api_key",
			make: func(s *site) {
				id := s.connect("dev", `{"display_name":"c","api_key":"k"}`)
				s.exec(`UPDATE vault_documents SET name = 'c' WHERE name = $1`, id)
				s.ask("dev", "POST", "/api/profiles/p", `{"llm":{"model":"openai/m","provider_connection_id":"c"}}`).is(http.StatusCreated)
			},
			name:    "c",
			beside:  calls{{"PATCH", connections + "/c", `{"display_name":"d"}`}, {"PATCH", connections + "/c", `{"base_url":"https://10.1.0.1"}`}},
			replace: [3]string{"PATCH", connections + "/c", `{"api_key":"again"}`}, use: profile,
		},
		"secret": {
			kind: vault.KindSecret, name: "S", field: "/value",
			make:    func(s *site) { s.ask("dev", "PUT", secrets, `{"name":"S","value":"k"}`).is(http.StatusOK) },
			beside:  calls{{"PUT", secrets, `{"name":"S","value":"**********","description":"d"}`}, {"PUT", secrets, `{"name":"T","value":"t"}`}},
			replace: [3]string{"PUT", secrets, `{"name":"S","value":"again"}`}, remove: [3]string{"DELETE", secrets + "/S"},
			use: func(s *site) error { _, err := s.Secrets(s.t.Context(), s.dev, s.team, []string{"S"}); return err },
		},
	}
}

func (s *site) call(c [3]string) asked {
	s.t.Helper()
	var body any
	if c[2] != "" {
		body = c[2]
	}
	return s.ask("dev", c[0], c[1], body)
}

func TestADocumentWithAValueThatDoesNotOpenCanBeChangedAndOnlyItsUseFails(t *testing.T) {
	t.Parallel()
	for name, b := range brokens() {
		for _, how := range damages() {
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				s := newSite(t, operator())
				b.make(s)
				s.must(b.use(s))
				s.damage(how, b.kind, b.name, b.field)
				left := s.lies(b.kind, b.name, b.field)
				for _, c := range b.beside {
					if a := s.call(c); a.status >= 300 {
						t.Errorf("%s %s: %d %s", a.what, c[2], a.status, a.text)
					}
				}
				if now := s.lies(b.kind, b.name, b.field); now != left {
					t.Errorf("the value was %q and is %q", left, now)
				}
				err := b.use(s)
				if status(err) != http.StatusServiceUnavailable || !strings.Contains(err.Error(), b.field+" of "+string(b.kind)) {
					t.Errorf("its use: %v", err)
				}
				if a := s.call(b.replace); a.status >= 300 {
					t.Errorf("given anew: %d %s", a.status, a.text)
				}
				s.must(b.use(s))
				if b.remove[0] == "" {
					return
				}
				s.damage(how, b.kind, b.name, b.field)
				if a := s.call(b.remove); a.status >= 300 || s.lies(b.kind, b.name, b.field) != "" {
					t.Errorf("removed: %d %s", a.status, a.text)
				}
			})
		}
	}
}

// Whoever read the settings before the value was lost writes them back as they were.
func TestATokenOfAValueThatWasLostLeavesItAsItIs(t *testing.T) {
	t.Parallel()
	for _, how := range damages() {
		s := newSite(t, operator())
		s.must(s.patch(s.dev, set(`{"model":"openai/m","api_key":"k","extra_headers":{"A":"a"}}`)))
		agent := s.see(s.dev, "encrypted").Agent
		token := agent["llm"].(map[string]any)["api_key"]
		s.damage(how, vault.KindSettings, "", "/agent_settings/llm/api_key")
		left := s.lies(vault.KindSettings, "", "/agent_settings/llm/api_key")
		agent["llm"].(map[string]any)["temperature"] = 1
		s.ask("dev", "PATCH", settingsPath, map[string]any{"agent_settings_diff": agent}).is(http.StatusOK)
		if now := s.lies(vault.KindSettings, "", "/agent_settings/llm/api_key"); now != left {
			t.Errorf("%s: the value was %q and is %q", how, left, now)
		}
		for _, use := range [][3]string{{"POST", "/api/profiles/q", `{"llm":{"model":"openai/m","api_key":"` + token.(string) + `"}}`},
			{"POST", connections, `{"display_name":"c","api_key":"` + token.(string) + `"}`}} {
			if a := s.call(use).is(http.StatusServiceUnavailable); !strings.Contains(a.text, "/agent_settings/llm/api_key of settings cannot be read") {
				t.Errorf("%s: %s", how, a.text)
			}
		}
		if err := filled(s.Fill(t.Context(), s.dev, s.team, []any{"body"}, map[string]any{"model": "openai/m", "api_key": token})); status(err) != http.StatusServiceUnavailable {
			t.Errorf("%s: a model is filled: %v", how, err)
		}
	}
}

func TestASecretThatDoesNotOpenIsSaidToBeLostAndTheOthersAreListed(t *testing.T) {
	t.Parallel()
	for how, why := range map[string]string{
		"cut":               "The secret at /value of secret 'S' cannot be read: it is damaged. Give it anew.",
		"of another keyset": "The secret at /value of secret 'S' cannot be read: key 3735928559 is missing from the vault's keyset. Ask the operator to put it back, or give the secret anew.",
	} {
		s := newSite(t, settings.Operator{})
		s.ask("dev", "PUT", secrets, `{"name":"S","value":"k"}`).is(http.StatusOK)
		s.ask("dev", "PUT", secrets, `{"name":"T","value":"t"}`).is(http.StatusOK)
		s.damage(how, vault.KindSecret, "S", "/value")
		s.ask("dev", "GET", secrets+"/S", nil).says(http.StatusServiceUnavailable, why)
		s.ask("dev", "GET", secrets+"/T", nil).is(http.StatusOK)
		s.ask("dev", "GET", secrets, nil).is(http.StatusOK).equals(`{"secrets":[{"name":"S","description":null},{"name":"T","description":null}]}`)
	}
}
