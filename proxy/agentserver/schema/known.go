package schema

import (
	"context"
	"slices"
)

// Known gives a value without the members that the upstream's model of this name does not have, which it would ignore. Nothing is
// judged, so the value may be a patch; members that the model forbids stay, to be refused.
func (b *Book) Known(ctx context.Context, name string, v any) (any, error) {
	models, err := b.models(ctx)
	if err != nil {
		return nil, err
	}
	n, err := model(models, name)
	if err != nil {
		return nil, err
	}
	return known(models, []node{n}, v), nil
}

// known looks at the forms that a value may have: a member that one of them has stays.
func known(models node, forms []node, v any) any {
	forms = spread(models, forms)
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = known(models, items(forms), item)
		}
		return out
	case map[string]any:
		return knownMembers(models, forms, v)
	}
	return v
}

func knownMembers(models node, forms []node, in map[string]any) any {
	forms = slices.DeleteFunc(forms, func(n node) bool { return n["type"] == "array" })
	if len(forms) == 0 {
		return in
	}
	out := map[string]any{}
	for name, value := range in {
		below, free, has := membersNamed(forms, name)
		switch {
		case free:
			out[name] = value
		case has:
			out[name] = known(models, below, value)
		}
	}
	return out
}

// membersNamed are the schemas of a member in these forms. It is free where one of them says nothing about it but that it may be
// there, or that it may not: that is for others to judge.
func membersNamed(forms []node, name string) (below []node, free, has bool) {
	for _, form := range forms {
		members, isModel := form["properties"].(node)
		member, named := members[name].(node)
		rest, described := form["additionalProperties"].(node)
		_, said := form["additionalProperties"].(bool)
		switch {
		case named:
			below, has = append(below, member), true
		case described:
			below, has = append(below, rest), true
		case said, !isModel:
			free = true
		}
	}
	return below, free, has
}

// spread follows references and unions, and gives the forms that objects and lists may have.
func spread(models node, forms []node) []node {
	var found []node
	for _, form := range forms {
		form = followed(models, form)
		union := false
		for _, name := range []string{"anyOf", "oneOf", "allOf"} {
			all, isUnion := form[name].([]any)
			union = union || isUnion
			for _, a := range all {
				if one, isNode := a.(node); isNode {
					found = append(found, spread(models, []node{one})...)
				}
			}
		}
		if kind := form["type"]; !union && (kind == nil || kind == "object" || kind == "array") {
			found = append(found, form)
		}
	}
	return found
}

func items(forms []node) []node {
	var found []node
	for _, form := range forms {
		if one, isNode := form["items"].(node); isNode {
			found = append(found, one)
		}
	}
	return found
}
