package vault_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestAnEditMakesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindProfile, "fast", "x")
	edit := func(name string) error {
		_, err := w.Edit(t.Context(), w.own(), vault.KindProfile, name, w.by(), func(d *vault.Draft) error {
			d.Body["note"] = "edited"
			return nil
		})
		return err
	}
	for _, name := range []string{"slow", "FAST", ""} {
		if err := edit(name); !errors.Is(err, vault.ErrMissing) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := edit("fast"); err != nil {
		t.Error(err)
	}
	found, err := w.List(t.Context(), w.own(), vault.KindProfile)
	if err != nil || len(found) != 1 || found[0].Body["note"] != "edited" {
		t.Errorf("there is %v, %v", found, err)
	}
}

// follow renames a profile and lets the settings name it by its new name.
func follow(from, to string, then error) func(*vault.Changes) error {
	return func(c *vault.Changes) error {
		err := c.Rename(vault.KindProfile, from, to)
		if err != nil {
			return err
		}
		_, err = c.Update(vault.KindSettings, "", func(d *vault.Draft) error {
			d.Body["active"] = to
			seen, err := d.Layers(vault.KindProfile)
			if len(seen) != 1 || seen[0].Name != to {
				return fmt.Errorf("within the change there is %v, %w", seen, err)
			}
			return err
		})
		return errors.Join(err, then)
	}
}

func TestSeveralChangesAreKeptTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindProfile, "fast", "x")
	w.set(w.own(), vault.KindSettings, "", "x")
	no := errors.New("no")
	if err := w.Change(t.Context(), w.own(), w.by(), follow("fast", "quick", no)); !errors.Is(err, no) {
		t.Errorf("got %v", err)
	}
	if d := w.get(w.own(), vault.KindSettings, ""); d.Body["active"] != nil {
		t.Errorf("kept %v", d.Body)
	}
	w.opens(w.get(w.own(), vault.KindProfile, "fast"), "/value", "x")
	if err := w.Change(t.Context(), w.own(), w.by(), follow("fast", "quick", nil)); err != nil {
		t.Fatal(err)
	}
	if d := w.get(w.own(), vault.KindSettings, ""); d.Body["active"] != "quick" {
		t.Errorf("kept %v", d.Body)
	}
	w.opens(w.get(w.own(), vault.KindProfile, "quick"), "/value", "x")
	removed := false
	err := w.Change(t.Context(), w.own(), w.by(), func(c *vault.Changes) (err error) {
		removed, err = c.Delete(vault.KindProfile, "quick")
		return errors.Join(err, orNil(c.Edit(vault.KindSettings, "", func(d *vault.Draft) error {
			delete(d.Body, "active")
			return nil
		})))
	})
	if _, found, _ := w.Get(t.Context(), w.own(), vault.KindProfile, "quick"); err != nil || !removed || found {
		t.Errorf("removed %v, found %v, %v", removed, found, err)
	}
}

func orNil(_ *vault.Document, err error) error { return err }

func TestChangesInAnyOrderDoNotWaitInACircle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"a", "b", "c", "d"}
	for _, name := range names {
		w.set(w.own(), vault.KindProfile, name, "x")
	}
	bump := func(d *vault.Draft) error {
		had, _ := d.Body["seen"].([]any)
		d.Body["seen"] = append(had, "x")
		return nil
	}
	var all sync.WaitGroup
	for i := range 12 {
		order := slices.Clone(names)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		all.Go(func() {
			err := w.Change(t.Context(), w.own(), w.by(), func(c *vault.Changes) error {
				for _, name := range append(order, fmt.Sprint("new", i)) {
					if _, err := c.Update(vault.KindProfile, name, bump); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if err := w.change(vault.KindProfile, fmt.Sprint("new", i), func(d *vault.Draft) { _ = bump(d) }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	counts := map[string]int{}
	found, err := w.List(t.Context(), w.own(), vault.KindProfile)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range found {
		seen, _ := d.Body["seen"].([]any)
		counts[d.Name[:1]] += len(seen)
	}
	if diff := cmp.Diff(map[string]int{"a": 12, "b": 12, "c": 12, "d": 12, "n": 24}, counts); diff != "" {
		t.Error(diff)
	}
}
