package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// kept is a vault of many documents, as a running server sees it.
type kept struct {
	*vault.Store
	scopes []vault.Scope
	env    []string
}

const documents = 1000

func keep(t *testing.T) *kept {
	t.Helper()
	url, file := dbtest.NewCluster(t).URL(), filepath.Join(t.TempDir(), "keyset.json")
	db := dbtest.Open(t, url)
	if _, err := postgres.Migrate(t.Context(), db, nil); err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.EnsureFile(file)
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{Store: vault.New(db, keys), env: append(os.Environ(), "DATABASE_URL="+url, "VAULT_KEYSET_FILE="+file)}
	for range 4 {
		team := uuid.New()
		if _, err := db.ExecContext(t.Context(), `INSERT INTO teams (id, name) VALUES ($1, 'team')`, team); err != nil {
			t.Fatal(err)
		}
		k.scopes = append(k.scopes, vault.Scope{Team: team})
	}
	for i := range documents {
		k.write(t, i, 0)
	}
	return k
}

func (k *kept) write(t *testing.T, i, round int) {
	t.Helper()
	_, err := k.Update(t.Context(), k.scopes[i%4], vault.KindSecret, fmt.Sprint("S", i), vault.By{}, func(d *vault.Draft) error {
		d.Set("/value", fmt.Sprint(i, " of round ", round))
		return nil
	})
	if err != nil {
		t.Errorf("write %d: %v", i, err)
	}
}

func (k *kept) read(t *testing.T, i int) string {
	t.Helper()
	d, found, err := k.Get(t.Context(), k.scopes[i%4], vault.KindSecret, fmt.Sprint("S", i))
	if err != nil || !found {
		t.Errorf("read %d: %v, %v", i, found, err)
		return ""
	}
	value, err := k.Open(d, "/value")
	if err != nil || !strings.HasPrefix(value, fmt.Sprint(i, " of ")) {
		t.Errorf("read %d: %q, %v", i, value, err)
	}
	return value
}

// load reads and writes until it is told to stop.
func (k *kept) load(t *testing.T) (stop func() int64) {
	var over atomic.Bool
	var reads atomic.Int64
	var all sync.WaitGroup
	for worker := range 3 {
		all.Go(func() {
			for !over.Load() {
				if i := rand.IntN(documents); worker == 0 && i >= documents/2 { // the first half is left to the rotation
					k.write(t, i, 1)
				} else {
					k.read(t, i)
				}
				reads.Add(1)
			}
		})
	}
	return func() int64 {
		over.Store(true)
		all.Wait()
		return reads.Load()
	}
}

func (k *kept) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "openhands-saas", args...)
	cmd.Env, cmd.Dir, cmd.Stderr = k.env, t.TempDir(), os.Stderr
	return cmd
}

func (k *kept) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := k.command(t, args...).Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// killed begins a rotation and kills it in its middle.
func (k *kept) killed(t *testing.T) {
	t.Helper()
	cmd := k.command(t, "vault", "rotate", "--batch", "10")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if done := 0; count(lines.Text(), &done) && done >= 200 {
			break
		}
	}
	_ = cmd.Process.Kill() // SIGKILL
	_ = cmd.Wait()
}

func count(line string, done *int) bool {
	n, _ := fmt.Sscanf(line, "sealed anew: %d,", done)
	return n == 1
}

func TestARotationThatIsKilledGoesOnWhileAServerReadsAndWrites(t *testing.T) {
	t.Parallel()
	k := keep(t)
	old := k.uses(t)[0].ID
	stop := k.load(t)
	k.killed(t)
	between := k.uses(t)
	if len(between) != 2 || between[0].Documents == 0 || between[1].Documents == 0 {
		t.Errorf("it was not in the middle: %+v", between)
	}
	if said := k.run(t, "vault", "rotate"); !strings.Contains(said, "no key was added") {
		t.Errorf("it did not go on, but said %s", said)
	}
	t.Logf("%d reads and writes meanwhile", stop())
	for i := range documents {
		k.read(t, i)
	}
	for _, use := range k.uses(t) {
		if want := map[bool]int{true: 0, false: documents}[use.ID == old]; use.Documents != want || use.Primary == (use.ID == old) {
			t.Errorf("key in use: %+v", use)
		}
	}
	if said := k.run(t, "vault", "status"); !strings.Contains(said, "may go") || !strings.Contains(said, "1000       4      seals") {
		t.Errorf("the status says\n%s", said)
	}
}

func (k *kept) uses(t *testing.T) []vault.KeyUse {
	t.Helper()
	uses, err := k.Keys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return uses
}
