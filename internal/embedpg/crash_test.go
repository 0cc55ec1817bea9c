//go:build unix

package embedpg_test

import (
	"bufio"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestAKilledServerIsNoticedAndStartsAgain(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t), Fsync: true}
	s := mustStart(t, cfg)
	remember(t, s)
	if err := syscall.Kill(serverPid(t, cfg.DataDir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("nobody noticed")
	}
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the reason is %v", err)
	}
	serverPid(t, cfg.DataDir) // its stale file is there
	remembered(t, mustStart(t, cfg))
}

func TestAStartWaitsForAProcessOfAKilledServerThatIsStillBusy(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t), Fsync: true}
	s := mustStart(t, cfg)
	remember(t, s)
	busy, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = busy.Close() })
	ended := make(chan struct{})
	go func() { // a loop that looks neither left nor right does not notice that the main process is gone
		defer close(ended)
		_, _ = busy.Exec(`DO $$
			DECLARE over timestamptz := clock_timestamp() + interval '2 s';
			BEGIN
				WHILE clock_timestamp() < over LOOP END LOOP;
			END $$`)
	}()
	testtime.Eventually(t, 10*time.Second, "the loop runs", func() bool {
		return query(t, s, `SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO %' AND state = 'active'`) == "1"
	})
	if err := syscall.Kill(serverPid(t, cfg.DataDir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	remembered(t, mustStart(t, cfg))
	<-ended
}

// child starts a server in a process of its own.
func child(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), runEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "started true <nil>\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return cmd
}

func TestTheServerEndsWithAProcessThatIsKilledAndTheNextStartFindsTheData(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	process := child(t, dir)
	attached, err := embedpg.Attach(embedpg.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	remember(t, attached)
	pid := serverPid(t, dir)
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = process.Wait()           // its lock is gone with it
	if runtime.GOOS != "linux" { // elsewhere nothing ends it for us
		_ = syscall.Kill(pid, syscall.SIGINT)
	}
	s := mustStart(t, embedpg.Config{DataDir: dir}) // waits for the former one, which is still ending
	remembered(t, s)
	if now := serverPid(t, dir); now == pid {
		t.Fatal("it is the former server")
	}
}

func TestASecondProcessOnTheSameDataIsRefusedAndCanAttach(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	process := child(t, dir)
	_, err := start(t, embedpg.Config{DataDir: dir})
	if !errors.Is(err, embedpg.ErrInUse) || !strings.Contains(err.Error(), "process "+strconv.Itoa(process.Process.Pid)+" already runs a database in "+dir) {
		t.Fatalf("answered %v", err)
	}
	s, err := embedpg.Attach(embedpg.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	remember(t, s)
	stop(t, s) // it is not ours to stop
	remembered(t, s)
}

func TestThereIsNothingToAttachToWhenNoServerRuns(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t)}
	if _, err := embedpg.Attach(cfg); !errors.Is(err, embedpg.ErrNotRunning) {
		t.Fatalf("before the first start: %v", err)
	}
	stop(t, mustStart(t, cfg))
	if _, err := embedpg.Attach(cfg); !errors.Is(err, embedpg.ErrNotRunning) {
		t.Fatalf("after the stop: %v", err)
	}
}

func TestAServerThatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	child(t, dir)
	pid := serverPid(t, dir)
	if err := os.Remove(filepath.Join(dir, "postgres.lock")); err != nil { // as if somebody had started Postgres by hand
		t.Fatal(err)
	}
	_, err := start(t, embedpg.Config{DataDir: dir, StopTimeout: 200 * time.Millisecond})
	if !errors.Is(err, embedpg.ErrInUse) || !strings.Contains(err.Error(), "kill -INT "+strconv.Itoa(pid)) {
		t.Fatalf("answered %v", err)
	}
	s, err := embedpg.Attach(embedpg.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	query(t, s, `SELECT 1`)
}

func TestAStalePidFileThatNamesAnotherLivingProcessDoesNotPreventTheStart(t *testing.T) {
	t.Parallel()
	cfg := embedpg.Config{DataDir: folder(t), Fsync: true}
	s := mustStart(t, cfg)
	remember(t, s)
	pid := serverPid(t, cfg.DataDir)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-s.Done()
	// A process of the server's own account, so that Postgres would take it for a living server.
	other := exec.Command("sleep", "60")
	if info, err := os.Stat(filepath.Join(cfg.DataDir, "postgres")); err == nil && os.Geteuid() == 0 {
		stat := info.Sys().(*syscall.Stat_t)
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stat.Uid, Gid: stat.Gid}}
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	file := filepath.Join(cfg.DataDir, "postgres", "postmaster.pid")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stale := strings.Replace(string(text), strconv.Itoa(pid), strconv.Itoa(other.Process.Pid), 1)
	if err := os.WriteFile(file, []byte(stale), 0o600); err != nil {
		t.Fatal(err)
	}
	remembered(t, mustStart(t, cfg))
}
