package settings_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const settingsPath = "/api/settings"

// servers is a patch of MCP servers as JSON.
func servers(mcp string) string { return `{"agent_settings_diff":{"mcp_config":` + mcp + `}}` }

// stored counts the documents that hold a text in clear.
func (w *world) stored(text string) int {
	w.t.Helper()
	var count int
	w.must(w.db.GetContext(w.t.Context(), &count, `SELECT count(*) FROM vault_documents WHERE body::text LIKE '%' || $1 || '%'`, text))
	return count
}

// shown is what stands at a path of the agent settings.
func (w *world) shown(seen settings.Seen, path ...string) any {
	w.t.Helper()
	var here any = seen.Agent
	for _, name := range path {
		members, _ := here.(map[string]any)
		here = members[name]
	}
	return here
}

// Whoever holds a connection while he waits for another one blocks everybody.
func TestAChangeNeedsNoSecondConnectionWhileItHoldsOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.must(s.patch(s.dev, set(`{"model":"openai/m","api_key":"k","extra_headers":{"A":"x"}}`)))
	s.ask("dev", "POST", models+"/p", `{"llm":{"model":"openai/m","api_key":"k"}}`).is(http.StatusCreated)
	agent := s.see(s.dev, "encrypted").Agent
	llm := map[string]any{"model": "openai/m", "api_key": agent["llm"].(map[string]any)["api_key"]}
	s.db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s.must(settings.Change(ctx, s.Surface, s.dev, s.team, false, map[string]any{"agent_settings_diff": agent, "active_profile": "p"}))
	s.ask("dev", "POST", models+"/q", map[string]any{"llm": llm}).is(http.StatusCreated)
	s.ask("dev", "POST", connections, map[string]any{"display_name": "c", "api_key": llm["api_key"]}).is(http.StatusCreated)
}

func TestAnExtraBodyTakesValuesOfAllKindsAndShowsItsTextsToNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	const given = `{"deep":{"key":"planted"},"flag":true,"list":[1,2],"stop":["planted"],"top_k":5}`
	w.must(w.patch(w.dev, set(`{"litellm_extra_body":`+given+`}`)))
	body := func(expose string) string {
		return canonical(t, w.shown(w.see(w.dev, expose), "llm", "litellm_extra_body"))
	}
	if got := body("plaintext"); got != given {
		t.Errorf("in clear: %s", got)
	}
	if got := body(""); got != `{"deep":{"key":"**********"},"flag":true,"list":[1,2],"stop":"**********","top_k":5}` {
		t.Errorf("masked: %s", got)
	}
	if w.stored("planted") != 0 {
		t.Error("a text of it lies in clear")
	}
	for _, expose := range []string{"", "encrypted", "plaintext"} {
		w.must(settings.Change(t.Context(), w.Surface, w.dev, w.team, false, map[string]any{"agent_settings_diff": w.see(w.dev, expose).Agent}))
		if got := body("plaintext"); got != given {
			t.Errorf("written back from %q: %s", expose, got)
		}
	}
	llm := w.see(w.dev, "encrypted").Agent["llm"].(map[string]any)
	w.must(settings.FillAny(t.Context(), w.Surface, w.dev, w.team, llm))
	if got := canonical(t, llm["litellm_extra_body"]); got != given {
		t.Errorf("the model is called with %s", got)
	}
}

