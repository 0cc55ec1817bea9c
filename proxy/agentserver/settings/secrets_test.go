package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const secrets = "/api/settings/secrets"

func TestASecretIsKeptListedReadAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("dev", "PUT", secrets, `{"name":"TOKEN","value":"planted-1","description":"mine"}`).is(http.StatusOK).equals(`{"name":"TOKEN","description":"mine"}`)
	s.ask("dev", "PUT", secrets, `{"name":"EMPTY","value":""}`).is(http.StatusOK).equals(`{"name":"EMPTY","description":null}`)
	s.ask("dev", "GET", secrets, nil).is(http.StatusOK).equals(`{"secrets":[{"name":"TOKEN","description":"mine"},{"name":"EMPTY","description":null}]}`)
	s.ask("dev", "GET", secrets+"/EMPTY", nil).says(http.StatusNotFound, "Secret not found")
	if a := s.ask("dev", "GET", secrets+"/TOKEN", nil).is(http.StatusOK); a.text != "planted-1" || a.header.Get("Content-Type") != "text/plain; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("read %q, %v", a.text, a.header)
	}
	s.ask("dev", "PUT", secrets, `{"name":"TOKEN","value":"**********","description":"renamed"}`).is(http.StatusOK)
	if a := s.ask("dev", "GET", secrets+"/TOKEN", nil); a.text != "planted-1" {
		t.Errorf("a mask was kept as %q", a.text)
	}
	s.ask("dev", "PUT", secrets, `{"name":"TOKEN","value":"planted-2"}`).is(http.StatusOK).equals(`{"name":"TOKEN","description":null}`)
	if a := s.ask("dev", "GET", secrets+"/TOKEN", nil); a.text != "planted-2" {
		t.Errorf("replaced by %q", a.text)
	}
	var clear, reveals int
	s.must(s.db.GetContext(t.Context(), &clear, `SELECT count(*) FROM vault_documents WHERE body::text || sealed::text LIKE '%planted%'`))
	s.must(s.db.GetContext(t.Context(), &reveals, `SELECT count(*) FROM audit_log WHERE action = 'vault.secret.reveal' AND object = 'TOKEN' AND detail::text NOT LIKE '%planted%'`))
	if clear != 0 || reveals != 3 {
		t.Errorf("%d documents hold it in clear; %d reveals are on record", clear, reveals)
	}
	s.ask("dev", "DELETE", secrets+"/TOKEN", nil).is(http.StatusOK).equals(`{"deleted":true}`)
	s.ask("dev", "DELETE", secrets+"/TOKEN", nil).says(http.StatusNotFound, "Secret not found")
	s.ask("dev", "GET", secrets+"/TOKEN", nil).says(http.StatusNotFound, "Secret not found")
}

func TestATeamsSecretIsUsedByAllAndSeenByItsKeepers(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "PUT", secrets, `{"name":"SHARED","value":"teams"}`).is(http.StatusOK)
	s.ask("dev", "GET", secrets, nil).equals(`{"secrets":[{"name":"SHARED","description":null}]}`)
	s.ask("view", "GET", secrets, nil).equals(`{"secrets":[{"name":"SHARED","description":null}]}`)
	s.ask("eve", "GET", secrets, nil).equals(`{"secrets":[]}`)
	token := s.ask("dev", "GET", secrets+"/SHARED", nil).is(http.StatusOK).text
	worth := func(p *access.Principal, team uuid.UUID, token string) string {
		found, err := s.SecretsOf(t.Context(), p, team, []string{token})
		s.must(err)
		return found[token].Value
	}
	if !strings.HasPrefix(token, "ohv1.") || worth(s.dev, s.team, token) != "teams" {
		t.Errorf("dev, who may use it, gets %q, worth %q", token, worth(s.dev, s.team, token))
	}
	if worth(s.ada, s.team, token) != "" || worth(s.eve, s.foes, token) != "" || worth(s.dev, s.team, token+"A") != "" {
		t.Error("the token is worth something to others, or when it was changed")
	}
	s.ask("dev", "PUT", secrets, map[string]any{"name": "MINE", "value": token}).is(http.StatusUnprocessableEntity)
	s.ask("view", "GET", secrets+"/SHARED", nil).is(http.StatusForbidden)
	s.ask("eve", "GET", secrets+"/SHARED", nil).is(http.StatusNotFound)
	for _, who := range []string{"ada", "team ada"} {
		if a := s.ask(who, "GET", secrets+"/SHARED", nil).is(http.StatusOK); a.text != "teams" {
			t.Errorf("%s reads %q", who, a.text)
		}
	}
	s.ask("dev", "DELETE", secrets+"/SHARED", nil).says(http.StatusForbidden, "'SHARED' belongs to the team: an Admin can change it.")
	s.ask("view", "PUT", secrets, `{"name":"X","value":"v"}`).is(http.StatusForbidden)
	s.ask("team dev", "PUT", secrets, `{"name":"X","value":"v"}`).is(http.StatusForbidden)
	value := func() string {
		found, err := s.Secrets(t.Context(), s.dev, s.team, []string{"SHARED"})
		s.must(err)
		return found["SHARED"].Value
	}
	if value() != "teams" {
		t.Errorf("dev's agents have %q", value())
	}
	s.ask("dev", "PUT", secrets, `{"name":"SHARED","value":"own"}`).is(http.StatusOK)
	s.ask("dev", "GET", secrets, nil).equals(`{"secrets":[{"name":"SHARED","description":null}]}`)
	if a := s.ask("dev", "GET", secrets+"/SHARED", nil).is(http.StatusOK); a.text != "own" || value() != "own" {
		t.Errorf("dev reads %q, dev's agents %q", a.text, value())
	}
	if a := s.ask("ada", "GET", secrets+"/SHARED", nil); a.text != "teams" {
		t.Errorf("ada reads %q", a.text)
	}
	if found, err := s.Secrets(t.Context(), s.eve, s.foes, []string{"SHARED"}); len(found) > 0 || err != nil {
		t.Errorf("eve's agents: %v, %v", found, err)
	}
}

