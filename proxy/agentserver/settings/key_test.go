package settings_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// withoutKey is the same surface with another keyset: nothing sealed before opens.
func (w *world) withoutKey() *settings.Surface {
	w.t.Helper()
	keys, err := sealed.EnsureFile(filepath.Join(w.t.TempDir(), "other.json"))
	w.must(err)
	c := w.Config
	c.Vault = vault.New(w.db, keys)
	return settings.New(c)
}

func TestAKeyThatDoesNotOpenIsMissedAloneAndNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, set(`{"model":"openai/m","base_url":"https://10.1.0.1","api_key":"planted"}`)))
	w.must(settings.Keep(t.Context(), w.Surface, vault.Scope{Team: w.team}, vault.KindProfile, "p", object(t, `{"model":"m"}`), map[string]string{"/api_key": "planted"}))
	lost := w.withoutKey()
	w.must(settings.Change(t.Context(), lost, w.dev, w.team, false, object(t, servers(`{"a":{"url":"https://10.1.0.1","headers":{"A":"mine"}}}`))))
	for _, expose := range []string{"", "encrypted", "plaintext"} {
		seen, err := settings.See(t.Context(), lost, w.dev, w.team, expose)
		w.must(err)
		if key := w.shown(seen, "llm", "api_key"); !seen.HasKey || expose != "" && key != nil {
			t.Errorf("%q: %v, and a key is there: %v", expose, key, seen.HasKey)
		}
		if header := w.shown(seen, "mcp_config", "a", "headers", "A"); header == nil {
			t.Errorf("%q: the other secret is missing, too", expose)
		}
	}
	if _, err := lost.Profile(t.Context(), w.dev, w.team, "p"); status(err) != http.StatusServiceUnavailable {
		t.Errorf("the profile: %v", err)
	}
	_, err := lost.Models(t.Context(), w.dev, w.team)
	text, _ := problem.Of(err).Detail.(string)
	if status(err) != http.StatusServiceUnavailable || !strings.Contains(text, "/agent_settings/llm/api_key") || !strings.Contains(text, "key ") {
		t.Errorf("the model: %v", err)
	}
}

func TestATokenIsWorthNothingInAnotherPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, `{"agent_settings_diff":{"llm":{"model":"m","base_url":"https://10.1.0.1","api_key":"k","extra_headers":{"A":"header"}},
		"mcp_config":{"a":{"url":"https://10.1.0.1","headers":{"X":"mcp"}}}}}`))
	w.must(w.patch(w.dev, servers(`{"own":{"url":"https://10.1.0.1","headers":{"X":"mine"}}}`)))
	seen := w.see(w.dev, "encrypted")
	key, header := w.shown(seen, "llm", "api_key"), w.shown(seen, "llm", "extra_headers", "A")
	teams, own := w.shown(seen, "mcp_config", "a", "headers", "X"), w.shown(seen, "mcp_config", "own", "headers", "X")
	llm := func(more map[string]any) map[string]any {
		all := map[string]any{"model": "m", "base_url": "https://10.1.0.1", "api_key": "sk-own"}
		for name, v := range more {
			all[name] = v
		}
		return all
	}
	for name, more := range map[string]map[string]any{
		"of an MCP server as a key":        {"api_key": teams},
		"of one's own MCP server as a key": {"api_key": own},
		"of a key as a header":             {"extra_headers": map[string]any{"A": key}},
		"of a header as another":           {"extra_headers": map[string]any{"B": header}},
		"as a model":                       {"model": key},
		"in a list":                        {"litellm_extra_body": map[string]any{"stop": []any{key}}},
	} {
		if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, llm(more)); status(err) != http.StatusUnprocessableEntity {
			t.Errorf("%s fills a model: %v", name, err)
		}
		err := settings.Change(t.Context(), w.Surface, w.dev, w.team, false, map[string]any{"agent_settings_diff": map[string]any{"llm": llm(more)}})
		if status(err) != http.StatusUnprocessableEntity {
			t.Errorf("%s is kept: %v", name, err)
		}
	}
	for name, more := range map[string]map[string]any{
		"to another address": {"api_key": key, "base_url": "https://10.1.0.2"}, "with another region": {"api_key": key, "aws_region_name": "x"},
	} {
		if _, err := w.Fill(t.Context(), w.dev, w.team, []any{"body"}, llm(more)); status(err) != http.StatusUnprocessableEntity {
			t.Errorf("the team's key goes %s: %v", name, err)
		}
	}
	kept := llm(map[string]any{"extra_headers": map[string]any{"A": header}})
	w.must(settings.FillAny(t.Context(), w.Surface, w.dev, w.team, kept))
	if got := kept["extra_headers"].(map[string]any)["A"]; got != "header" {
		t.Errorf("in its own place it is worth %v", got)
	}
	stolen := map[string]any{"mcp_config": map[string]any{"b": map[string]any{"url": "https://10.1.0.2", "headers": map[string]any{"X": teams}}}}
	err := settings.Change(t.Context(), w.Surface, w.dev, w.team, false, map[string]any{"agent_settings_diff": stolen})
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("the team's header at a server of one's own: %v", err)
	}
}

func TestAModelWithoutAKeyGetsTheOneThatCountsForIt(t *testing.T) {
	t.Parallel()
	const masked, marker = "**********", settings.OperatorMarker
	team := set(`{"model":"openai/team","base_url":"https://10.1.0.1","api_key":"team-key","extra_headers":{"A":"team-header"}}`)
	for name, c := range map[string]struct {
		llm  string
		key  any // nil for a refusal
		base any
	}{
		"nothing but a mask":       {`{"api_key":"` + masked + `"}`, "team-key", "https://10.1.0.1"},
		"its own address":          {`{"model":"openai/team","base_url":"https://10.1.0.1/"}`, "team-key", "https://10.1.0.1"},
		"no address":               {`{"model":"openai/team","api_key":""}`, "team-key", "https://10.1.0.1"},
		"another address":          {`{"model":"openai/team","base_url":"https://10.1.0.2","api_key":"` + masked + `"}`, nil, nil},
		"another model":            {`{"model":"openai/other","api_key":"` + masked + `"}`, nil, nil},
		"another region":           {`{"aws_region_name":"x","api_key":"` + masked + `"}`, nil, nil},
		"another, without a mask":  {`{"model":"openai/other"}`, "", nil},
		"a key of one's own":       {`{"model":"openai/team","base_url":"https://10.1.0.2","api_key":"sk"}`, "sk", "https://10.1.0.2"},
		"the operator's":           {`{"model":"openai/op","base_url":"http://127.0.0.1:9/v1","api_key":"` + marker + `"}`, "op-key", "http://127.0.0.1:9/v1"},
		"the operator's elsewhere": {`{"model":"openai/op","base_url":"https://10.1.0.2","api_key":"` + marker + `"}`, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, operator())
			w.must(w.teamPatch(w.ada, team))
			llm := object(t, c.llm)
			err := settings.FillAny(t.Context(), w.Surface, w.dev, w.team, llm)
			switch {
			case c.key == nil:
				if status(err) != http.StatusUnprocessableEntity {
					t.Errorf("got %v, %v", llm, err)
				}
			case err != nil:
				t.Error(err)
			case c.key == "":
				if _, has := llm["api_key"]; has {
					t.Errorf("it has a key: %v", llm)
				}
			case llm["api_key"] != c.key || llm["base_url"] != c.base:
				t.Errorf("got %v", llm)
			}
		})
	}
}
