package vault_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestPatchesAddUp(t *testing.T) {
	t.Parallel()
	have := map[string]any{}
	for _, step := range []struct{ patch, want string }{
		{`{}`, `{}`},
		{`{"a":{"b":1,"c":[1,2]},"d":"x"}`, `{"a":{"b":1,"c":[1,2]},"d":"x"}`},
		{`{"a":{"b":2}}`, `{"a":{"b":2,"c":[1,2]},"d":"x"}`},                // the rest of a stays
		{`{"a":{"c":[3]}}`, `{"a":{"b":2,"c":[3]},"d":"x"}`},                // a list is replaced
		{`{"a":{"c":null},"no":null}`, `{"a":{"b":2},"d":"x"}`},             // null removes, or does nothing
		{`{"d":{"e":{"f":null,"g":1}}}`, `{"a":{"b":2},"d":{"e":{"g":1}}}`}, // an object takes a text's place
		{`{"a":false}`, `{"a":false,"d":{"e":{"g":1}}}`},
		{`{"n":12345678901234567890.5}`, `{"a":false,"d":{"e":{"g":1}},"n":12345678901234567890.5}`},
		{`{"a":null,"d":null}`, `{"n":12345678901234567890.5}`},
	} {
		have = vault.Merge(have, object(t, step.patch))
		if diff := cmp.Diff(object(t, step.want), have); diff != "" {
			t.Errorf("after %s: %s", step.patch, diff)
		}
	}
}
