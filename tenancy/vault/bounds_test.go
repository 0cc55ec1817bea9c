package vault_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// change tries one change of a document of ada's.
func (w *world) change(kind vault.Kind, name string, change func(*vault.Draft)) error {
	_, err := w.Update(w.t.Context(), w.own(), kind, name, w.by(), func(d *vault.Draft) error {
		change(d)
		return nil
	})
	return err
}

func nothing(*vault.Draft) {}

func TestNamesThatDifferByCaseOnlyAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "Token", "first")
	err := w.change(vault.KindSecret, "TOKEN", func(d *vault.Draft) { d.Set("/value", "second") })
	wantStatus(t, err, http.StatusConflict)
	if !strings.Contains(err.Error(), `"Token"`) {
		t.Errorf("the present one is not named: %v", err)
	}
	w.opens(w.get(w.own(), vault.KindSecret, "Token"), "/value", "first")
	if err := w.change(vault.KindProfile, "TOKEN", nothing); err != nil {
		t.Errorf("another kind: %v", err)
	}
	w.set(vault.Scope{Team: w.team}, vault.KindSecret, "TOKEN", "another scope")
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, name := range []string{"a\x00b", "a\nb", "a\u0085b", "\xff", strings.Repeat("x", 129)} {
		wantStatus(t, w.change(vault.KindSecret, name, nothing), http.StatusUnprocessableEntity)
	}
}

func TestDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*vault.Draft)
		want   int
	}{
		"a large document": {func(d *vault.Draft) { d.Body["x"] = strings.Repeat("x", 256<<10) }, http.StatusRequestEntityTooLarge},
		"a large secret":   {func(d *vault.Draft) { d.Set("/x", strings.Repeat("x", 64<<10+1)) }, http.StatusUnprocessableEntity},
		"many secrets": {func(d *vault.Draft) {
			for i := range 5 {
				d.Set(fmt.Sprint("/", i), strings.Repeat("x", 60<<10))
			}
		}, http.StatusRequestEntityTooLarge},
		"deep nesting": {func(d *vault.Draft) {
			for range 64 {
				d.Body = map[string]any{"a": d.Body}
			}
		}, http.StatusUnprocessableEntity},
		"a NUL":                  {func(d *vault.Draft) { d.Body["x"] = "a\x00b" }, http.StatusUnprocessableEntity},
		"a number beyond bounds": {func(d *vault.Draft) { d.Body = object(t, `{"a":1e999999}`) }, http.StatusUnprocessableEntity},
		"a number of many digits that are not written": {func(d *vault.Draft) { d.Body = object(t, `{"a":1e131071}`) }, 0},
		"numbers of many digits that are not written":  {func(d *vault.Draft) { d.Body = object(t, `{"a":[1e100000,1e-100000,1e100000]}`) }, http.StatusUnprocessableEntity},
		"one beside what is large":                     {func(d *vault.Draft) { d.Body = object(t, `{"a":1e200000,"b":"`+strings.Repeat("x", 100<<10)+`"}`) }, http.StatusRequestEntityTooLarge},
		"a secret just as large":                       {func(d *vault.Draft) { d.Set("/x", strings.Repeat("x", 64<<10)) }, 0},
		"a number of many digits":                      {func(d *vault.Draft) { d.Body = object(t, `{"a":12345678901234567890.5}`) }, 0},
	} {
		if got := status(w.change(vault.KindProfile, name, c.change)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if _, found, _ := w.Get(t.Context(), w.own(), vault.KindProfile, name); found != (c.want == 0) {
			t.Errorf("%s: kept %v", name, found)
		}
	}
}

func TestAScopeHoldsSoManyDocumentsOfAKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 50 {
		w.set(w.own(), vault.KindProfile, fmt.Sprint("p", i), "x")
	}
	limit, ok := errors.AsType[*vault.LimitError](w.change(vault.KindProfile, "p50", nothing))
	if !ok || limit.Max != 50 || limit.Kind != vault.KindProfile {
		t.Errorf("got %v", limit)
	}
	if err := w.change(vault.KindProfile, "p7", nothing); err != nil {
		t.Errorf("a present one may be changed: %v", err)
	}
	w.set(vault.Scope{Team: w.team, User: w.bob}, vault.KindProfile, "p50", "another scope has room")
}

func TestRenamingKeepsTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.set(w.own(), vault.KindProfile, "fast", "key")
	w.set(w.own(), vault.KindProfile, "slow", "other")
	rename := func(from, to string) error {
		return w.Rename(t.Context(), w.own(), vault.KindProfile, from, to, w.by())
	}
	if err := rename("fast", "SLOW"); !errors.Is(err, vault.ErrExists) {
		t.Errorf("onto another: %v", err)
	}
	if err := rename("FAST", "x"); !errors.Is(err, vault.ErrMissing) {
		t.Errorf("from no such name: %v", err)
	}
	if err := errors.Join(rename("fast", "Fast"), rename("Fast", "quick")); err != nil {
		t.Fatal(err)
	}
	after := w.get(w.own(), vault.KindProfile, "quick")
	w.opens(after, "/value", "key")
	if after.ID != before.ID || after.Version != 3 {
		t.Errorf("renamed %+v", after)
	}
}

func TestDeletingIsOfOnesOwnScope(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(vault.Scope{Team: w.team}, vault.KindSecret, "TOKEN", "ours")
	w.set(w.own(), vault.KindSecret, "TOKEN", "mine")
	for _, want := range []bool{true, false} {
		if removed, err := w.Delete(t.Context(), w.own(), vault.KindSecret, "TOKEN", w.by()); removed != want || err != nil {
			t.Errorf("removed %v, %v; want %v", removed, err, want)
		}
	}
	w.opens(w.get(vault.Scope{Team: w.team}, vault.KindSecret, "TOKEN"), "/value", "ours")
}

func TestChangesAndRevealsAreAuditedWithoutValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.set(w.own(), vault.KindSecret, "TOKEN", "planted-value")
	all := []vault.Reveal{{Document: d, Field: "/value"}, {Document: d, Field: "/other"}}
	if err := w.Revealed(t.Context(), w.by(), all); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Delete(t.Context(), w.own(), vault.KindSecret, "TOKEN", w.by()); err != nil {
		t.Fatal(err)
	}
	var lines []string
	err := w.db.SelectContext(t.Context(), &lines, `SELECT concat_ws(' ', team_id, actor, action, object) FROM audit_log ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"vault.secret.set", "vault.secret.reveal", "vault.secret.delete"}
	for i, line := range lines {
		if i >= len(want) || line != w.team.String()+" ada@example.org "+want[i]+" TOKEN" {
			t.Errorf("line %d: %s", i, line)
		}
	}
	if len(lines) != len(want) {
		t.Errorf("%d lines", len(lines))
	}
	var fields string
	err = w.db.GetContext(t.Context(), &fields, `SELECT detail->>'fields' FROM audit_log WHERE action = 'vault.secret.reveal'`)
	if err != nil || fields != `["/other", "/value"]` {
		t.Errorf("revealed %s, %v", fields, err)
	}
}

func TestWithoutADatabaseTheVaultIsUnavailable(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	s := vault.New(dbtest.Open(t, cluster.URL()), newWorld(t).keys)
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	_, err := s.Layers(t.Context(), uuid.New(), uuid.New(), vault.KindSettings)
	wantStatus(t, err, http.StatusServiceUnavailable)
	_, err = s.Update(t.Context(), vault.Scope{}, vault.KindSettings, "", vault.By{}, func(*vault.Draft) error { return nil })
	wantStatus(t, err, http.StatusServiceUnavailable)
}
