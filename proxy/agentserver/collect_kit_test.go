package agentserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// care is a world whose workspace is a real folder. Without a mount, the scripted upstream runs the commands that it gets.
type care struct {
	*world
	ws, mount string
	ours      uuid.UUID
	alive     uuid.UUID // another conversation of the team
	bystander string    // a file of it
}

// bothWays runs a test with the mount and without.
func bothWays(t *testing.T, test func(*testing.T, *care)) {
	t.Helper()
	t.Parallel()
	for name, mounted := range map[string]bool{"through the mount": true, "by the upstream": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newCare(t, mounted))
		})
	}
}

func newCare(t *testing.T, mounted bool) *care {
	t.Helper()
	w := &world{t: t, upstream: newUpstream(t), clock: &clock{}, db: dbtest.New(t)}
	w.conversations = conversation.New(w.db, conversation.Options{Now: w.clock.now})
	w.people(w.db)
	c := &care{world: w, ws: filepath.Join(t.TempDir(), "it's a workspace"), ours: w.gate["ann"].CurrentTeam}
	if mounted {
		c.mount = c.ws
		c.ws = "/somewhere/else at the upstream"
	}
	w.dialect = c.replica()
	w.upstream.script(c.shell)
	c.mkdir(c.project())
	c.alive = c.make("alive", c.project()+"/alive")
	c.must(w.conversations.Commit(t.Context(), c.alive, ""))
	c.bystander = c.put(c.project() + "/alive/precious")
	return c
}

// replica is a dialect with an engine of its own, on the same database.
func (c *care) replica() *agentserver.Dialect {
	c.t.Helper()
	address, err := url.Parse(c.upstream.server.URL)
	c.must(err)
	d, err := agentserver.New(agentserver.Config{
		Conversations: c.conversations, Vault: newVault(c.t, c.db),
		Egress:        &egress.Policy{Allow: []netip.Prefix{}},
		WorkspaceRoot: c.ws, WorkspaceMount: c.mount,
	})
	c.must(err)
	engine, err := proxy.New(proxy.Config{
		Upstream: address, Key: upstreamKey, Operations: d.Operations(), Gate: c.gate, Objects: c.conversations, Events: c.db.Bus,
	})
	c.must(err)
	c.t.Cleanup(engine.Close)
	d.Attach(engine)
	return d
}

// shell runs a command as the upstream does.
func (c *care) shell(w http.ResponseWriter, r *http.Request, body []byte) bool {
	if r.URL.Path != "/api/bash/execute_bash_command" || r.Method != http.MethodPost {
		return false
	}
	var in struct{ Command, Cwd string }
	if err := json.Unmarshal(body, &in); err != nil {
		c.t.Error(err)
	}
	run := exec.CommandContext(c.t.Context(), "/bin/sh", "-c", in.Command)
	run.Dir = in.Cwd
	printed, err := run.Output()
	if err != nil {
		c.t.Logf("%v: %s", err, printed)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "BashOutput", "exit_code": run.ProcessState.ExitCode(), "stdout": string(printed)})
	return true
}

func (c *care) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *care) project() string { return c.home() + "/workspace/project" }
func (c *care) home() string    { return c.ws + "/teams/" + c.ours.String() }

// here is where a folder of the upstream's lies on this machine.
func (c *care) here(p string) string {
	if rest, below := strings.CutPrefix(p, c.ws); below && c.mount != "" {
		return c.mount + rest
	}
	return p
}

func (c *care) mkdir(p string) { c.t.Helper(); c.must(os.MkdirAll(c.here(p), 0o700)) }

func (c *care) put(p string) string {
	c.t.Helper()
	c.mkdir(filepath.Dir(p))
	c.must(os.WriteFile(c.here(p), []byte("x"), 0o600))
	return p
}

// link makes a relative link: os.Root refuses others by itself.
func (c *care) link(to, at string) {
	c.t.Helper()
	c.must(os.Symlink(c.relative(to, at), c.here(at)))
}

func (c *care) relative(to, at string) string {
	c.t.Helper()
	way, err := filepath.Rel(filepath.Dir(c.here(at)), c.here(to))
	c.must(err)
	return way
}

func (c *care) there(p string) bool {
	_, err := os.Lstat(c.here(p))
	return err == nil
}

// make is a reserved conversation of our team.
func (c *care) make(title, folder string, roots ...string) uuid.UUID {
	c.t.Helper()
	id := uuid.New()
	c.must(c.conversations.Reserve(c.t.Context(), conversation.Conversation{
		ID: id, Team: c.ours, Title: title, WorkingDir: folder, Roots: roots,
	}))
	return id
}

// dead is a deleted conversation.
func (c *care) dead(folder string, roots ...string) uuid.UUID {
	c.t.Helper()
	id := c.make("", folder, roots...)
	c.must(c.conversations.Commit(c.t.Context(), id, ""))
	c.must(c.conversations.Delete(c.t.Context(), id, c.gate["ann"]))
	return id
}

// own is a folder as it is made for a conversation, with something in it.
func (c *care) own() string {
	c.t.Helper()
	folder := c.project() + "/" + strings.ReplaceAll(uuid.NewString(), "-", "")
	c.put(folder + "/a b/don't $(panic)/*")
	return folder
}

func (c *care) collect(after time.Duration, want int) {
	c.t.Helper()
	c.clock.ahead += after
	if got, err := c.dialect.Collect(context.Background()); err != nil || got != want {
		c.t.Errorf("collected %d, want %d (%v)", got, want, err)
	}
	if !c.there(c.bystander) {
		c.t.Error("another conversation's file is gone")
	}
}

func (c *care) wantThere(p string, want bool) {
	c.t.Helper()
	if got := c.there(p); got != want {
		c.t.Errorf("%s is there: %v, want %v", p, got, want)
	}
}

func (c *care) wantCollected(id uuid.UUID, want bool) {
	c.t.Helper()
	var got bool
	c.must(c.db.GetContext(c.t.Context(), &got, `
		SELECT collected_at IS NOT NULL
		  FROM conversations
		 WHERE id = $1`, id))
	if got != want {
		c.t.Errorf("collected %v, want %v", got, want)
	}
}
