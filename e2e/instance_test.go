package e2e_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	vaultkeys "github.com/openhands-saas/openhands-saas/internal/sealed"
)

// signingSecret is the JWT_SECRET of all instances: replicas must share it.
const signingSecret = "a-secret-for-tests-only-0123456789abcdef"

// keyset is the VAULT_KEYSET of all instances: what one replica sealed, the others open.
var keyset = sync.OnceValue(func() string {
	_, text, err := vaultkeys.New()
	if err != nil {
		panic(err)
	}
	return string(text)
})

// instance is one running product as its clients see it: through a relay.
type instance struct {
	*stack.Instance
	wire     *relay.Relay
	url      string // of wire
	database string // the address of its database, for a look behind the scenes
	env      map[string]string
}

// shared is the one instance for all tests that change nothing for others. It has the default, embedded database.
func shared(*testing.T) *instance { return world.shared }

// start runs an instance of the test's own, on a database of its own unless env names one.
func start(t *testing.T, env map[string]string) *instance {
	t.Helper()
	i := tryStart(t, env)
	if i == nil {
		t.FailNow()
	}
	return i
}

// tryStart is start for goroutines: it reports a failure and returns nil.
func tryStart(t *testing.T, env map[string]string) *instance {
	t.Helper()
	database := env["DATABASE_URL"]
	if database == "" {
		database = dbtest.URL(t)
	}
	i, err := launch(t.Context(), environment(database, env))
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(i.Stop)
	return i
}

// environment is what `make run` sets, with a database and with what a test changes; an empty value takes a setting away.
func environment(database string, changes map[string]string) map[string]string {
	env := map[string]string{
		"JWT_SECRET":              signingSecret,
		"VAULT_KEYSET":            keyset(),
		"REGISTRATION":            "open",
		"RATE_LIMITS":             "off", // all tests come from one address
		"UPSTREAM_URL":            world.upstream.URL(),
		"UPSTREAM_API_KEY_FILE":   world.upstream.KeyFile(),
		"UPSTREAM_WORKSPACE_ROOT": world.upstream.Workspaces(),
		"FRONTEND_DIR":            world.canvas,
		"OPERATOR_LLM_MODEL":      "openai/scripted",
		"OPERATOR_LLM_BASE_URL":   world.llm.URL(),
		"OPERATOR_LLM_API_KEY":    world.llm.Key(),
		"SMTP_URL":                world.inbox.SMTPURL(),
		"MAIL_FROM":               "OpenHands <openhands@example.com>",
	}
	if database != "" {
		env["DATABASE_URL"] = database
	}
	for name, value := range changes {
		if env[name] = value; value == "" {
			delete(env, name)
		}
	}
	return env
}

// launch starts the product; what it delivers and logs is judged at the end of the run.
func launch(ctx context.Context, env map[string]string) (*instance, error) {
	i, err := launchBinary(ctx, world.binary, env)
	if err != nil {
		return nil, err
	}
	world.mu.Lock()
	defer world.mu.Unlock()
	world.relays = append(world.relays, i.wire)
	world.instances = append(world.instances, i.Instance)
	return i, nil
}

// launchBinary starts a build of the product behind a relay. It logs all that it ever logs.
func launchBinary(ctx context.Context, binary string, env map[string]string) (*instance, error) {
	dir, err := os.MkdirTemp(world.dir, "instance-")
	if err != nil {
		return nil, err
	}
	process, err := stack.StartInstance(ctx, stack.InstanceOptions{
		Binary: binary, Args: []string{"serve", "--log-level", "debug"}, DataDir: dir, Env: env,
	})
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(process.URL())
	if err != nil {
		return nil, err
	}
	needles, words := lookedFor()
	if env["PERMITTED_CORS_ORIGINS"] != "" {
		maps.DeleteFunc(needles, func(_, text string) bool { return text == allowsCredentials }) // ours, on one path
	}
	wire, err := relay.Listen(address.Host, needles, words...)
	if err != nil {
		return nil, err
	}
	return &instance{Instance: process, wire: wire, url: "http://" + wire.Addr(), database: env["DATABASE_URL"], env: env}, nil
}

// kill ends the process as a power cut does.
func (i *instance) kill(t *testing.T) {
	t.Helper()
	i.Kill()
}

// restart stops the process, if it still runs, and starts another one with the same settings and database.
func (i *instance) restart(t *testing.T) *instance {
	t.Helper()
	i.Stop()
	return start(t, i.env)
}

// command runs the product's binary with arguments, as an operator does beside the running server.
func (i *instance) command(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), world.binary, args...)
	cmd.Env, cmd.Dir = osEnvironment(i.env), t.TempDir()
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("openhands-saas %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

func osEnvironment(env map[string]string) []string {
	list := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return list
}

// runToEnd starts an instance that cannot work and returns its exit status and output.
func runToEnd(t *testing.T, changes map[string]string) (int, string) {
	t.Helper()
	database := changes["DATABASE_URL"]
	if database == "" {
		database = dbtest.URL(t)
	}
	_, err := stack.StartInstance(t.Context(), stack.InstanceOptions{
		Binary: world.binary, DataDir: filepath.Join(t.TempDir(), "data"), Env: environment(database, changes),
	})
	exited, ok := errors.AsType[*stack.Exited](err)
	if !ok {
		t.Fatalf("it did not end by itself: %v", err)
	}
	return exited.Code, exited.Log
}

// pair is two replicas on one database.
type pair struct {
	first, second *instance
}

func startPair(t *testing.T) *pair {
	t.Helper()
	database := dbtest.URL(t)
	env := map[string]string{"DATABASE_URL": database}
	return &pair{first: start(t, env), second: start(t, env)}
}

// cutListeners ends the connections on which the replicas listen, as a network that drops them does.
func (p *pair) cutListeners(t *testing.T) {
	t.Helper()
	db, err := sql.Open("postgres", p.first.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var cut int
	err = db.QueryRowContext(t.Context(), `
		SELECT count(pg_terminate_backend(pid))
		FROM pg_stat_activity
		WHERE datname = current_database() AND application_name LIKE '%listen%'`).Scan(&cut)
	if err != nil || cut != 2 {
		t.Fatalf("%d listening connections were cut, want 2: %v", cut, err)
	}
}

// upstreamRelay is a way to the upstream that a test can cut.
func upstreamRelay(t *testing.T) *relay.Relay { return relayTo(t, world.upstream) }

// relayTo is a way to an upstream that a test can cut.
func relayTo(t *testing.T, upstream *stack.Upstream) *relay.Relay {
	t.Helper()
	address, err := url.Parse(upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
	wire, err := relay.Listen(address.Host, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wire.Close)
	return wire
}

// ownUpstream is one for a test whose upstream nobody else may touch. The folder is new.
func ownUpstream(t *testing.T, folder string) *stack.Upstream {
	t.Helper()
	upstream, err := startUpstream(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(upstream.Stop)
	return upstream
}

func jsonBody(body any) io.Reader {
	raw, _ := json.Marshal(body)
	return bytes.NewReader(raw)
}

func portOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Port()
}