func TestSecretsAreNarrowedByAnAgentProfile(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for _, name := range []string{"A", "B"} {
		s.ask("dev", "PUT", secrets, `{"name":"`+name+`","value":"v"}`).is(http.StatusOK)
	}
	_, ids, _ := s.agentList("dev")
	both := `{"secrets":[{"name":"A","description":null},{"name":"B","description":null}]}`
	s.ask("dev", "GET", secrets+"?agent_profile_id="+ids["default"], nil).is(http.StatusOK).equals(both)
	for body, want := range map[string]string{
		`{"llm_profile_ref":"x","secret_refs":["B","C"]}`: `{"secrets":[{"name":"B","description":null}]}`,
		`{"llm_profile_ref":"x","secret_refs":[]}`:        `{"secrets":[]}`,
		`{"llm_profile_ref":"x"}`:                         both,
	} {
		s.ask("dev", "POST", agents+"/p", body).is(http.StatusCreated)
		_, ids, _ := s.agentList("dev")
		s.ask("dev", "GET", secrets+"?agent_profile_id="+ids["p"], nil).is(http.StatusOK).equals(want)
		s.ask("eve", "GET", secrets+"?agent_profile_id="+ids["p"], nil).says(http.StatusNotFound, "Agent profile not found")
	}
	s.ask("dev", "GET", secrets+"?agent_profile_id=", nil).says(http.StatusNotFound, "Agent profile not found")
}

func TestSecretsThatCannotBeKept(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	const badName = "Invalid secret name format. Must start with a letter, contain only letters, numbers, and underscores, and be 1-64 characters long."
	for _, name := range []string{"", "1A", "A-B", "A B", "Ä", strings.Repeat("A", 65), `A\n`, `A\u0000`} {
		s.ask("dev", "PUT", secrets, `{"name":"`+name+`","value":"v"}`).says(422, badName)
	}
	s.ask("dev", "GET", secrets+"/A-B", nil).says(422, badName)
	s.ask("dev", "DELETE", secrets+"/A-B", nil).says(422, badName)
	for body, want := range map[string]string{
		`{}`:                         `missing at ["body","name"]`,
		`{"name":3,"value":"v"}`:     `string_type at ["body","name"]`,
		`{"name":"A","value":["v"]}`: `string_type at ["body","value"]`,
	} {
		if got := s.ask("dev", "PUT", secrets, body).faults(); got[0] != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	s.ask("dev", "PUT", secrets, map[string]any{"name": "BIG", "value": strings.Repeat("x", 64<<10+1)}).is(422)
	s.ask("dev", "PUT", secrets, map[string]any{"name": "BIG", "value": strings.Repeat("x", 64<<10)}).is(http.StatusOK)
	if a := s.ask("dev", "PUT", secrets, `{"name":"big","value":"v"}`).is(http.StatusConflict); !strings.Contains(a.text, "BIG") {
		t.Errorf("the one that is there is not named: %s", a.text)
	}
	for _, bytes := range []string{"\x00", "\x1b[31m\n", "ünï"} {
		s.ask("dev", "PUT", secrets, map[string]any{"name": "RAW", "value": bytes}).is(http.StatusOK)
		if a := s.ask("dev", "GET", secrets+"/RAW", nil); a.text != bytes {
			t.Errorf("kept %q as %q", bytes, a.text)
		}
	}
	s.exec(`INSERT INTO vault_documents (id, team_id, user_id, kind, name) SELECT gen_random_uuid(), $1, $2, 'secret', 'S' || n FROM generate_series(1, 498) n`, s.team, s.dev.User)
	if n := s.kept(vault.KindSecret); n != 500 {
		t.Fatalf("%d secrets", n)
	}
	s.ask("dev", "PUT", secrets, `{"name":"MORE","value":"v"}`).says(http.StatusConflict, "Secret limit reached (500). Delete a secret before saving a new one.")
}
