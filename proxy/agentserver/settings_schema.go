package agentserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// schemas remembers the upstream's schemas for some minutes: they change with its version only. The zero value is ready.
type schemas struct {
	mu   sync.Mutex
	kept map[string]keptSchema
}

type keptSchema struct {
	body  []byte
	until time.Time
}

// schemaLife is how long a schema is believed. After it an old one still serves while the upstream does not answer.
const schemaLife = 5 * time.Minute

// schema is the part of the upstream's schema that we read.
type schema struct {
	Sections []struct {
		Variant *string `json:"variant"`
		Fields  []struct {
			Key     string  `json:"key"`
			Default any     `json:"default"`
			Variant *string `json:"variant"`
		} `json:"fields"`
	} `json:"sections"`
}

// agentKind is the variant of the schema that conversations here have.
const agentKind = "openhands"

// agentDefaults are the settings of somebody who never changed one. The schema lists what people may change; what else the
// upstream's object holds is added, as its version 1.49 has it. Each call gives a new object.
func (d *Dialect) agentDefaults(ctx context.Context) (map[string]any, error) {
	defaults, err := d.defaults(ctx, agentSchema)
	if err != nil {
		return nil, err
	}
	return filled(defaults, map[string]any{
		"schema_version": 6,
		"agent_kind":     agentKind,
		"llm":            map[string]any{"is_subscription": false},
		"agent_context": map[string]any{
			"skills":                  []any{},
			"disabled_skills":         []any{},
			"registered_marketplaces": []any{},
			"marketplace_path":        "marketplaces/default.json",
			"system_message_suffix":   nil,
			"user_message_suffix":     nil,
			"load_user_skills":        false,
			"load_public_skills":      false,
			"load_project_skills":     false,
			"secrets":                 nil,
			"current_datetime":        time.Now().UTC().Format(time.RFC3339Nano),
		},
	}), nil
}

func (d *Dialect) conversationDefaults(ctx context.Context) (map[string]any, error) {
	defaults, err := d.defaults(ctx, conversationSchema)
	if err != nil {
		return nil, err
	}
	return filled(defaults, map[string]any{"schema_version": 1}), nil
}

// filled adds what is missing in base, at any depth. What the schema says always counts.
func filled(base, rest map[string]any) map[string]any {
	for name, value := range rest {
		present, known := base[name]
		below, isObject := present.(map[string]any)
		more, moreIsObject := value.(map[string]any)
		switch {
		case !known:
			base[name] = value
		case isObject && moreIsObject:
			filled(below, more)
		}
	}
	return base
}

// defaults turns a schema into the object of its defaults: "llm.model" becomes a member of "llm".
func (d *Dialect) defaults(ctx context.Context, path string) (map[string]any, error) {
	raw, err := d.schema(ctx, path)
	if err != nil {
		return nil, err
	}
	var s schema
	if err := decode(raw, &s); err != nil { // 8.0 stays 8.0
		return nil, err
	}
	out := map[string]any{}
	for _, section := range s.Sections {
		if !ofKind(section.Variant) {
			continue
		}
		for _, field := range section.Fields {
			if ofKind(field.Variant) {
				put(out, strings.Split(field.Key, "."), field.Default)
			}
		}
	}
	return out, nil
}

func ofKind(variant *string) bool { return variant == nil || *variant == agentKind }

func put(in map[string]any, key []string, value any) {
	for _, name := range key[:len(key)-1] {
		below, isObject := in[name].(map[string]any)
		if !isObject {
			below = map[string]any{}
			in[name] = below
		}
		in = below
	}
	in[key[len(key)-1]] = value
}

// schema gives the upstream's schema, from memory where it is young enough.
func (d *Dialect) schema(ctx context.Context, path string) ([]byte, error) {
	old, known := d.schemas.get(path)
	if known && time.Now().Before(old.until) {
		return old.body, nil
	}
	reply, err := d.call(ctx, proxy.Outgoing{Method: http.MethodGet, Path: path})
	if err == nil && reply.Status != http.StatusOK {
		cause := fmt.Errorf("the upstream answered %d for %s", reply.Status, path)
		err = problem.New(http.StatusBadGateway, "The backend did not give its settings. Try again, or tell the operator.").Because(cause)
	}
	switch {
	case err == nil:
		d.schemas.put(path, reply.Body)
		return reply.Body, nil
	case known && !errors.Is(err, context.Canceled):
		d.log.WarnContext(ctx, "the upstream's schema could not be renewed; the last one serves", "path", path, "error", err)
		return old.body, nil
	}
	return nil, err
}

func (s *schemas) get(path string) (keptSchema, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, known := s.kept[path]
	return kept, known
}

func (s *schemas) put(path string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]keptSchema{}
	}
	s.kept[path] = keptSchema{body: body, until: time.Now().Add(schemaLife)}
}
