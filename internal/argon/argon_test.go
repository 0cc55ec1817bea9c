package argon_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/argon"
)

// TestMain hashes passwords when this process was started for that.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "hash" {
		if err := argon.Serve(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func job(password string) argon.Job {
	return argon.Job{Password: []byte(password), Salt: []byte("0123456789abcdef"), Memory: 256, Passes: 1, Lanes: 4, Length: 32}
}

func process(t *testing.T, command ...string) *argon.Process {
	t.Helper()
	p := argon.NewProcess(slog.New(slog.DiscardHandler), command...)
	t.Cleanup(p.Close)
	return p
}

func here(t *testing.T, password string) []byte {
	t.Helper()
	key, err := argon.Here{}.Make(t.Context(), job(password))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestManyHashesAtOnceAreEachTheRightOne(t *testing.T) {
	t.Parallel()
	p := process(t, os.Args[0], "hash")
	var all sync.WaitGroup
	for n := range 100 {
		all.Go(func() {
			password := fmt.Sprintf("password %d \x00\xff", n)
			if key, err := p.Make(t.Context(), job(password)); err != nil || !bytes.Equal(key, here(t, password)) {
				t.Errorf("%d: another hash, %v", n, err)
			}
		})
	}
	all.Wait()
}

func TestAProcessThatEndsIsStartedAgain(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script := `[ -e "` + folder + `/once" ] && exec "` + os.Args[0] + `" hash; touch "` + folder + `/once"; exit 1`
	p := process(t, "/bin/sh", "-c", script)
	if _, err := p.Make(t.Context(), job("x")); err == nil {
		t.Error("a process that ended has made a hash")
	}
	var key []byte
	for end := time.Now().Add(20 * time.Second); key == nil && time.Now().Before(end); {
		key, _ = p.Make(t.Context(), job("x"))
	}
	if !bytes.Equal(key, here(t, "x")) {
		t.Error("the next process makes another hash, or none")
	}
}

func TestWhereNoProcessCanBeHashesAreMadeHere(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	p := argon.NewProcess(slog.New(slog.NewTextHandler(&log, nil)), "/nowhere/at/all")
	if key, err := p.Make(t.Context(), job("x")); err != nil || !bytes.Equal(key, here(t, "x")) {
		t.Errorf("another hash, %v", err)
	}
	if !strings.Contains(log.String(), "passwords are hashed in the server's own process") {
		t.Errorf("nobody is told: %s", &log)
	}
	p.Close()
}

func TestAfterCloseThereIsNoProcess(t *testing.T) {
	t.Parallel()
	p := process(t, os.Args[0], "hash")
	if _, err := p.Make(t.Context(), job("x")); err != nil {
		t.Fatal(err)
	}
	p.Close()
	p.Close()
	if key, err := p.Make(t.Context(), job("x")); err != nil || !bytes.Equal(key, here(t, "x")) {
		t.Errorf("after the end: another hash, %v", err)
	}
}

func TestWhoDoesNotWaitAnyMoreIsNotKept(t *testing.T) {
	t.Parallel()
	p := process(t, "/bin/sh", "-c", "cat >/dev/null")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Make(ctx, job("x")); err == nil {
		t.Error("a hash came from a process that makes none")
	}
}

func TestTheProcessSeesNothingOfTheEnvironment(t *testing.T) {
	t.Setenv("JWT_SECRET", "secret")
	file := t.TempDir() + "/env"
	p := argon.NewProcess(slog.New(slog.DiscardHandler), "/bin/sh", "-c", `env > "`+file+`"; nice >> "`+file+`"; exec "`+os.Args[0]+`" hash`)
	defer p.Close()
	if _, err := p.Make(t.Context(), job("x")); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(seen), "JWT_SECRET") || !strings.HasSuffix(string(seen), "\n5\n") {
		t.Errorf("it sees %q, %v", seen, err)
	}
}
