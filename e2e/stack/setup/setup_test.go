package setup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
)

func TestPythonIsFoundByRunningIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	broken := program(t, dir, "shim", `echo "pyenv: python3.13: command not found" >&2; exit 127`)
	old := program(t, dir, "old", `echo 3.11; echo venv`)
	bare := program(t, dir, "bare", `echo 3.12; echo bare`)
	good := program(t, dir, "good", `echo 3.12; echo venv`)
	newer := program(t, dir, "newer", `echo 3.14; echo venv`)
	for _, c := range []struct {
		name       string
		candidates []string
		want       string
		problem    string
	}{
		{"shims that only print an error are passed over", []string{broken, "no-such-python", old, good}, good, ""},
		{"a newer version will do", []string{old, newer}, newer, ""},
		{"the first that works wins", []string{newer, good}, newer, ""},
		{"one without venv is passed over", []string{bare, good}, good, ""},
		{"only one without venv: the missing package is named", []string{old, bare}, "", "apt-get install -y python3.12-venv"},
		{"none: says what is needed and how to get it", []string{broken, old}, "", "needs Python 3.12 or newer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := setup.FindPython(t.Context(), c.candidates)
			if got != c.want || (err != nil) != (c.problem != "") || err != nil && !strings.Contains(err.Error(), c.problem) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestOnlyTheWantedFolderIsUnpacked(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "build")
	err := setup.Unpack(archive(t, map[string]string{
		"package/build/index.html":  "<html>",
		"package/build/assets/a.js": "a",
		"package/package.json":      "{}",
	}), "package/build/", dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(dir, "assets", "a.js")); got != "a" {
		t.Errorf("assets/a.js holds %q", got)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 2 {
		t.Errorf("unpacked %v", entries)
	}
}

func TestAnArchiveThatLeadsOutOfTheFolderIsRefused(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	err := setup.Unpack(archive(t, map[string]string{"package/build/../../out": "x"}), "package/build/", filepath.Join(root, "a", "b"))
	if err == nil {
		t.Error("it was unpacked")
	}
	if _, err := os.Stat(filepath.Join(root, "out")); err == nil {
		t.Error("a file was written outside")
	}
}

func TestTwoSetUpsAtOnceMakeAPartOnce(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	part := filepath.Join(cache, "part")
	var made atomic.Int32
	whole := func() bool { _, err := os.Stat(part); return err == nil }
	make := func() error {
		if made.Add(1) > 1 {
			return errors.New("made twice")
		}
		return os.WriteFile(part, nil, 0o600)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := setup.Once(t.Context(), io.Discard, cache, "part", whole, make); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestASetUpThatWaitsForAnotherSaysSoAndCanBeEnded(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	never := func() bool { return false }
	holding, release := make(chan struct{}), make(chan struct{})
	var first sync.WaitGroup
	first.Go(func() {
		_ = setup.Once(t.Context(), io.Discard, cache, "part", never, func() error { close(holding); <-release; return nil })
	})
	<-holding
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	err := setup.Once(ctx, &out, cache, "part", never, func() error { return nil })
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(out.String(), "waiting for another set-up") {
		t.Errorf("got %v, said %q", err, &out)
	}
	close(release)
	first.Wait()
}

func TestAnOldEnvironmentLosesItsStampFirst(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "environment")
	for _, name := range []string{"a", setup.Stamp, "z"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // what is not there is removed too
		if err := setup.RemoveEnvironment(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func TestALongStepShowsThatItIsAlive(t *testing.T) {
	t.Parallel()
	var out synced
	// The command ends only when a report was printed.
	done := filepath.Join(t.TempDir(), "done")
	out.on = func(text string) {
		if strings.Contains(text, "step … 0s  half way") {
			_ = os.WriteFile(done, nil, 0o600)
		}
	}
	cmd := exec.Command("sh", "-c", `echo half way; until test -e "$0"; do :; done`, done)
	if err := setup.Run(t.Context(), &out, 10*time.Millisecond, "step", cmd); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "step: done (") {
		t.Errorf("said %q", out.String())
	}
}

func TestAFailedStepShowsWhatTheCommandSaid(t *testing.T) {
	t.Parallel()
	err := setup.Run(t.Context(), io.Discard, time.Minute, "step", exec.Command("sh", "-c", "echo no space left; exit 5"))
	if err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "exit status 5") {
		t.Errorf("got %v", err)
	}
}

func TestAStepThatIsGivenUpLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	pid := filepath.Join(t.TempDir(), "pid")
	var step sync.WaitGroup
	step.Go(func() {
		cmd := exec.Command("sh", "-c", `sh -c 'echo $$ > "$0.tmp"; mv "$0.tmp" "$0"; while :; do sleep 1; done' "$0"`, pid)
		if err := setup.Run(ctx, io.Discard, time.Minute, "step", cmd); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	eventually(t, func() bool { _, err := os.Stat(pid); return err == nil })
	cancel()
	step.Wait()
	number := strings.TrimSpace(read(t, pid))
	eventually(t, func() bool { _, err := os.Stat("/proc/" + number + "/cwd"); return err != nil })
}

func TestWhatIsMissingIsSaidWithTheCommandThatBringsIt(t *testing.T) {
	t.Parallel()
	missing := []setup.Program{
		{Name: "tmux", Packages: []string{"tmux"}},
		{Name: "the Postgres server", Packages: []string{"postgresql"}},
	}
	want := "tmux, the Postgres server are missing; install with:\n\n" +
		"    sudo apt-get update && sudo apt-get install -y tmux postgresql\n\nand start again"
	if got := setup.Advice(missing, true); got != want {
		t.Errorf("got %q", got)
	}
	if got := setup.Advice(missing[:1], false); !strings.Contains(got, "tmux is missing") || strings.Contains(got, "apt-get") {
		t.Errorf("without apt: %q", got)
	}
}

func TestAProgramIsFoundBesideThePathToo(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, version := range []string{"14", "15"} {
		if err := os.MkdirAll(filepath.Join(root, version, "bin"), 0o700); err != nil {
			t.Fatal(err)
		}
		program(t, filepath.Join(root, version, "bin"), "some-server", "true")
	}
	p := setup.Program{Commands: []string{"no-such-command", "some-server"}, Folders: []string{filepath.Join(root, "*", "bin")}}
	if got, want := p.Find(), filepath.Join(root, "15", "bin", "some-server"); got != want {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestASetUpThatIsCompleteIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	everything := setup.Options{Upstream: true, Canvas: true, Postgres: true, Mailpit: true, Node: true, Out: &out}
	if _, err := setup.Ensure(t.Context(), everything); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	began := time.Now()
	paths, err := setup.Ensure(t.Context(), everything)
	if err != nil || out.Len() > 0 || time.Since(began) > time.Second {
		t.Errorf("second set-up: %v, %s, said %q", err, time.Since(began), &out)
	}
	for _, path := range []string{paths.AgentServer, filepath.Join(paths.Canvas, "index.html"), paths.Mailpit} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func program(t *testing.T, dir, name, script string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func archive(t *testing.T, files map[string]string) io.Reader {
	t.Helper()
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	w := tar.NewWriter(zipped)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(w, content)
	}
	if err := errors.Join(w.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	return &packed
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func eventually(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come about in 20 seconds")
		}
	}
}

// synced is a buffer for several goroutines that shows each write to on.
type synced struct {
	mu   sync.Mutex
	text bytes.Buffer
	on   func(string)
}

// Write implements io.Writer.
func (s *synced) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on(string(b))
	return s.text.Write(b)
}

// String is what was written so far.
func (s *synced) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
