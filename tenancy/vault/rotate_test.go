package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestARotationUnderLoadFailsNoReadAndLosesNoWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const many = 1000
	scopes := []vault.Scope{w.own(), {Team: w.team}, {Team: w.team, User: w.bob}}
	name := func(i int) (vault.Scope, string) { return scopes[i%3], fmt.Sprint("S", i) }
	for i := range many {
		scope, n := name(i)
		w.set(scope, vault.KindSecret, n, "old "+n)
	}
	w.addKey()
	var load sync.WaitGroup
	var over atomic.Bool
	var reads atomic.Int64
	for reader := range 4 {
		load.Go(func() {
			for i := reader; !over.Load() || i < many; i += 4 {
				scope, n := name(i % many)
				d := w.get(scope, vault.KindSecret, n)
				if value, err := w.Open(d, "/value"); err != nil || !strings.HasSuffix(value, n) {
					t.Errorf("%s reads %q, %v", n, value, err)
				}
				reads.Add(1)
			}
		})
	}
	load.Go(func() {
		for i := 0; i < many; i += 10 {
			scope, n := name(i)
			w.set(scope, vault.KindSecret, n, "new "+n)
		}
	})
	// Servers that have not met the new key go on with the old one for a moment, as w.keys would: the rotation waits for them.
	rotated := w.rotate(vault.Rotation{Batch: 50})
	over.Store(true)
	load.Wait()
	if len(rotated.Broken) != 0 {
		t.Errorf("broken: %v", rotated.Broken)
	}
	for _, use := range w.uses() {
		if use.Primary != (use.Documents == many) || use.Idle() == use.Primary {
			t.Errorf("key in use: %+v", use)
		}
	}
	for i := range many {
		scope, n := name(i)
		age := "old "
		if i%10 == 0 {
			age = "new "
		}
		w.opens(w.get(scope, vault.KindSecret, n), "/value", age+n)
	}
	t.Logf("%d reads during the rotation", reads.Load())
}

// rotate seals everything anew.
func (w *world) rotate(r vault.Rotation) vault.Rotated {
	w.t.Helper()
	r.Settle = max(r.Settle, time.Millisecond)
	rotated, err := w.Rotate(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return rotated
}

func (w *world) uses() []vault.KeyUse {
	w.t.Helper()
	uses, err := w.Keys(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return uses
}

func (w *world) addKey() {
	w.t.Helper()
	if err := w.keys.Rotate(); err != nil {
		w.t.Fatal(err)
	}
}

func TestAnInterruptedRotationGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 10 {
		w.set(w.own(), vault.KindSecret, fmt.Sprint("S", i), "x")
	}
	w.addKey()
	if step, err := w.Reseal(t.Context(), uuid.Nil, 4); err != nil || step.Done != 4 { // and then the power went
		t.Errorf("did %+v, %v", step, err)
	}
	var reports []string
	rotated := w.rotate(vault.Rotation{Batch: 4, Report: func(done, left int) { reports = append(reports, fmt.Sprint(done, "+", left)) }})
	if diff := cmp.Diff([]string{"4+2", "6+0"}, reports); diff != "" || rotated.Done != 6 {
		t.Errorf("%+v: %s", rotated, diff)
	}
	if d := w.get(w.own(), vault.KindSecret, "S3"); d.Version != 1 {
		t.Errorf("a rotation made it version %d", d.Version)
	}
}

func TestABrokenValueStopsNoRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 9 {
		w.set(w.own(), vault.KindSecret, fmt.Sprint("S", i), "x")
	}
	cut := w.get(w.own(), vault.KindSecret, "S3")
	w.exec(`UPDATE vault_documents SET sealed = '{"/value":"AQID"}' WHERE id = $1`, cut.ID)
	moved := w.get(w.own(), vault.KindSecret, "S5")
	w.exec(`UPDATE vault_documents SET user_id = NULL WHERE id = $1`, moved.ID)
	unread := w.get(w.own(), vault.KindSecret, "S7")
	w.exec(`UPDATE vault_documents SET body = '[]' WHERE id = $1`, unread.ID)
	w.addKey()
	rotated := w.rotate(vault.Rotation{Batch: 2})
	want := []uuid.UUID{cut.ID, moved.ID, unread.ID}
	slices.SortFunc(want, func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	if rotated.Done != 6 {
		t.Errorf("did %+v", rotated)
	}
	broken, err := w.Broken(t.Context())
	if diff := cmp.Diff(want, broken); diff != "" || err != nil {
		t.Errorf("broken afterwards: %v, %s", err, diff)
	}
	w.opens(w.get(w.own(), vault.KindSecret, "S8"), "/value", "x")
}

func TestWhatAServerSealedBeforeItLearntOfTheKeyIsFoundByTheLastLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "A", "x")
	late, err := sealed.FromFile(w.file) // it looks at the file again in a second
	if err != nil {
		t.Fatal(err)
	}
	server := vault.New(w.db, late)
	w.addKey()
	write := sync.OnceFunc(func() { // when all was seen, as far as it goes
		_, err := server.Update(t.Context(), w.own(), vault.KindSecret, "B", w.by(), func(d *vault.Draft) error {
			d.Set("/value", "late")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	w.rotate(vault.Rotation{Settle: 500 * time.Millisecond, Report: func(_, left int) {
		if left == 0 {
			time.AfterFunc(50*time.Millisecond, write)
		}
	}})
	write() // has ended, if it had begun
	for _, use := range w.uses() {
		if use.Primary != (use.Documents == 2) {
			t.Errorf("key in use: %+v", use)
		}
	}
}

func TestARowThatSomebodyIsChangingIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "A", "x")
	w.set(w.own(), vault.KindSecret, "B", "x")
	w.addKey()
	tx, err := w.db.BeginTxx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `SELECT 1 FROM vault_documents WHERE name = 'A' FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	let := sync.OnceFunc(func() { _ = tx.Rollback() })
	defer let()
	rotated := w.rotate(vault.Rotation{Report: func(done, left int) {
		if done == 1 && left == 1 {
			let()
		}
	}})
	if rotated.Done != 2 {
		t.Errorf("did %+v", rotated)
	}
}

func TestAMissingKeyIsNamedWithWhatIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.set(w.own(), vault.KindSecret, "A", "x")
	w.set(vault.Scope{Team: w.foe}, vault.KindSecret, "B", "x")
	if err := w.CheckKeys(t.Context()); err != nil {
		t.Errorf("all is well, but %v", err)
	}
	err := vault.New(w.db, other(t)).CheckKeys(t.Context())
	want := fmt.Sprintf("key %d is missing, and with it the secrets of 2 documents of 2 teams", w.keys.Current().Primary())
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestABrokenValueIsNotOverwrittenByAnotherChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.set(w.own(), vault.KindSecret, "A", "x")
	w.exec(`UPDATE vault_documents SET sealed = '{"/value":"AQID"}' WHERE id = $1`, d.ID)
	if _, err := w.Open(w.get(w.own(), vault.KindSecret, "A"), "/value"); err == nil || !strings.Contains(err.Error(), d.ID.String()) {
		t.Errorf("a cut value: %v", err)
	}
	if err := w.change(vault.KindSecret, "A", func(d *vault.Draft) { d.Body["note"] = "changed" }); err != nil {
		t.Fatal(err)
	}
	if after := w.get(w.own(), vault.KindSecret, "A"); !after.Has("/value") || after.Body["note"] != "changed" {
		t.Errorf("after: %+v", after)
	}
}
