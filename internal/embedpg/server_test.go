//go:build unix

package embedpg_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
)

func TestARestartKeepsTheData(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t), Fsync: true}
	s := mustStart(t, cfg)
	remember(t, s)
	stop(t, s)
	<-s.Done()
	if err := s.Err(); err != nil {
		t.Fatalf("a clean end is reported as %v", err)
	}
	stop(t, s) // once more does no harm
	remembered(t, mustStart(t, cfg))
}

func TestTheServerIsReachableByItsSocketOnly(t *testing.T) {
	t.Parallel()
	s := mustStart(t, embedpg.Config{DataDir: folder(t), Fsync: true})
	for setting, want := range map[string]string{"listen_addresses": "", "fsync": "on", "server_encoding": "UTF8", "data_checksums": "on"} {
		if got := query(t, s, "SHOW "+setting); got != want {
			t.Errorf("%s is %q", setting, got)
		}
	}
	socketDir := query(t, s, "SHOW unix_socket_directories")
	info, err := os.Stat(strings.Trim(socketDir, `"`))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v", info, err)
	}
}

func TestTheServerDoesNotRunAsRoot(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	mustStart(t, embedpg.Config{DataDir: dir})
	info, err := os.Stat(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	uid := int(info.Sys().(*syscall.Stat_t).Uid)
	if root := os.Geteuid() == 0; uid == 0 || !root && uid != os.Geteuid() {
		t.Fatalf("we are user %d, the data belong to user %d", os.Geteuid(), uid)
	}
}

// wrap makes a folder of programs that write down their environment and then become the real ones of bindir.
func wrap(t *testing.T, bindir, notes string) string {
	t.Helper()
	dir := folder(t)
	for _, program := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\nenv >> " + notes + "\nexec " + filepath.Join(bindir, program) + " \"$@\"\n"
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOurEnvironmentDoesNotReachTheServer(t *testing.T) {
	bindir := query(t, mustStart(t, embedpg.Config{DataDir: folder(t)}), `SELECT setting FROM pg_config WHERE name = 'BINDIR'`)
	t.Setenv("JWT_SECRET", "not-for-the-database")
	t.Setenv("PGOPTIONS", "not-for-the-database")
	notes := filepath.Join(folder(t), "notes")
	if err := os.WriteFile(notes, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(notes, 0o666); err != nil { // root's and the server's account write into it
		t.Fatal(err)
	}
	mustStart(t, embedpg.Config{DataDir: folder(t), BinDir: wrap(t, bindir, notes)})
	text, err := os.ReadFile(notes)
	if err != nil || strings.Count(string(text), "LC_ALL=C") < 4 { // its version, a probe, initdb and the server
		t.Fatalf("the programs were not run through the wrapper: %q, %v", text, err)
	}
	if strings.Contains(string(text), "not-for-the-database") {
		t.Fatal("the server has our environment")
	}
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t), Settings: map[string]string{"work_mem": "plenty"}}
	_, err := start(t, cfg)
	if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "work_mem": "plenty"`) {
		t.Fatalf("answered %v", err)
	}
	cfg.Settings = nil
	mustStart(t, cfg) // the failed start gave everything back
}

func TestAnInterruptedFirstStartLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil { // until initdb has begun to write
			if begun, _ := filepath.Glob(filepath.Join(dir, "postgres.init-*", "*")); len(begun) > 0 {
				cancel()
			}
		}
	}()
	if _, err := embedpg.Start(ctx, embedpg.Config{DataDir: dir}); err == nil {
		t.Fatal("the start was not interrupted")
	}
	if _, err := os.Stat(filepath.Join(dir, "postgres")); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("something looks like a database: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "postgres.init-1", "base"), 0o700); err != nil { // as kill -9 would leave it
		t.Fatal(err)
	}
	mustStart(t, embedpg.Config{DataDir: dir})
	if left, _ := filepath.Glob(filepath.Join(dir, "postgres.init-*")); len(left) != 0 {
		t.Fatalf("left over: %q", left)
	}
}
