//go:build unix

package app_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

func TestAnEmbeddedDatabaseThatDiesEndsTheProgramWithAnError(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "app-test-") // the database's account must be able to enter it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s := open(t, settings(t, "", newUpstream(t), func(cfg *config.Config) {
		cfg.DBConnection, cfg.DataDir, cfg.JWTSecret, cfg.VaultKeyset = config.DBEmbedded, dir, "", ""
	}), app.Options{})
	t.Cleanup(func() { _ = s.app.Close() })
	ran := make(chan error, 1)
	go func() { ran <- s.app.Run(context.Background()) }()
	if res := s.do("GET", "/readyz", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("not ready: %d", res.StatusCode)
	}
	kill(t, filepath.Join(dir, "postgres", "postmaster.pid"))
	select {
	case err := <-ran:
		if err == nil || !strings.Contains(err.Error(), "the embedded database server ended by itself") || !s.logs.has("cannot serve any longer") {
			t.Errorf("the end: %v", err)
		}
	case <-time.After(patience):
		t.Error("it went on without a database")
	}
}

func kill(t *testing.T, pidFile string) {
	t.Helper()
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
}
