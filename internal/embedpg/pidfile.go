//go:build unix

package embedpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// pidFile is what a server writes into its data folder.
type pidFile struct {
	pid       int
	socketDir string
	ready     bool
}

func (f *folder) pidPath() string { return filepath.Join(f.cluster, "postmaster.pid") }

// server reads the file of a server, running or not.
func (f *folder) server() (pidFile, bool) {
	text, err := os.ReadFile(f.pidPath())
	if err != nil {
		return pidFile{}, false
	}
	lines := append(strings.Split(string(text), "\n"), make([]string, 8)...)
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	return pidFile{pid: pid, socketDir: lines[4], ready: strings.TrimSpace(lines[7]) == "ready"}, err == nil
}

// awaitFormer gives a server of a crashed process of ours the time to end. After that Postgres itself decides whether it may
// start; we only keep it from being misled by a process id that is somebody else's by now.
func (f *folder) awaitFormer(ctx context.Context, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		former, found := f.server()
		switch {
		case !found || !alive(former.pid):
			return nil
		case !isPostgres(former.pid):
			return f.disown()
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("%w: a PostgreSQL server (process %d) is running on %s; stop it: kill -INT %d",
				ErrInUse, former.pid, f.cluster, former.pid)
		}
	}
}

// disown replaces the process id in a stale file by ours, which Postgres, being our child, does not take for a rival. The rest
// stays: by it Postgres still finds out whether the former server's memory is in use.
func (f *folder) disown() error {
	text, err := os.ReadFile(f.pidPath())
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(f.pidPath(), []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		return fmt.Errorf("correct a stale %s: %w", f.pidPath(), err)
	}
	return nil
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || err == syscall.EPERM
}

// isPostgres says no only when that is certain: on Linux, where the process can be looked at.
func isPostgres(pid int) bool {
	if runtime.GOOS != "linux" {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return !os.IsNotExist(err)
	}
	_, rest, _ := strings.Cut(string(stat), "(")
	name, state, _ := strings.Cut(rest, ") ")
	return (name == "postgres" || name == "postmaster") && !strings.HasPrefix(state, "Z")
}
