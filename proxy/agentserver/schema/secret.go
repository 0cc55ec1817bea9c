package schema

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// SecretFields lists the places of a model's secrets as JSON pointers, in which * stands for any member or item.
func (b *Book) SecretFields(ctx context.Context, name string) ([]string, error) {
	models, err := b.models(ctx)
	if err != nil {
		return nil, err
	}
	n, err := model(models, name)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	secrets(models, n, "", found)
	return slices.Sorted(maps.Keys(found)), nil
}

// deepest ends the walk through models that hold each other.
const deepest = 6

func secrets(models, n node, place string, found map[string]bool) {
	n = followed(models, n)
	if strings.Count(place, "/") > deepest {
		return
	}
	if n["format"] == "password" || n["writeOnly"] == true {
		found[place] = true
	}
	for _, union := range []string{"anyOf", "oneOf", "allOf"} {
		all, _ := n[union].([]any)
		for _, a := range all {
			if one, isNode := a.(node); isNode {
				secrets(models, one, place, found)
			}
		}
	}
	members, _ := n["properties"].(node)
	for name := range members {
		secrets(models, sub(members, name), place+"/"+Escape(name), found)
	}
	for _, rest := range []string{"additionalProperties", "items"} {
		if one, isNode := n[rest].(node); isNode {
			secrets(models, one, place+"/*", found)
		}
	}
}

// SecretSettings lists the places of the secrets of a settings schema's own fields.
func (b *Book) SecretSettings(ctx context.Context, path string) ([]string, error) {
	fields, err := b.fields(ctx, path)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, f := range fields {
		if f.Secret {
			found = append(found, "/"+strings.ReplaceAll(f.Key, ".", "/"))
		}
	}
	return found, nil
}

// Escape writes a name as one step of a JSON pointer (RFC 6901).
func Escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