func TestASecretGivesWayToWhatTakesItsPlace(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ first, then, want string }{
		"a number over a text":          {`{"a":"s"}`, `{"a":5}`, `{"a":5}`},
		"a text over a number":          {`{"a":5}`, `{"a":"s"}`, `{"a":"s"}`},
		"an object over a text":         {`{"a":"s"}`, `{"a":{"b":"t"}}`, `{"a":{"b":"t"}}`},
		"a text over an object":         {`{"a":{"b":"t","c":1}}`, `{"a":"s"}`, `{"a":"s"}`},
		"a list over an object":         {`{"a":{"b":"t"}}`, `{"a":["s"]}`, `{"a":["s"]}`},
		"an object of numbers over one": {`{"a":"s"}`, `{"a":{"b":1}}`, `{"a":{"b":1}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, settings.Operator{})
			w.must(w.patch(w.dev, set(`{"litellm_extra_body":`+c.first+`}`)))
			w.must(w.patch(w.dev, set(`{"litellm_extra_body":`+c.then+`}`)))
			if got := canonical(t, w.shown(w.see(w.dev, "plaintext"), "llm", "litellm_extra_body")); got != c.want {
				t.Errorf("in one layer: %s, want %s", got, c.want)
			}
			w.must(w.teamPatch(w.ada, set(`{"litellm_extra_body":`+c.first+`}`)))
			if got := canonical(t, w.shown(w.see(w.dev, "plaintext"), "llm", "litellm_extra_body")); got != c.want {
				t.Errorf("over the team's: %s, want %s", got, c.want)
			}
		})
	}
}

func TestTheTeamsSettingsCanBeWrittenBackAsTheyWereRead(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	s.ask("team ada", "PATCH", settingsPath, set(`{"model":"openai/m","api_key":"k1","extra_headers":{"A":"x"}}`)).is(http.StatusOK)
	shown := s.ask("team ada", "GET", settingsPath, nil, "X-Expose-Secrets: encrypted").object()["agent_settings"]
	s.ask("team ada", "PATCH", settingsPath, map[string]any{"agent_settings_diff": shown}).is(http.StatusOK)
	s.shows("ada", s.llm(s.ada, "plaintext"), [3]any{"openai/m", nil, "k1"})
	key := shown.(map[string]any)["llm"].(map[string]any)["api_key"]
	s.ask("team ada", "POST", models+"/p", map[string]any{"llm": map[string]any{"model": "groq/m", "api_key": key}}).is(http.StatusCreated)
	s.ask("dev", "PATCH", settingsPath, map[string]any{"agent_settings_diff": shown}).is(http.StatusUnprocessableEntity)
}

func TestTheOperatorsModelIsTheTeamsToSwitchOff(t *testing.T) {
	t.Parallel()
	s := newSite(t, operator())
	if got := s.ask("team ada", "PATCH", settingsPath, `{"operator_model":false}`).is(http.StatusOK).object()["operator_model"]; got != false {
		t.Errorf("switched off, it is shown as %v", got)
	}
	s.shows("dev", s.llm(s.dev, ""), [3]any{"schema-model", nil, nil})
	if _, shown := s.ask("dev", "GET", settingsPath, nil).object()["operator_model"]; shown {
		t.Error("it is shown beside one's own settings")
	}
	for _, who := range []string{"team dev", "team view", "view"} {
		s.ask(who, "PATCH", settingsPath, `{"operator_model":true}`).is(http.StatusForbidden)
	}
	if got := s.ask("team ada", "PATCH", settingsPath, `{"operator_model":"no"}`).faults(); len(got) != 1 || got[0] != `bool_type at ["body","operator_model"]` {
		t.Errorf("no boolean: %v", got)
	}
	s.ask("team ada", "PATCH", settingsPath, `{"operator_model":null}`).is(http.StatusOK)
	s.shows("dev", s.llm(s.dev, ""), [3]any{"openai/op", "http://127.0.0.1:9/v1", "**********"})
}

func TestAllThatTheSchemaCallsSecretIsSealed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	if found, err := w.Unsealed(t.Context()); err != nil || len(found) != 0 {
		t.Errorf("in clear: %v, %v", found, err)
	}
	if called, err := w.CalledSecret(t.Context()); err != nil || !slices.Contains(called, "/llm/api_key") || len(called) < 5 {
		t.Errorf("of these it was said: %v, %v", called, err)
	}
	for text, c := range map[string]struct{ with, place string }{
		`"llm.temperature","value_type":"number","default":null,"secret":false`: {`"llm.new_key","value_type":"string","default":null,"secret":true`, "/llm/new_key"},
		`"max_iterations","value_type":"integer","default":500,"secret":false`:  {`"new_key","value_type":"string","default":null,"secret":true`, "/new_key"},
		`"auth_type":{"type":"string"}`:                                         {`"new_key":{"type":"string","format":"password"}`, "/llm/new_key"},
		`"url":{"anyOf":[{"type":"string"},{"type":"null"}]},"enabled"`:         {`"pin":{"anyOf":[{"type":"string","writeOnly":true}]},"enabled"`, "/mcp_config/*/pin"},
		`"AgentContext-Input":{"type":"object","properties":{`:                  {`"AgentContext-Input":{"type":"object","properties":{"pin":{"type":"string","format":"password"},`, "/agent_context/pin"},
		`"value_type":"boolean","default":false,"secret":false`:                 {`"value_type":"boolean","default":false,"secret":true`, "/verification/critic_enabled"},
	} {
		if found, err := settings.New(changed(w, text, c.with)).Unsealed(t.Context()); err != nil || len(found) != 1 || found[0] != c.place {
			t.Errorf("of a new secret at %s: %v, %v", c.place, found, err)
		}
	}
}

// changed is the world's configuration where the upstream's schemas say something else.
func changed(w *world, text, with string) settings.Config {
	c := w.Config
	before := c.Book
	c.Book = schema.New(func(ctx context.Context, path string) ([]byte, error) {
		raw, err := before.Raw(ctx, path)
		return []byte(strings.Replace(string(raw), text, with, 1)), err
	}, c.Log)
	return c
}

func TestALowerLayersKeysDoNotStandBesideWhatAHigherOneSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	team, own := vault.Scope{Team: w.team}, vault.Scope{Team: w.team, User: w.dev.User}
	w.must(settings.Keep(t.Context(), w.Surface, team, vault.KindSettings, "", map[string]any{},
		map[string]string{"/agent_settings/verification/critic_api_key": "planted"}))
	if w.shown(w.see(w.dev, ""), "verification", "critic_api_key") == nil {
		t.Fatal("the team's key is not there at all")
	}
	w.must(settings.Keep(t.Context(), w.Surface, own, vault.KindSettings, "",
		object(t, `{"agent_settings":{"verification":{"critic_server_url":"https://10.1.0.2"}}}`), nil))
	if got := w.shown(w.see(w.dev, ""), "verification", "critic_api_key"); got != nil {
		t.Errorf("it goes where dev says: %v", got)
	}
}

func TestABodyHoldsSoManyTokensAndSoManyLevels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	var headers []string
	for i := range 101 {
		headers = append(headers, fmt.Sprintf(`"h%d":"ohv1.%d"`, i, i))
	}
	for _, body := range []string{set(`{"extra_headers":{` + strings.Join(headers, ",") + `}}`),
		set(`{"litellm_extra_body":` + strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000) + `}`)} {
		if err := w.patch(w.dev, body); status(err) != http.StatusUnprocessableEntity {
			t.Errorf("%.60s: %v", body, err)
		}
	}
}

func TestASecretIsNoToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, settings.Operator{})
	for _, value := range []string{"gAAAAAB", " ohv1.AAAA"} {
		if got := s.ask("dev", "PUT", secrets, map[string]any{"name": "A", "value": value}).faults(); len(got) != 1 || got[0] != `value_error at ["body","value"]` {
			t.Errorf("%s: %v", value, got)
		}
	}
}
