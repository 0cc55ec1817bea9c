package vault_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func read(t *testing.T, p *vault.Preferences, subject uuid.UUID) map[string]any {
	t.Helper()
	raw, err := p.Get(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, string(raw))
}

func TestPreferencesAddUp(t *testing.T) {
	t.Parallel()
	p, ada := vault.NewPreferences(dbtest.New(t)), uuid.New()
	for _, step := range []struct{ patch, want string }{
		{`{}`, `{}`},
		{`{"a":{"b":1,"c":[1,2]},"d":"x"}`, `{"a":{"b":1,"c":[1,2]},"d":"x"}`},
		{`{"a":{"b":2}}`, `{"a":{"b":2,"c":[1,2]},"d":"x"}`},                // the rest of a stays
		{`{"a":{"c":[3]}}`, `{"a":{"b":2,"c":[3]},"d":"x"}`},                // a list is replaced
		{`{"a":{"c":null},"no":null}`, `{"a":{"b":2},"d":"x"}`},             // null removes, or does nothing
		{`{"d":{"e":{"f":null,"g":1}}}`, `{"a":{"b":2},"d":{"e":{"g":1}}}`}, // an object takes a text's place
		{`{"a":false}`, `{"a":false,"d":{"e":{"g":1}}}`},
		{`{"n":12345678901234567890.5}`, `{"a":false,"d":{"e":{"g":1}},"n":12345678901234567890.5}`},
		{`{"a":null,"d":null}`, `{"n":12345678901234567890.5}`}, // what was kept is not rounded by the next patch
	} {
		if err := p.Merge(t.Context(), ada, object(t, step.patch)); err != nil {
			t.Fatalf("%s: %v", step.patch, err)
		}
		if diff := cmp.Diff(object(t, step.want), read(t, p, ada)); diff != "" {
			t.Errorf("after %s: %s", step.patch, diff)
		}
	}
}

func TestEverySubjectHasADocumentOfItsOwn(t *testing.T) {
	t.Parallel()
	p, ada := vault.NewPreferences(dbtest.New(t)), uuid.New()
	if err := p.Merge(t.Context(), ada, object(t, `{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if got := read(t, p, uuid.New()); len(got) != 0 {
		t.Errorf("another one reads %v", got)
	}
}

func TestPatchesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	p, ada := vault.NewPreferences(dbtest.New(t)), uuid.New()
	want := map[string]any{}
	var all sync.WaitGroup
	for i := range 20 {
		key := fmt.Sprint("k", i)
		want[key] = json.Number(fmt.Sprint(i))
		all.Go(func() {
			if err := p.Merge(t.Context(), ada, map[string]any{"in": map[string]any{key: i}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if diff := cmp.Diff(map[string]any{"in": want}, read(t, p, ada)); diff != "" {
		t.Error(diff)
	}
}

func TestADocumentIsBoundedAsAWhole(t *testing.T) {
	t.Parallel()
	p, ada := vault.NewPreferences(dbtest.New(t)), uuid.New()
	half := strings.Repeat("x", 40<<10)
	if err := p.Merge(t.Context(), ada, map[string]any{"a": half}); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, p.Merge(t.Context(), ada, map[string]any{"b": half}), http.StatusRequestEntityTooLarge)
	if got := read(t, p, ada); len(got) != 1 {
		t.Errorf("a refused patch left %d keys", len(got))
	}
	if err := p.Merge(t.Context(), ada, map[string]any{"a": nil, "b": half}); err != nil {
		t.Error("there is room again:", err)
	}
}

func TestWhatCannotBeKeptIsRefused(t *testing.T) {
	t.Parallel()
	p, ada := vault.NewPreferences(dbtest.New(t)), uuid.New()
	deep := strings.Repeat(`{"a":`, 70) + `1` + strings.Repeat(`}`, 70)
	for _, patch := range []string{`{"a":"\u0000"}`, `{"\u0000":1}`, `{"a":1e999999}`, deep} {
		wantStatus(t, p.Merge(t.Context(), ada, object(t, patch)), http.StatusUnprocessableEntity)
	}
	if got := read(t, p, ada); len(got) != 0 {
		t.Errorf("kept %v", got)
	}
}

func TestWithoutADatabasePreferencesAreUnavailable(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	p := vault.NewPreferences(dbtest.Open(t, cluster.URL()))
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	_, err := p.Get(t.Context(), uuid.New())
	wantStatus(t, err, http.StatusServiceUnavailable)
	wantStatus(t, p.Merge(t.Context(), uuid.New(), map[string]any{}), http.StatusServiceUnavailable)
}
