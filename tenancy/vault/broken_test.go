package vault_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// other is a source without any key of the world's.
func other(t *testing.T) *sealed.Source {
	t.Helper()
	_, text, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	s, err := sealed.FromValue(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAValueWhoseKeyIsMissingStaysAsItIsBesideAChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "A", "x")
	blind := vault.New(w.db, other(t))
	_, err := blind.Update(t.Context(), w.own(), vault.KindSecret, "A", w.by(), func(d *vault.Draft) error {
		d.Body["note"] = "changed"
		d.Set("/other", "y")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d := w.get(w.own(), vault.KindSecret, "A")
	w.opens(d, "/value", "x")
	if d.Body["note"] != "changed" {
		t.Errorf("after: %+v", d)
	}
	if value, err := blind.Open(d, "/other"); value != "y" || err != nil {
		t.Errorf("the new value reads %q, %v", value, err)
	}
	for _, s := range []*vault.Store{w.Store, blind} { // each misses the other's key, and is told so
		if err := s.CheckKeys(t.Context()); err == nil || !strings.Contains(err.Error(), "the secrets of 1 documents of 1 teams") {
			t.Errorf("the check says %v", err)
		}
	}
}

func TestDocumentsThatCannotBeReadHideNoOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, row := range []struct{ name, body, sealed string }{
		{"a list", `[]`, `{}`}, {"text", `"x"`, `{}`}, {"sealed text", `{}`, `"x"`}, {"no base64", `{}`, `{"/a":"?"}`},
	} {
		w.exec(`INSERT INTO vault_documents (id, team_id, kind, name, body, sealed) VALUES ($1, $2, 'secret', $3, $4, $5)`,
			uuid.New(), w.team, row.name, row.body, row.sealed)
	}
	w.set(w.own(), vault.KindSecret, "A", "x")
	found, err := w.Layers(t.Context(), w.team, w.ada, vault.KindSecret)
	if err != nil || len(found) != 1 || found[0].Name != "A" {
		t.Errorf("found %v, %v", found, err)
	}
	if _, _, err := w.Get(t.Context(), vault.Scope{Team: w.team}, vault.KindSecret, "text"); err == nil {
		t.Error("asked for by name it is well")
	}
}

func TestNullInARowIsAnEmptyDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`INSERT INTO vault_documents (id, team_id, user_id, kind, name, body, sealed) VALUES ($1, $2, $3, 'secret', 'A', 'null', 'null')`,
		uuid.New(), w.team, w.ada)
	if d := w.get(w.own(), vault.KindSecret, "A"); d.Body == nil || len(d.Fields()) != 0 {
		t.Errorf("read %+v", d)
	}
	w.opens(w.set(w.own(), vault.KindSecret, "A", "x"), "/value", "x")
	w.exec(`UPDATE vault_documents SET sealed = '{"/value":null}'`)
	if value, err := w.Open(w.get(w.own(), vault.KindSecret, "A"), "/value"); err == nil {
		t.Errorf("null opens as %q", value)
	}
}

func TestADocumentHoldsSoManySecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fill := func(from, to int) error {
		return w.change(vault.KindSettings, "", func(d *vault.Draft) {
			for i := from; i < to; i++ {
				d.Set(fmt.Sprint("/", i), "x")
			}
		})
	}
	if err := fill(0, 200); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, fill(200, 201), http.StatusUnprocessableEntity)
	if err := fill(0, 200); err != nil {
		t.Errorf("replaced: %v", err)
	}
	err := w.change(vault.KindSettings, "", func(d *vault.Draft) {
		d.Clear("/0")
		d.Set("/200", "x")
	})
	if err != nil {
		t.Errorf("one for another: %v", err)
	}
}

func TestALargePatchIsRefusedWithoutALongThought(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun := time.Now()
	err := w.change(vault.KindSettings, "", func(d *vault.Draft) {
		for i := range 20_000 {
			field := fmt.Sprint("/mcp/", i)
			d.ClearBelow(field)
			d.Set(field, "x")
		}
	})
	wantStatus(t, err, http.StatusUnprocessableEntity)
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}
