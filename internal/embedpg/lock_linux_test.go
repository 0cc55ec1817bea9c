package embedpg_test

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
)

// A program that is just being started elsewhere in this process has every open file until it has become that program.
func TestAStoppedServerGivesItsFolderBackThoughACopyOfTheLockIsOpen(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t)}
	s := mustStart(t, cfg)
	copied, err := syscall.Dup(descriptor(t, filepath.Join(cfg.DataDir, "postgres.lock")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(copied) })
	stop(t, s)
	mustStart(t, cfg)
}

// descriptor finds the number under which this process has a file open.
func descriptor(t *testing.T, path string) int {
	t.Helper()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range open {
		number, err := strconv.Atoi(entry.Name())
		target, _ := os.Readlink(filepath.Join("/proc/self/fd", entry.Name()))
		if err == nil && target == path {
			return number
		}
	}
	t.Fatalf("%s is not open", path)
	return -1
}
