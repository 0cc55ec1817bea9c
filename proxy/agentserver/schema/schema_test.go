package schema_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// openAPI is as the upstream writes it, with models of a few members.
const openAPI = `{"components":{"schemas":{
	"LLM-Input":{"type":"object","properties":{
		"model":{"type":"string","default":"m"},
		"api_key":{"anyOf":[{"type":"string"},{"type":"string","format":"password","writeOnly":true},{"type":"null"}]},
		"temperature":{"anyOf":[{"type":"number","minimum":0.0},{"type":"null"}]},
		"top_p":{"anyOf":[{"type":"number","minimum":0.0,"maximum":1.0},{"type":"null"}]},
		"num_retries":{"type":"integer","minimum":0.0},
		"caching_prompt":{"type":"boolean"},
		"api_mode":{"type":"string","enum":["auto","chat"]},
		"reasoning_effort":{"anyOf":[{"type":"string","enum":["low","high"]},{"type":"null"}]},
		"extra_headers":{"anyOf":[{"type":"object","additionalProperties":{"type":"string"}},{"type":"null"}]},
		"litellm_extra_body":{"type":"object","additionalProperties":true},
		"overrides":{"type":"object","additionalProperties":{"anyOf":[{"type":"boolean"},{"type":"string"}]}},
		"fallback":{"anyOf":[{"$ref":"#/components/schemas/Fallback"},{"type":"null"}]}}},
	"Fallback":{"type":"object","required":["fallback_llms"],"properties":{"fallback_llms":{"type":"array","items":{"type":"string"}}}},
	"Save":{"type":"object","required":["llm"],"properties":{"llm":{"$ref":"#/components/schemas/LLM-Input"}}},
	"Server-Input":{"type":"object","additionalProperties":false,"properties":{
		"url":{"anyOf":[{"type":"string","minLength":1},{"type":"null"}]},
		"args":{"anyOf":[{"type":"array","items":{"type":"string"}},{"type":"null"}]},
		"env":{"anyOf":[{"type":"object","additionalProperties":{"type":"string","format":"password","writeOnly":true}},{"type":"null"}]},
		"auth":{"anyOf":[{"oneOf":[{"$ref":"#/components/schemas/Basic"}],
			"discriminator":{"propertyName":"strategy","mapping":{"basic":"#/components/schemas/Basic"}}},{"type":"null"}]}}},
	"Basic":{"type":"object","required":["username"],"properties":{"strategy":{"type":"string","const":"basic"},
		"username":{"type":"string"},"password":{"type":"string","format":"password","writeOnly":true,"minLength":1}}},
	"Rename":{"type":"object","required":["new_name"],"properties":{"new_name":{"type":"string","minLength":1,"maxLength":5,"pattern":"^[a-z]+$"}}}
}}}`

const agentSchema = `{"sections":[
	{"variant":null,"fields":[
		{"key":"tools","value_type":"array","default":null,"secret":false,"choices":[],"variant":"openhands"},
		{"key":"limit","value_type":"integer","default":1,"secret":false,"choices":[],"variant":null}]},
	{"variant":"openhands","fields":[
		{"key":"llm.model","value_type":"string","default":"m","secret":false,"choices":[],"variant":"openhands"},
		{"key":"llm.api_key","value_type":"string","default":null,"secret":true,"choices":[],"variant":"openhands"},
		{"key":"check.mode","value_type":"string","default":"none","secret":false,"choices":[{"value":"none"},{"value":"all"}],"variant":"openhands"},
		{"key":"check.rate","value_type":"number","default":8.0,"secret":false,"choices":[],"variant":"openhands"}]},
	{"variant":"acp","fields":[{"key":"acp_server","value_type":"string","default":"x","secret":false,"choices":[],"variant":"acp"}]}]}`

func serve(_ context.Context, path string) ([]byte, error) {
	switch path {
	case schema.OpenAPI:
		return []byte(openAPI), nil
	case schema.Agent:
		return []byte(agentSchema), nil
	}
	return nil, errors.New("not served")
}

func book() *schema.Book { return schema.New(serve, slog.New(slog.DiscardHandler)) }

