// Package e2e holds the journeys: what users, operators and attackers do, against the real agent-server, a real Postgres and a
// real browser.
//
// Nothing of the product is imported but the names of its guards and of what it seals: it runs as the binary that people run. Only
// the language model is scripted. A relay stands in front of every instance and looks in every byte that is delivered for what nobody may be sent
// (delivered_test.go): keys, the upstream's cookie, folders of its host. What it finds, or keys that a log holds, fail the whole run.
package e2e_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/llm"
	"github.com/openhands-saas/openhands-saas/e2e/stack/setup"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// world is what all journeys share: one upstream, one scripted model, one build of the product, one running instance.
var world struct {
	dir      string
	binary   string
	canvas   string
	chromium string
	mailpit  string
	inbox    *stack.Inbox // where the mails of all instances go
	node     string       // the folder whose node_modules holds clients and issuers of others
	upstream *stack.Upstream
	llm      *llm.Server
	shared   *instance

	agentServer string // the program, for tests that need an upstream of their own

	mu        sync.Mutex // guards what is below
	upstreams []*stack.Upstream
	relays    []*relay.Relay
	instances []*stack.Instance
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run builds the world around the tests and then judges what was delivered and logged.
func run(m *testing.M) int {
	defer tearDown()
	if err := build(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "the world of the end-to-end tests could not be built:", err)
		return 1
	}
	code := dbtest.Run(m)
	leaks := append(deliveredSecrets(), loggedSecrets()...)
	for _, leak := range leaks {
		fmt.Fprintln(os.Stderr, "LEAK:", leak)
	}
	return max(code, min(1, len(leaks)))
}

func tearDown() {
	if world.shared != nil {
		world.shared.Stop()
	}
	if world.upstream != nil {
		world.upstream.Stop()
	}
	if world.llm != nil {
		world.llm.Close()
	}
	if world.inbox != nil {
		world.inbox.Stop()
	}
	_ = os.RemoveAll(world.dir)
}

// secrets are what no client may receive and no log may hold, by name.
func secrets() map[string]string {
	found := map[string]string{
		"the model's key":    world.llm.Key(),
		"the signing secret": signingSecret,
	}
	world.mu.Lock()
	defer world.mu.Unlock()
	for n, u := range world.upstreams {
		found[fmt.Sprintf("the key of upstream %d", n)] = u.Key()
		found[fmt.Sprintf("the secret key of upstream %d", n)] = u.SecretKey()
	}
	return found
}

func deliveredSecrets() (leaks []string) {
	var bytes int64
	for _, r := range world.relays {
		bytes += r.Bytes()
		for _, find := range r.Finds() {
			leaks = append(leaks, "delivered to a client: "+find)
		}
	}
	fmt.Printf("watched %d bytes that were delivered to clients by %d instances\n", bytes, len(world.relays))
	return leaks
}

func loggedSecrets() (leaks []string) {
	for _, i := range world.instances {
		log := i.Log()
		for name, secret := range secrets() {
			if strings.Contains(log, secret) {
				leaks = append(leaks, "a log of the product holds "+name)
			}
		}
	}
	return leaks
}

func build(ctx context.Context) (err error) {
	if world.dir, err = os.MkdirTemp("", "openhands-saas-e2e-"); err != nil {
		return err
	}
	if err := os.Chmod(world.dir, 0o755); err != nil {
		return err
	}
	found, err := setup.Ensure(ctx, setup.Options{Upstream: true, Canvas: true, Postgres: true, Mailpit: true, Chromium: true, Node: true})
	if err != nil {
		return err
	}
	world.canvas, world.chromium, world.agentServer, world.node = found.Canvas, found.Chromium, found.AgentServer, found.Node
	world.mailpit = found.Mailpit
	if world.binary, err = stack.BuildBinary(ctx, stack.BinaryOptions{Output: filepath.Join(world.dir, "openhands-saas"), Race: true}); err != nil {
		return err
	}
	if world.llm, err = llm.Start(); err != nil {
		return err
	}
	if world.inbox, err = stack.StartInbox(ctx, stack.InboxOptions{Mailpit: world.mailpit, DataDir: filepath.Join(world.dir, "mail")}); err != nil {
		return err
	}
	if world.upstream, err = startUpstream(ctx, "upstream"); err != nil {
		return err
	}
	world.shared, err = launch(ctx, environment("", nil))
	return err
}

// startUpstream starts an upstream whose keys are looked for from then on.
func startUpstream(ctx context.Context, folder string) (*stack.Upstream, error) {
	u, err := stack.StartUpstream(ctx, stack.UpstreamOptions{
		AgentServer: world.agentServer, DataDir: filepath.Join(world.dir, folder),
	})
	if err != nil {
		return nil, err
	}
	world.mu.Lock()
	defer world.mu.Unlock()
	world.upstreams = append(world.upstreams, u)
	return u, nil
}
