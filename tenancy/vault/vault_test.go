package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is a store with two teams and two users.
type world struct {
	*vault.Store
	t         *testing.T
	db        *postgres.DB
	keys      *sealed.Source
	file      string // of keys
	team, foe uuid.UUID
	ada, bob  uuid.UUID
}

func newWorld(t *testing.T) *world {
	t.Helper()
	file := filepath.Join(t.TempDir(), "vault-keyset.json")
	keys, err := sealed.EnsureFile(file)
	if err != nil {
		t.Fatal(err)
	}
	db := dbtest.New(t)
	w := &world{Store: vault.New(db, keys), t: t, db: db, keys: keys, file: file, ada: uuid.New(), bob: uuid.New(), team: uuid.New(), foe: uuid.New()}
	for _, user := range []uuid.UUID{w.ada, w.bob} {
		w.exec(`INSERT INTO users (id, email, email_key, password_hash) VALUES ($1, $2, $2, 'x')`, user, user.String()+"@example.org")
	}
	for _, team := range []uuid.UUID{w.team, w.foe} {
		w.exec(`INSERT INTO teams (id, name) VALUES ($1, 'team')`, team)
	}
	return w
}

func (w *world) exec(text string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), text, args...); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) by() vault.By { return vault.By{ID: w.ada, Name: "ada@example.org"} }

func (w *world) own() vault.Scope { return vault.Scope{Team: w.team, User: w.ada} }

// set keeps one secret, and one plain member beside it.
func (w *world) set(scope vault.Scope, kind vault.Kind, name, value string) *vault.Document {
	w.t.Helper()
	d, err := w.Update(w.t.Context(), scope, kind, name, w.by(), func(d *vault.Draft) error {
		d.Body["note"] = "about " + name
		d.Set("/value", value)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) get(scope vault.Scope, kind vault.Kind, name string) *vault.Document {
	w.t.Helper()
	d, found, err := w.Get(w.t.Context(), scope, kind, name)
	if err != nil || !found {
		w.t.Fatalf("%s %q: found %v, %v", kind, name, found, err)
	}
	return d
}

func (w *world) opens(d *vault.Document, field, want string) {
	w.t.Helper()
	if value, err := w.Open(d, field); err != nil || value != want {
		w.t.Errorf("%s of %q is %q, %v; want %q", field, d.Name, value, err, want)
	}
}

func status(err error) int {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p.Status
	}
	return 0
}

func wantStatus(t *testing.T, err error, want int) {
	t.Helper()
	if status(err) != want {
		t.Errorf("got %v, want a problem with status %d", err, want)
	}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var o map[string]any
	if err := decoder.Decode(&o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

func TestASecretIsReadBackAndNowhereInTheDatabaseInClear(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "TOKEN", "planted-value")
	d := w.get(w.own(), vault.KindSecret, "TOKEN")
	w.opens(d, "/value", "planted-value")
	if diff := cmp.Diff([]string{"/value"}, d.Fields()); diff != "" || d.Body["note"] != "about TOKEN" || d.Version != 1 {
		t.Errorf("read %+v, fields %s", d, diff)
	}
	var rows []string
	if err := w.db.SelectContext(t.Context(), &rows, `SELECT v::text FROM vault_documents v UNION ALL SELECT a::text FROM audit_log a`); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(rows, "\n"); len(rows) != 2 || strings.Contains(text, "planted") {
		t.Errorf("the database holds\n%s", text)
	}
}

func TestARowMovedToAnotherPlaceOpensNothing(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]string{
		"team":     `UPDATE vault_documents SET team_id = $2 WHERE id = $1`,
		"user":     `UPDATE vault_documents SET user_id = $3 WHERE id = $1`,
		"document": `UPDATE vault_documents SET id = gen_random_uuid() WHERE id = $1`,
		"kind":     `UPDATE vault_documents SET kind = 'llm_profile' WHERE id = $1`,
		"field":    `UPDATE vault_documents SET sealed = jsonb_build_object('/other', sealed->'/value') WHERE id = $1`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			d := w.set(w.own(), vault.KindSecret, "TOKEN", "planted-value")
			w.exec(strings.NewReplacer("$2", "'"+w.foe.String()+"'", "$3", "'"+w.bob.String()+"'").Replace(move), d.ID)
			for _, scope := range []vault.Scope{{Team: w.foe, User: w.ada}, {Team: w.team, User: w.bob}, w.own()} {
				for _, kind := range []vault.Kind{vault.KindSecret, vault.KindProfile} {
					moved, found, err := w.Get(t.Context(), scope, kind, "TOKEN")
					if err != nil {
						t.Fatal(err)
					}
					if !found {
						continue
					}
					if value, err := w.Open(moved, moved.Fields()[0]); !errors.Is(err, sealed.ErrTampered) {
						t.Errorf("it opens as %q, %v", value, err)
					}
					return
				}
			}
			t.Error("the moved row was not found")
		})
	}
}

