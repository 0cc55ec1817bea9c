package app_test

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// refused makes a program that must not start, and returns why it does not.
func refused(t *testing.T, cfg *config.Config, options app.Options) string {
	t.Helper()
	options.Log = slog.New(slog.DiscardHandler)
	a, err := app.New(t.Context(), cfg, options)
	if err == nil {
		_ = a.Close()
		t.Fatal("it started")
	}
	return err.Error()
}

func TestAStartThatFailsLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	cfg := settings(t, url, newUpstream(t), func(cfg *config.Config) {
		cfg.ServeFrontend, cfg.FrontendDir = true, filepath.Join(t.TempDir(), "none")
	})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Port = taken.Addr().(*net.TCPAddr).Port
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, "set PORT to a free one") {
		t.Errorf("a taken port: %s", why)
	}
	_ = taken.Close()
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, "none") {
		t.Errorf("a missing UI: %s", why)
	}
	free(t, taken.Addr().String())
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url, MaxOpen: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	until(t, "all connections to the database are closed", func() bool {
		var others int
		err := db.GetContext(t.Context(), &others, `
			SELECT count(*)
			FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		if err != nil {
			t.Fatal(err)
		}
		return others == 0
	})
}

func TestFilesForSettingsAreRefusedWhileAnonymousModeIsKeptOff(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t), anonymous)
	keep(t, cfg, false)
	cfg.StorageBackend = config.StorageFile
	if why := refused(t, cfg, app.Options{}); !strings.Contains(why, "openhands-saas anonymous on") || !strings.Contains(why, "STORAGE_BACKEND=database") {
		t.Errorf("the reason does not say what to do: %s", why)
	}
	cfg.StorageBackend = config.StorageDatabase
	if s := serve(t, cfg, app.Options{}); !s.logs.has("wins over ANONYMOUS_MODE") {
		t.Error("the log does not say that the kept mode counts")
	}
	keep(t, cfg, true)
	if s := serve(t, cfg, app.Options{}); s.logs.has("wins over ANONYMOUS_MODE") {
		t.Error("the log speaks of a difference that there is not")
	}
}

// keep sets the mode as the command line does.
func keep(t *testing.T, cfg *config.Config, on bool) {
	t.Helper()
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := tools.SetAnonymous(t.Context(), on); err != nil {
		t.Fatal(err)
	}
	if err := tools.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestToolsWithAnExternalDatabaseNeedNoDataFolder(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.DataDir, cfg.JWTSecret, cfg.VaultKeyset = filepath.Join(file, "data"), "", "" // a folder that nobody can make
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tools.Close() }()
	var out strings.Builder
	if err := tools.Migrate(t.Context(), "status", 0, &out); err != nil || !strings.Contains(out.String(), "0001_accounts") {
		t.Errorf("status: %q, %v", out.String(), err)
	}
	if u, err := tools.CreateUser(t.Context(), app.NewUser{Email: "ada@example.com", Password: password, Admin: true}); err != nil || !u.IsSuperuser {
		t.Errorf("create: %+v, %v", u, err)
	}
}
