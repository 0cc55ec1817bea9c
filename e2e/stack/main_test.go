package stack_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
)

// ownerOf names a variable that turns this test program into the owner of an
// upstream: it starts one in the named folder and waits to be killed.
const ownerOf = "STACK_TEST_OWNER_OF"

// world is what the tests share.
var world struct {
	agentServer string
	mailpit     string
	upstream    *stack.Upstream // disturbed by one test only
	dummy       string          // a stand-in for the product
}

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerOf); dir != "" {
		own(dir)
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "stack-test-")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	paths, err := setup.Ensure(ctx, setup.Options{Upstream: true, Mailpit: true})
	if err != nil {
		return fail(err)
	}
	world.agentServer, world.mailpit = paths.AgentServer, paths.Mailpit
	if world.dummy, err = stack.BuildBinary(ctx, stack.BinaryOptions{Package: "./e2e/stack/testdata/dummy", Output: filepath.Join(dir, "dummy")}); err != nil {
		return fail(err)
	}
	// A provider's key that the developer happens to have must not reach agents.
	if err := os.Setenv("OPENAI_API_KEY", "provider-key-of-the-developer"); err != nil {
		return fail(err)
	}
	world.upstream, err = stack.StartUpstream(ctx, stack.UpstreamOptions{AgentServer: world.agentServer, DataDir: filepath.Join(dir, "upstream")})
	if err != nil {
		return fail(err)
	}
	defer world.upstream.Stop()
	return m.Run()
}

func own(dir string) {
	u, err := stack.StartUpstream(context.Background(), stack.UpstreamOptions{AgentServer: os.Getenv("AGENT_SERVER"), DataDir: dir})
	if err != nil {
		os.Exit(fail(err))
	}
	fmt.Println(u.URL())
	select {}
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after a minute: %s", what)
		}
	}
}

// runningIn lists the processes that have the folder in their command line or
// environment: the whole family of an upstream, and nobody else.
func runningIn(dir string) (found []string) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		command, _ := os.ReadFile(entry + "/cmdline")
		environment, _ := os.ReadFile(entry + "/environ")
		if strings.Contains(string(command)+string(environment), dir) && filepath.Base(entry) != fmt.Sprint(syscall.Getpid()) {
			found = append(found, entry+" "+strings.ReplaceAll(string(command), "\x00", " "))
		}
	}
	return found
}
