package settings

import (
	"maps"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// escorts are the members of a model that go along with its key. Whoever says what goes along with a key says where it goes: many a
// server passes requests on by them, or takes another model.
func escorts() []string { return []string{"extra_headers", "litellm_extra_body"} }

// escorted says whether a document, in which the model lies at root, brings such members.
func escorted(llm map[string]any, d *vault.Document, root string) bool {
	return slices.ContainsFunc(escorts(), func(name string) bool {
		return !empty(llm[name]) || slices.ContainsFunc(d.Fields(), func(field string) bool { return within(root+"/"+name, field) })
	})
}

// escorts says whether the client says itself what goes along with the key.
func (f *filler) escorts() bool {
	return slices.ContainsFunc(escorts(), func(name string) bool { return !f.others(f.llm[name]) })
}

// others says whether a value is nothing but masks and tokens of what others put there.
func (f *filler) others(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return !slices.ContainsFunc(slices.Collect(maps.Values(v)), func(v any) bool { return !f.others(v) })
	case []any:
		return !slices.ContainsFunc(v, func(v any) bool { return !f.others(v) })
	case string:
		k := f.tokens[strings.TrimSpace(v)].key
		return v == mask || !k.operators() && !k.mine(f.who)
	}
	return false
}

// foreign says whether one of these keys is not the caller's.
func (f *filler) foreign(keys map[string]key) bool {
	for _, k := range keys {
		if k.operators() || !k.mine(f.who) {
			return true
		}
	}
	return false
}
