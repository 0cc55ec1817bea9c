package e2e_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestAStartThatCannotWorkSaysWhyAndExits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  map[string]string
		says string
	}{
		"port in use":        {map[string]string{"PORT": portOf(shared(t).url)}, "PORT"},
		"missing frontend":   {map[string]string{"FRONTEND_DIR": t.TempDir()}, "FRONTEND_DIR"},
		"weak secret":        {map[string]string{"JWT_SECRET": "short"}, "JWT_SECRET"},
		"placeholder secret": {map[string]string{"JWT_SECRET": "your-secret-key-change-this-in-production"}, "openssl rand"},
		"no keyset":          {map[string]string{"VAULT_KEYSET": ""}, "openhands-saas vault keyset"},
		"another's keyset":   {map[string]string{"VAULT_KEYSET": "gAAAAABkeys"}, "no keyset of the vault"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, output := runToEnd(t, c.env)
			if code == 0 || !strings.Contains(output, c.says) {
				t.Errorf("exit %d, output %q, want it to name %q", code, output, c.says)
			}
		})
	}
}

func TestAStartWaitsForTheDatabaseAndThenSaysThatItIsAway(t *testing.T) {
	t.Parallel()
	began := time.Now()
	code, output := runToEnd(t, map[string]string{"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none?sslmode=disable"})
	if waited := time.Since(began); waited < 10*time.Second {
		t.Errorf("it gave up after %s: a database that starts beside it would not be there yet", waited)
	}
	for _, says := range []string{"waiting for the database", "did not answer for", "start it, or correct the address"} {
		if !strings.Contains(output, says) {
			t.Errorf("it does not say %q: %s", says, output)
		}
	}
	if code == 0 {
		t.Error("it ends as if all was well")
	}
}

// TestAStartWaitsForADatabaseThatComesLate is what happens after a power cut: everything starts at once.
func TestAStartWaitsForADatabaseThatComesLate(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	i, err := stack.LaunchInstance(t.Context(), stack.InstanceOptions{
		Binary: world.binary, DataDir: dir, Env: environment(cluster.URL(), nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Stop)
	within(t, 20*time.Second, "it waits", func() error {
		if !strings.Contains(i.Log(), "waiting for the database") {
			return errors.New(i.Log())
		}
		return nil
	})
	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	if err := i.WaitReady(t.Context()); err != nil {
		t.Error(err)
	}
}