func TestLayersAreTheTeamsThenOnesOwnAndNobodyElses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "MINE", "1")
	w.set(vault.Scope{Team: w.team}, vault.KindSecret, "OURS", "2")
	w.set(vault.Scope{Team: w.team}, vault.KindProfile, "fast", "3")
	w.set(vault.Scope{Team: w.team, User: w.bob}, vault.KindSecret, "BOBS", "4")
	w.set(vault.Scope{Team: w.foe, User: w.ada}, vault.KindSecret, "ELSEWHERE", "5")
	for _, c := range []struct {
		user  uuid.UUID
		kinds []vault.Kind
		want  []string
	}{
		{w.ada, []vault.Kind{vault.KindSecret}, []string{"OURS", "MINE"}},
		{w.ada, []vault.Kind{vault.KindSecret, vault.KindProfile}, []string{"OURS", "fast", "MINE"}},
		{w.bob, []vault.Kind{vault.KindSecret}, []string{"OURS", "BOBS"}},
		{uuid.Nil, []vault.Kind{vault.KindSecret}, []string{"OURS"}},
	} {
		found, err := w.Layers(t.Context(), w.team, c.user, c.kinds...)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, d := range found {
			names = append(names, d.Name)
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("%v: %s", c, diff)
		}
	}
}

func TestChangesAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]any{}
	var all sync.WaitGroup
	for i := range 32 {
		key := fmt.Sprint("k", i)
		want[key] = json.Number(fmt.Sprint(i))
		all.Go(func() {
			_, err := w.Update(t.Context(), w.own(), vault.KindSettings, "", w.by(), func(d *vault.Draft) error {
				d.Body = vault.Merge(d.Body, map[string]any{key: i})
				d.Set("/"+key, key)
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	d := w.get(w.own(), vault.KindSettings, "")
	if diff := cmp.Diff(want, d.Body); diff != "" || d.Version != 32 || len(d.Fields()) != 32 {
		t.Errorf("version %d, %d secrets, %s", d.Version, len(d.Fields()), diff)
	}
}

func TestAFailedChangeLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindProfile, "fast", "before")
	refused := errors.New("no")
	_, err := w.Update(t.Context(), w.own(), vault.KindProfile, "fast", w.by(), func(d *vault.Draft) error {
		d.Body["note"] = "after"
		d.Set("/value", "after")
		return refused
	})
	if !errors.Is(err, refused) {
		t.Errorf("got %v", err)
	}
	d := w.get(w.own(), vault.KindProfile, "fast")
	w.opens(d, "/value", "before")
	if d.Body["note"] != "about fast" || d.Version != 1 {
		t.Errorf("kept %+v", d)
	}
}

func TestADraftSetsAndClears(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Update(t.Context(), w.own(), vault.KindSettings, "", w.by(), func(d *vault.Draft) error {
		for _, field := range []string{"/a", "/mcp/x/env/A", "/mcp/x/env/B", "/mcp/xy/env/A"} {
			d.Set(field, "of "+field)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := w.Update(t.Context(), w.own(), vault.KindSettings, "", w.by(), func(d *vault.Draft) error {
		d.Set("/mcp/x/env/C", "new")
		d.ClearBelow("/mcp/x")
		if value, err := d.Value("/a"); value != "of /a" || err != nil {
			t.Errorf("the draft reads %q, %v", value, err)
		}
		if _, err := d.Value("/mcp/x/env/A"); !errors.Is(err, vault.ErrNoField) || d.Has("/mcp/x/env/C") {
			t.Errorf("cleared, but %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/a", "/mcp/xy/env/A"}, d.Fields()); diff != "" {
		t.Error(diff)
	}
}
