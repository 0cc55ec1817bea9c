package app_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// seal keeps one secret of a new team, sealed with these keys.
func seal(t *testing.T, url string, keys *sealed.Source) {
	t.Helper()
	db, team := dbtest.Open(t, url), uuid.New()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO teams (id, name) VALUES ($1, 'team')`, team); err != nil {
		t.Fatal(err)
	}
	_, err := vault.New(db, keys).Update(t.Context(), vault.Scope{Team: team}, vault.KindSecret, "S", vault.By{}, func(d *vault.Draft) error {
		d.Set("/value", "x")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func source(t *testing.T, text config.Secret) *sealed.Source {
	t.Helper()
	s, err := sealed.FromValue(text.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fresh(t *testing.T) config.Secret {
	t.Helper()
	_, text, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	return config.Secret(text)
}

func TestAServerWithoutAKeyThatIsNeededDoesNotStart(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t))
	lost := source(t, fresh(t))
	seal(t, cfg.DatabaseURL.Reveal(), lost)
	want := fmt.Sprintf("key %d is missing, and with it the secrets of 1 documents of 1 teams", lost.Current().Primary())
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, want) {
		t.Errorf("the reason: %s", why)
	}
	if _, err := rotate(t, cfg); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a rotation says %v", err)
	}
}

func TestAServerWithABrokenKeysetDoesNotStart(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t), func(cfg *config.Config) { cfg.VaultKeyset = "half-a-keyset" })
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, "VAULT_KEYSET: this is no keyset") || strings.Contains(why, "half-a-keyset") {
		t.Errorf("the reason: %s", why)
	}
}

// rotate is the command, with what it prints.
func rotate(t *testing.T, cfg *config.Config) (string, error) {
	t.Helper()
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tools.Close() }()
	var out strings.Builder
	err = tools.VaultRotate(t.Context(), 10, &out)
	return out.String(), err
}

func TestAKeysetThatWasGivenIsExtendedByHandAndThenSealsAll(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t), func(cfg *config.Config) { cfg.VaultKeyset = fresh(t) })
	seal(t, cfg.DatabaseURL.Reveal(), source(t, cfg.VaultKeyset))
	if _, err := rotate(t, cfg); err == nil || !strings.Contains(err.Error(), "vault keyset --add") {
		t.Errorf("a rotation says %v", err)
	}
	more, err := app.NewKeyset(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	cfg.VaultKeyset = config.Secret(more)
	if said, err := rotate(t, cfg); err != nil || !strings.Contains(said, "sealed anew: 1, left: 0") {
		t.Errorf("it says %q, %v", said, err)
	}
}

func TestARotationOfAFileAddsAKeyAndIsOnRecord(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t))
	cfg.VaultKeysetFile = filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(cfg.VaultKeysetFile, []byte(cfg.VaultKeyset.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	seal(t, cfg.DatabaseURL.Reveal(), source(t, cfg.VaultKeyset))
	s := serve(t, cfg, app.Options{}) // which goes on while the keys change
	said, err := rotate(t, cfg)
	if err != nil || !strings.Contains(said, "seals now\nsealed anew: 1, left: 0\n") {
		t.Errorf("it says %q, %v", said, err)
	}
	if res := s.do("GET", "/readyz", ""); res.StatusCode != 200 {
		t.Errorf("the server: %d", res.StatusCode)
	}
	var lines []string
	db := dbtest.Open(t, cfg.DatabaseURL.Reveal())
	err = db.SelectContext(t.Context(), &lines, `SELECT concat_ws(' ', team_id, actor, action, detail::text) FROM audit_log WHERE action LIKE 'vault.%' AND team_id IS NULL ORDER BY id`)
	want := `command line vault.key.add {}|command line vault.rotate {"broken": 0, "documents": 1}`
	if got := strings.Join(lines, "|"); got != want || err != nil {
		t.Errorf("on record: %s, %v", got, err)
	}
}
