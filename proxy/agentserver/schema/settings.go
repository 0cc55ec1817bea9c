package schema

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// kind is the variant of the settings that conversations here have.
const kind = "openhands"

// field is one field of a settings schema.
type field struct {
	Key     string  `json:"key"`
	Type    string  `json:"value_type"`
	Default any     `json:"default"`
	Secret  bool    `json:"secret"`
	Variant *string `json:"variant"`
	Choices []struct {
		Value any `json:"value"`
	} `json:"choices"`
}

// fields lists the fields of a settings schema that count here. They are decoded anew for each caller, who may change them.
func (b *Book) fields(ctx context.Context, path string) ([]field, error) {
	raw, err := b.Raw(ctx, path)
	if err != nil {
		return nil, err
	}
	var s struct {
		Sections []struct {
			Variant *string `json:"variant"`
			Fields  []field `json:"fields"`
		} `json:"sections"`
	}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber()
	if err := decoder.Decode(&s); err != nil {
		return nil, err
	}
	var found []field
	for _, section := range s.Sections {
		for _, f := range section.Fields {
			if ours(section.Variant) && ours(f.Variant) {
				found = append(found, f)
			}
		}
	}
	return found, nil
}

func ours(variant *string) bool { return variant == nil || *variant == kind }

// Defaults is the object of a settings schema's defaults: "llm.model" becomes a member of "llm". Each call gives a new one.
func (b *Book) Defaults(ctx context.Context, path string) (map[string]any, error) {
	fields, err := b.fields(ctx, path)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	for _, f := range fields {
		put(out, strings.Split(f.Key, "."), f.Default)
	}
	return out, nil
}

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

// Judge finds what is wrong in whole settings: members of the schema by their type and choices, models and MCP servers by the
// upstream's own models. Members that neither knows are left alone; what is right is read as the upstream reads it, so that "5"
// becomes 5.
func (b *Book) Judge(ctx context.Context, path string, settings map[string]any) ([]problem.Field, error) {
	fields, err := b.fields(ctx, path)
	if err != nil {
		return nil, err
	}
	j := &judge{}
	for _, f := range fields {
		if strings.HasPrefix(f.Key, "llm.") && path == Agent {
			continue // its model says more, and its choices are no limits
		}
		key := strings.Split(f.Key, ".")
		if v, present := find(settings, key); present && v != nil {
			put(settings, key, j.one(f.node(), steps(f.Key), v))
		}
	}
	if path != Agent {
		return j.faults, nil
	}
	more, err := b.nested(ctx, settings)
	return append(j.faults, more...), err
}

// node is the field as a schema of one value.
func (f field) node() node {
	n := node{"type": f.Type}
	if len(f.Choices) > 0 {
		var allowed []any
		for _, c := range f.Choices {
			allowed = append(allowed, c.Value)
		}
		n["enum"] = allowed
	}
	return n
}

// nested judges the parts of agent settings that are models of their own.
func (b *Book) nested(ctx context.Context, settings map[string]any) ([]problem.Field, error) {
	var all []problem.Field
	if llm, present := settings["llm"]; present {
		clean, faults, err := b.Validate(ctx, "LLM", llm, "llm")
		if err != nil {
			return nil, err
		}
		all = append(all, faults...)
		cover(llm, clean)
	}
	servers, _ := settings["mcp_config"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		clean, faults, err := b.Validate(ctx, "MCPServer", servers[name], "mcp_config", name)
		if err != nil {
			return nil, err
		}
		all = append(all, faults...)
		cover(servers[name], clean)
	}
	return all, nil
}

// cover puts the members of an object as they were read over those that were sent.
func cover(sent, clean any) {
	over, isObject := clean.(map[string]any)
	if in, isToo := sent.(map[string]any); isObject && isToo {
		maps.Copy(in, over)
	}
}

func find(in map[string]any, key []string) (any, bool) {
	for _, name := range key[:len(key)-1] {
		below, isObject := in[name].(map[string]any)
		if !isObject {
			return nil, false
		}
		in = below
	}
	v, present := in[key[len(key)-1]]
	return v, present
}

func steps(key string) []any {
	var loc []any
	for step := range strings.SplitSeq(key, ".") {
		loc = append(loc, step)
	}
	return loc
}
