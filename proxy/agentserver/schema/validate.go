package schema

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Validate judges a value as the upstream's model of this name would, in pydantic's lax mode: "5" is a number where one is
// asked for. It gives the value as the upstream would read it, without what the model does not know and without defaults, and
// all faults, placed below loc. Inputs are not echoed: they may be secrets.
func (b *Book) Validate(ctx context.Context, name string, v any, loc ...any) (any, []problem.Field, error) {
	models, err := b.models(ctx)
	if err != nil {
		return nil, nil, err
	}
	n, err := model(models, name)
	if err != nil {
		return nil, nil, err
	}
	j := &judge{models: models}
	clean := j.value(n, loc, v)
	return clean, j.faults, nil
}

// judge collects the faults of one value.
type judge struct {
	models node
	faults []problem.Field
}

func (j *judge) fault(kind string, loc []any, format string, args ...any) any {
	j.faults = append(j.faults, problem.Field{Type: kind, Loc: slices.Clone(loc), Msg: fmt.Sprintf(format, args...)})
	return nil
}

func at(loc []any, step any) []any { return append(slices.Clone(loc), step) }

func (j *judge) value(n node, loc []any, v any) any {
	n = followed(j.models, n)
	some, null := alternatives(n)
	switch {
	case v == nil && null:
		return nil
	case len(some) > 1:
		return j.union(some, loc, v)
	case len(some) == 1:
		n = followed(j.models, some[0])
	}
	if tagged, isTagged := n["discriminator"].(node); isTagged {
		return j.tagged(tagged, loc, v)
	}
	return j.one(n, loc, v)
}

func (j *judge) one(n node, loc []any, v any) any {
	if allowed, isChoice := choices(n); isChoice {
		return j.choice(allowed, loc, v)
	}
	switch n["type"] {
	case "string":
		return j.text(n, loc, v)
	case "integer":
		return j.integer(n, loc, v)
	case "number":
		return j.number(n, loc, v)
	case "boolean":
		return j.boolean(loc, v)
	case "array":
		return j.list(n, loc, v)
	case "object":
		return j.object(n, loc, v)
	}
	return v // the model takes anything
}

// union takes the alternative that fits without a conversion, else the first that fits with one. What fits none has the faults
// of all, each below the alternative's name.
func (j *judge) union(some []node, loc []any, v any) any {
	if secretOr(some) {
		return j.text(some[0], loc, v)
	}
	for _, exact := range []bool{true, false} {
		for _, n := range some {
			trial := &judge{models: j.models}
			clean := trial.value(n, loc, v)
			if len(trial.faults) == 0 && (!exact || sameKind(clean, v)) {
				return clean
			}
		}
	}
	for _, n := range some {
		n = followed(j.models, n)
		j.value(n, at(loc, label(n)), v)
	}
	return nil
}

// secretOr says whether all alternatives are texts, of which one is a secret.
func secretOr(some []node) bool {
	secret := false
	for _, n := range some {
		if n["type"] != "string" || n["enum"] != nil {
			return false
		}
		secret = secret || n["format"] == "password"
	}
	return secret
}

// label is how pydantic names an alternative.
func label(n node) string {
	switch n["type"] {
	case "string":
		return "str"
	case "boolean":
		return "bool"
	case "integer":
		return "int"
	case "number":
		return "float"
	case "array":
		return "list"
	}
	if title, named := n["title"].(string); named {
		return title
	}
	return "dict"
}

func sameKind(a, b any) bool { return fmt.Sprintf("%T", a) == fmt.Sprintf("%T", b) }

// tagged finds the model by the member that names it.
func (j *judge) tagged(d node, loc []any, v any) any {
	in, isObject := v.(map[string]any)
	if !isObject {
		return j.fault("model_attributes_type", loc, "Input should be a valid dictionary or object to extract fields from")
	}
	property, _ := d["propertyName"].(string)
	tag, present := in[property]
	if !present {
		return j.fault("union_tag_not_found", loc, "Unable to extract tag using discriminator '%s'", property)
	}
	word, _ := tag.(string)
	ref, known := sub(d, "mapping")[word].(string)
	if !known {
		return j.fault("union_tag_invalid", loc, "Input tag does not match any of the expected tags")
	}
	return j.value(node{"$ref": ref}, at(loc, word), v)
}

func (j *judge) list(n node, loc []any, v any) any {
	in, isList := v.([]any)
	if !isList {
		return j.fault("list_type", loc, "Input should be a valid list")
	}
	if most, bounded := bound(n, "maxItems"); bounded && float64(len(in)) > most {
		return j.fault("too_long", loc, "List should have at most %v items", most)
	}
	items, _ := n["items"].(node)
	out := make([]any, len(in))
	for i, item := range in {
		out[i] = j.value(items, at(loc, i), item)
	}
	return out
}

// object judges a model, which has named members, or a dictionary, which has free ones.
func (j *judge) object(n node, loc []any, v any) any {
	in, isObject := v.(map[string]any)
	properties, isModel := n["properties"].(node)
	switch {
	case !isObject && isModel:
		return j.fault("model_attributes_type", loc, "Input should be a valid dictionary or object to extract fields from")
	case !isObject:
		return j.fault("dict_type", loc, "Input should be a valid dictionary")
	case isModel:
		j.required(n, loc, in)
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		member, known := properties[name].(node)
		if !known {
			j.other(n, isModel, loc, name, in[name], out)
			continue
		}
		out[name] = j.value(loosened(name, member), at(loc, name), in[name])
	}
	return out
}

// loosened is a member's schema, but for what the upstream's document says more strictly than its code: it lists usual values of
// a reasoning effort, and any text is taken.
func loosened(name string, member node) node {
	if name == "reasoning_effort" {
		return node{"anyOf": []any{node{"type": "string"}, node{"type": "null"}}}
	}
	return member
}

func (j *judge) required(n node, loc []any, in map[string]any) {
	names, _ := n["required"].([]any)
	for _, name := range names {
		if text, _ := name.(string); text != "" {
			if _, present := in[text]; !present {
				j.fault("missing", at(loc, text), "Field required")
			}
		}
	}
}

// other judges a member without a name of its own in the schema: dropped, refused, or taken, as the schema says.
func (j *judge) other(n node, isModel bool, loc []any, name string, v any, out map[string]any) {
	switch rest := n["additionalProperties"].(type) {
	case node:
		out[name] = j.value(rest, at(loc, name), v)
	case bool:
		if !rest {
			j.fault("extra_forbidden", at(loc, name), "Extra inputs are not permitted")
			return
		}
		out[name] = v
	default:
		if !isModel {
			out[name] = v
		}
	}
}