func value(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// What the real models answer was asked of them; see the comparison with the running upstream in the end-to-end tests.
func TestAValueIsJudgedAsPydanticDoes(t *testing.T) {
	t.Parallel()
	b := book()
	for _, c := range []struct{ model, in, out, faults string }{
		{"Save", `{}`, ``, `missing body.llm`},
		{"Save", `{"llm":null}`, ``, `model_attributes_type body.llm`},
		{"Save", `{"llm":"x"}`, ``, `model_attributes_type body.llm`},
		{"Save", `{"llm":{"model":"m","nope":1}}`, `{"llm":{"model":"m"}}`, ``},
		{"LLM", `{"model":3}`, ``, `string_type body.model`},
		{"LLM", `{"model":null}`, ``, `string_type body.model`},
		{"LLM", `{"api_key":null}`, `{"api_key":null}`, ``},
		{"LLM", `{"api_key":["x"]}`, ``, `string_type body.api_key`},
		{"LLM", `{"temperature":"0.5"}`, `{"temperature":0.5}`, ``},
		{"LLM", `{"temperature":true}`, `{"temperature":1}`, ``},
		{"LLM", `{"temperature":"x"}`, ``, `float_parsing body.temperature`},
		{"LLM", `{"temperature":[]}`, ``, `float_type body.temperature`},
		{"LLM", `{"temperature":-1,"top_p":2}`, ``, `greater_than_equal body.temperature, less_than_equal body.top_p`},
		{"LLM", `{"num_retries":"5"}`, `{"num_retries":5}`, ``},
		{"LLM", `{"num_retries":"1.0"}`, `{"num_retries":1}`, ``},
		{"LLM", `{"num_retries":1.0}`, `{"num_retries":1}`, ``},
		{"LLM", `{"num_retries":true}`, `{"num_retries":1}`, ``},
		{"LLM", `{"num_retries":1000000000000000000000000000001}`, `{"num_retries":1000000000000000000000000000001}`, ``},
		{"LLM", `{"num_retries":1.5}`, ``, `int_from_float body.num_retries`},
		{"LLM", `{"num_retries":"1.5"}`, ``, `int_parsing body.num_retries`},
		{"LLM", `{"num_retries":"1e999999999"}`, ``, `int_parsing body.num_retries`},
		{"LLM", `{"num_retries":null}`, ``, `int_type body.num_retries`},
		{"LLM", `{"caching_prompt":"ON"}`, `{"caching_prompt":true}`, ``},
		{"LLM", `{"caching_prompt":0.0}`, `{"caching_prompt":false}`, ``},
		{"LLM", `{"caching_prompt":2}`, ``, `bool_parsing body.caching_prompt`},
		{"LLM", `{"caching_prompt":[]}`, ``, `bool_type body.caching_prompt`},
		{"LLM", `{"api_mode":"x"}`, ``, `literal_error body.api_mode`},
		{"LLM", `{"reasoning_effort":"huge"}`, `{"reasoning_effort":"huge"}`, ``},
		{"LLM", `{"reasoning_effort":5}`, ``, `string_type body.reasoning_effort`},
		{"LLM", `{"api_mode":null}`, ``, `literal_error body.api_mode`},
		{"LLM", `{"extra_headers":{"a":1}}`, ``, `string_type body.extra_headers.a`},
		{"LLM", `{"extra_headers":[]}`, ``, `dict_type body.extra_headers`},
		{"LLM", `{"litellm_extra_body":{"a":[{"b":12345678901234567890}]}}`, `{"litellm_extra_body":{"a":[{"b":12345678901234567890}]}}`, ``},
		{"LLM", `{"overrides":{"a":"true","b":true}}`, `{"overrides":{"a":"true","b":true}}`, ``},
		{"LLM", `{"overrides":{"a":[]}}`, ``, `bool_type body.overrides.a.bool, string_type body.overrides.a.str`},
		{"LLM", `{"fallback":{}}`, ``, `missing body.fallback.fallback_llms`},
		{"LLM", `{"fallback":{"fallback_llms":["a",1]}}`, ``, `string_type body.fallback.fallback_llms.1`},
		{"Server", `{"nope":1,"url":""}`, ``, `extra_forbidden body.nope, string_too_short body.url`},
		{"Server", `{"args":"x"}`, ``, `list_type body.args`},
		{"Server", `{"env":{"a":1}}`, ``, `string_type body.env.a`},
		{"Server", `{"auth":"x"}`, ``, `model_attributes_type body.auth`},
		{"Server", `{"auth":{}}`, ``, `union_tag_not_found body.auth`},
		{"Server", `{"auth":{"strategy":"x"}}`, ``, `union_tag_invalid body.auth`},
		{"Server", `{"auth":{"strategy":"basic"}}`, ``, `missing body.auth.basic.username`},
		{"Server", `{"auth":{"strategy":"basic","username":"a","password":""}}`, ``, `too_short body.auth.basic.password`},
		{"Rename", `{"new_name":""}`, ``, `string_too_short body.new_name`},
		{"Rename", `{"new_name":"abcdef"}`, ``, `string_too_long body.new_name`},
		{"Rename", `{"new_name":"ab1"}`, ``, `string_pattern_mismatch body.new_name`},
	} {
		clean, faults, err := b.Validate(t.Context(), c.model, value(t, c.in), "body")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range faults {
			got = append(got, f.Type+" "+strings.Join(words(f.Loc), "."))
			if f.Input != nil {
				t.Errorf("%s: the input is echoed", c.in)
			}
		}
		slices.Sort(got)
		if text := strings.Join(got, ", "); text != c.faults {
			t.Errorf("%s %s: faults %q, want %q", c.model, c.in, text, c.faults)
		}
		if c.faults == "" {
			if diff := cmp.Diff(value(t, c.out), clean); diff != "" {
				t.Errorf("%s %s: %s", c.model, c.in, diff)
			}
		}
	}
}

func words(loc []any) []string {
	var out []string
	for _, step := range loc {
		out = append(out, fmt.Sprint(step))
	}
	return out
}

func TestAnUnknownModelIsAnErrorAndNotAYes(t *testing.T) {
	t.Parallel()
	if _, _, err := book().Validate(t.Context(), "Nonesuch", map[string]any{}); err == nil {
		t.Error("it was accepted")
	}
}

func TestSecretsOfAModelAreFound(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"LLM": {"/api_key"}, "Save": {"/llm/api_key"}, "Server": {"/auth/password", "/env/*"}, "Rename": nil,
	} {
		found, err := book().SecretFields(t.Context(), name)
		if diff := cmp.Diff(want, found, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v, %s", name, err, diff)
		}
	}
	found, err := book().SecretSettings(t.Context(), schema.Agent)
	if diff := cmp.Diff([]string{"/llm/api_key"}, found); diff != "" || err != nil {
		t.Errorf("settings: %v, %s", err, diff)
	}
}

