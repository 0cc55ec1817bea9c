//go:build unix

package embedpg_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/embedpg"
)

// runEnv makes this test program a server's parent that only waits: it is what gets killed in a test.
const runEnv = "EMBEDPG_TEST_RUN_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(runEnv); dir != "" {
		s, err := embedpg.Start(context.Background(), embedpg.Config{DataDir: dir})
		fmt.Println("started", s != nil, err)
		select {}
	}
	m.Run()
}

// folder is a temporary folder that the server's account can pass through, which t.TempDir is not for root.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, cfg embedpg.Config) (*embedpg.Server, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	s, err := embedpg.Start(ctx, cfg)
	if err == nil {
		t.Cleanup(func() { _ = s.Stop() })
	}
	return s, err
}

func mustStart(t *testing.T, cfg embedpg.Config) *embedpg.Server {
	t.Helper()
	s, err := start(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *embedpg.Server) {
	t.Helper()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
}

// query runs one statement and returns its first value as text.
func query(t *testing.T, s *embedpg.Server, text string) (value string) {
	t.Helper()
	db, err := sql.Open("postgres", s.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), text).Scan(&value); err != nil && err != sql.ErrNoRows {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

// remember and remembered write and read data that must outlive whatever a test does.
func remember(t *testing.T, s *embedpg.Server) {
	t.Helper()
	query(t, s, `CREATE TABLE kept AS SELECT 'still here' AS word`)
}

func remembered(t *testing.T, s *embedpg.Server) {
	t.Helper()
	if word := query(t, s, `SELECT word FROM kept`); word != "still here" {
		t.Fatalf("the data are gone: %q", word)
	}
}

// serverPid reads the process id of the server on dir.
func serverPid(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
