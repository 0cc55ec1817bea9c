package stack_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

func TestAnInstanceIsReadyAndStopsWhenAsked(t *testing.T) {
	t.Parallel()
	i := start(t, stack.InstanceOptions{Env: map[string]string{"REGISTRATION": "open"}})
	response, err := http.Get(i.URL() + "/environment")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	environment, _ := io.ReadAll(response.Body)
	if !strings.Contains(string(environment), "REGISTRATION=open") || strings.Contains(string(environment), "provider-key-of-the-developer") {
		t.Errorf("its environment: %s", environment)
	}
	if !strings.Contains(i.Log(), "dummy: serving in ") {
		t.Errorf("its log: %q", i.Log())
	}
	i.Stop()
	if _, err := http.Get(i.URL() + "/readyz"); err == nil {
		t.Error("it answers after its stop")
	}
	i.Kill() // an ended instance can be ended again
}

func TestAnInstanceThatEndsBeforeItIsReadySaysWhy(t *testing.T) {
	t.Parallel()
	_, err := stack.StartInstance(t.Context(), stack.InstanceOptions{Binary: world.dummy, DataDir: t.TempDir(), Env: map[string]string{"FAIL": "yes"}})
	exited, ok := errors.AsType[*stack.Exited](err)
	if !ok || exited.Code != 3 || !strings.Contains(exited.Log, "told to fail") {
		t.Errorf("got %v", err)
	}
}

func TestAKilledInstanceIsGoneAndItsFolderServesTheNext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := start(t, stack.InstanceOptions{DataDir: dir})
	first.Kill()
	if got := first.ExitCode(); got != -1 {
		t.Errorf("exit status %d, want -1 for a signal", got)
	}
	port, err := strconv.Atoi(first.URL()[strings.LastIndex(first.URL(), ":")+1:])
	if err != nil {
		t.Fatal(err)
	}
	second := start(t, stack.InstanceOptions{DataDir: dir, Port: port})
	if second.URL() != first.URL() || strings.Count(second.Log(), "dummy: serving") != 2 {
		t.Errorf("%s then %s, log %q", first.URL(), second.URL(), second.Log())
	}
}

func TestABinaryThatDoesNotCompileSaysWhatTheCompilerSaid(t *testing.T) {
	t.Parallel()
	_, err := stack.BuildBinary(t.Context(), stack.BinaryOptions{Package: "./no/such/package", Output: t.TempDir() + "/x"})
	if err == nil || !strings.Contains(err.Error(), "no/such/package") {
		t.Errorf("got %v", err)
	}
}

func start(t *testing.T, o stack.InstanceOptions) *stack.Instance {
	t.Helper()
	o.Binary = world.dummy
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	i, err := stack.StartInstance(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		i.Stop()
		if t.Failed() {
			_, _ = io.WriteString(os.Stderr, i.Log())
		}
	})
	return i
}