func TestDefaultsAreOfOneVariantAndNewForEachCaller(t *testing.T) {
	t.Parallel()
	b := book()
	want := value(t, `{"tools":null,"limit":1,"llm":{"model":"m","api_key":null},"check":{"mode":"none","rate":8.0}}`)
	for range 2 {
		got, err := b.Defaults(t.Context(), schema.Agent)
		if diff := cmp.Diff(want, any(got)); diff != "" || err != nil {
			t.Fatalf("%v, %s", err, diff)
		}
		got["limit"], got["llm"].(map[string]any)["model"] = 7, "changed"
	}
}

func TestWholeSettingsAreJudged(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"limit":"3","llm":{"temperature":0.5},"check":{"mode":"all"},"other":{}}`: ``,
		`{"limit":"x"}`:              `int_parsing limit`,
		`{"check":{"mode":"most"}}`:  `literal_error check.mode`,
		`{"llm":{"temperature":-1}}`: `greater_than_equal llm.temperature`,
		`{"tools":{}}`:               `list_type tools`,
	} {
		faults, err := book().Judge(t.Context(), schema.Agent, value(t, in).(map[string]any))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range faults {
			got = append(got, f.Type+" "+strings.Join(words(f.Loc), "."))
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("%s: %q, want %q", in, text, want)
		}
	}
}

func TestABookAsksOnceInFiveMinutesAndServesTheLastWhenTheUpstreamIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		asked, away := 0, false
		var log bytes.Buffer
		b := schema.New(func(context.Context, string) ([]byte, error) {
			asked++
			if away {
				return nil, errors.New("away")
			}
			return []byte(agentSchema), nil
		}, slog.New(slog.NewTextHandler(&log, nil)))
		read := func() error { _, err := b.Raw(t.Context(), schema.Agent); return err }
		for range 3 {
			if err := read(); err != nil || asked != 1 {
				t.Fatalf("asked %d times, %v", asked, err)
			}
		}
		time.Sleep(5*time.Minute + time.Second)
		away = true
		if err := read(); err != nil || asked != 2 || !strings.Contains(log.String(), "away") {
			t.Errorf("asked %d times, %v, said %s", asked, err, log.String())
		}
		if err := errors.Join(read(), func() error { away = false; return read() }()); err != nil || asked != 4 {
			t.Errorf("asked %d times, %v", asked, err)
		}
	})
	b := schema.New(func(context.Context, string) ([]byte, error) { return nil, errors.New("away") }, slog.New(slog.DiscardHandler))
	if _, err := b.Defaults(t.Context(), schema.Agent); err == nil {
		t.Error("there was nothing to serve")
	}
}
