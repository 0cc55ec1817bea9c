package agentserver_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

func TestADeletedConversationsFoldersGoAfterAnHour(t *testing.T) {
	bothWays(t, func(_ *testing.T, c *care) {
		folder, tree := c.own(), c.put(c.home()+"/worktrees/one/repo/file")
		id := c.dead(folder, filepath.Dir(tree))
		c.collect(59*time.Minute, 0)
		c.wantThere(folder, true)
		c.collect(2*time.Minute, 1)
		c.wantThere(folder, false)
		c.wantThere(filepath.Dir(tree), false)
		c.wantThere(c.project(), true)
		c.wantCollected(id, true)
		c.mkdir(folder)
		c.collect(1000*time.Hour, 0)
		c.wantThere(folder, true)
	})
}

func TestAForksFolderIsKeptUntilTheLast(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		folder := c.own()
		fork := c.make("fork", folder)
		c.must(c.conversations.Commit(t.Context(), fork, ""))
		child := c.make("child", folder+"/a b")
		c.dead(folder)
		c.collect(2*time.Hour, 0)
		c.must(c.conversations.Delete(t.Context(), fork, c.gate["ann"]))
		c.collect(2*time.Hour, 0) // the child that is being made may exist
		c.must(c.conversations.Fail(t.Context(), child))
		c.collect(2*time.Hour, 0) // as may one that failed
		c.wantThere(folder, true)
		c.must(c.conversations.Delete(t.Context(), child, c.gate["ann"]))
		c.collect(2*time.Hour, 2) // the child's own folder is a picked one
		c.wantThere(folder, false)
	})
}

func TestAWorktreeThatAForkSharesIsKeptUntilTheLast(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		folder, tree := c.own(), filepath.Dir(c.put(c.home()+"/worktrees/one/repo/file"))
		fork := c.make("fork", folder, tree)
		c.must(c.conversations.Commit(t.Context(), fork, ""))
		elsewhere := c.make("in the worktree", tree+"/src")
		c.must(c.conversations.Commit(t.Context(), elsewhere, ""))
		source := c.dead(folder, tree)
		c.collect(2*time.Hour, 0)
		c.must(c.conversations.Delete(t.Context(), fork, c.gate["ann"]))
		c.collect(2*time.Hour, 0)
		c.wantThere(folder, true)
		c.wantThere(tree, true)
		c.must(c.conversations.Delete(t.Context(), elsewhere, c.gate["ann"]))
		c.collect(2*time.Hour, 2) // the one in the worktree has no folder of its own
		c.wantThere(folder, false)
		c.wantThere(tree, false)
		c.wantCollected(source, true)
	})
}

// Files stay where they are when a conversation moves to another team, so a folder may be used from there.
func TestAFolderThatAMovedConversationUsesIsKept(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		folder, kept := c.own(), c.own()
		theirs := c.gate["bob"].CurrentTeam
		move := func(id uuid.UUID) uuid.UUID {
			c.exec(c.db, `UPDATE conversations SET team_id = $1 WHERE id = $2`, theirs, id)
			return id
		}
		moved, alone := c.make("moved", folder), c.make("moved alone", kept)
		for _, id := range []uuid.UUID{moved, alone} {
			c.must(c.conversations.Commit(t.Context(), move(id), ""))
		}
		source := c.dead(folder)
		c.collect(1000*time.Hour, 0)
		c.wantThere(folder, true)
		for _, id := range []uuid.UUID{moved, alone} {
			c.must(c.conversations.Delete(t.Context(), id, c.gate["bob"]))
		}
		c.collect(2*time.Hour, 1) // what is in another team's root is not removed in the name of this one
		c.wantThere(folder, false)
		c.wantThere(kept, true)
		c.wantCollected(source, true)
		c.wantCollected(alone, false)
	})
}

func TestWhatWasNotMadeForAConversationStays(t *testing.T) {
	bothWays(t, func(_ *testing.T, c *care) {
		c.must(c.conversations.Delete(c.t.Context(), c.alive, c.gate["ann"])) // else what is around it stays because of it
		hex := strings.Repeat("0a", 16)
		for _, folder := range []string{
			c.home(), c.home() + "/workspace", c.project(), c.ws, c.ws + "/teams", "/", filepath.Dir(c.ws),
			c.project() + "/my-repository", c.home() + "/workspace/" + hex, c.project() + "/x/" + hex,
			c.project() + "/" + strings.ToUpper(hex), c.project() + "/" + hex + "0", c.project() + "/-rf" + hex[3:],
			c.ws + "/teams/" + c.gate["bob"].CurrentTeam.String() + "/workspace/project/" + hex,
			c.ws + "/teams/" + strings.ToUpper(c.ours.String()) + "/workspace/project/" + hex,
			c.home() + "x/workspace/project/" + hex, c.ws + "/" + hex, filepath.Dir(c.ws) + "/" + hex,
		} {
			if folder != "/" {
				c.put(folder + "/file")
			}
			for _, roots := range [][]string{nil, {folder}} {
				if roots != nil && strings.HasPrefix(folder, c.home()+"/workspace/") && folder != c.project() {
					continue // a root below the team's is the conversation's own, whatever its name
				}
				c.must(c.conversations.Delete(c.t.Context(), c.reserved(folder, roots), c.gate["ann"]))
			}
			defer c.wantThere(folder, true)
		}
		c.collect(2*time.Hour, 0)
		c.collect(1000*time.Hour, 0)
		if asked := c.upstream.arrived("/api/bash"); len(asked) > 0 {
			c.t.Errorf("the upstream was asked: %v", asked)
		}
	})
}

// reserved is a live row, in the folder or with it as a further root.
func (c *care) reserved(folder string, roots []string) uuid.UUID {
	c.t.Helper()
	if roots != nil {
		folder = ""
	}
	id := c.make("", folder, roots...)
	c.must(c.conversations.Commit(c.t.Context(), id, ""))
	return id
}

func TestASymbolicLinkIsRemovedAndNotFollowed(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		outside := filepath.Join(t.TempDir(), "outside")
		c.put(outside + "/file")
		for _, target := range []string{outside, c.project() + "/alive", "/nowhere"} {
			folder := c.project() + "/" + strings.ReplaceAll(uuid.NewString(), "-", "")
			c.link(target, folder)
			within := c.own()
			c.link(target, within+"/link")
			c.dead(folder)
			c.dead(within)
			c.collect(2*time.Hour, 2)
			c.wantThere(folder, false)
			c.wantThere(within, false)
		}
		c.wantThere(outside+"/file", true)
	})
}

// An agent that owns the folders above can put links in their place: to another conversation's folder that holds one of the
// same name, or out of the workspace.
func TestASymbolicLinkAboveAFolderIsNotWalkedThrough(t *testing.T) {
	t.Parallel()
	for name, swap := range map[string]struct {
		at func(c *care) string // what is moved away
		to func(c *care) string // where the link in its place leads
	}{
		"into the same team":  {(*care).project, func(c *care) string { return c.home() + "/decoy" }},
		"into another team":   {(*care).home, func(c *care) string { return c.ws + "/teams/" + c.gate["bob"].CurrentTeam.String() }},
		"out of the root":     {(*care).project, func(c *care) string { return filepath.Join(filepath.Dir(c.here(c.ws)), "outside") }},
		"to where it was":     {(*care).project, func(c *care) string { return c.project() + ".moved" }},
		"of the whole folder": {func(c *care) string { return c.home() + "/workspace" }, func(c *care) string { return c.home() + "/decoys" }},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, c *care) {
				folder := c.own()
				rest, _ := strings.CutPrefix(folder, swap.at(c))
				id := c.dead(folder)
				precious := c.put(swap.to(c) + rest + "/precious")
				moved := swap.at(c) + ".moved"
				if swap.to(c) == moved {
					c.must(os.RemoveAll(c.here(moved)))
					precious = moved + rest + "/a b"
				}
				c.must(os.Rename(c.here(swap.at(c)), c.here(moved)))
				c.link(swap.to(c), swap.at(c))
				c.bystander = precious
				c.collect(2*time.Hour, 0)
				c.wantCollected(id, false)
				c.must(os.Remove(c.here(swap.at(c))))
				c.must(os.Rename(c.here(moved), c.here(swap.at(c))))
				if swap.to(c) == moved {
					c.bystander = swap.at(c)
				}
				c.collect(time.Minute, 0) // it waits
				c.collect(5*time.Minute, 1)
				c.wantThere(folder, false)
			})
		})
	}
}

// While a collector is at work, an agent exchanges the project folder for a link and back, as fast as it can.
func TestALinkThatComesAndGoesIsNotWalkedThrough(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		decoy := c.home() + "/decoy"
		var precious []string
		for range 30 {
			folder := c.own()
			precious = append(precious, c.put(decoy+"/"+filepath.Base(folder)+"/precious"))
			c.dead(folder)
		}
		c.bystander = precious[0]
		stop, agent := make(chan struct{}), sync.WaitGroup{}
		way := c.relative(decoy, c.project())
		agent.Go(func() { swap(stop, c.here(c.project()), c.here(c.project()+".aside"), way) })
		for range 5 {
			c.clock.ahead += 48 * time.Hour
			_, err := c.dialect.Collect(context.Background())
			c.must(err)
		}
		close(stop)
		agent.Wait()
		for _, p := range precious {
			c.wantThere(p, true)
		}
	})
}

// The moment between looking at a folder and opening it is short: it takes many tries to hit it.
func TestAFolderThatIsExchangedWhileItIsOpenedIsNotEntered(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	for _, dir := range []string{"/project", "/decoy/x"} {
		if err := os.MkdirAll(top+dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	stop, agent := make(chan struct{}), sync.WaitGroup{}
	agent.Go(func() { swap(stop, top+"/project", top+"/aside", "decoy") })
	for range 20_000 {
		_ = agentserver.RemoveBelow(root, "project", "x")
		if _, err := os.Stat(top + "/decoy/x"); err != nil {
			t.Error("the folder behind the link is gone")
			break
		}
	}
	close(stop)
	agent.Wait()
}

// swap exchanges a folder for a link and back until stop is closed.
func swap(stop chan struct{}, folder, aside, target string) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		_ = os.Rename(folder, aside)
		_ = os.Symlink(target, folder)
		_ = os.Remove(folder)
		_ = os.Rename(aside, folder)
	}
}

func TestReplicasCollectEachFolderOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, c *care) {
		const many = 50
		var folders []string
		for range many {
			folders = append(folders, c.own())
			c.dead(folders[len(folders)-1])
		}
		c.clock.ahead = 2 * time.Hour
		var mu sync.Mutex
		total := 0
		var replicas sync.WaitGroup
		for range 4 {
			d := c.replica()
			replicas.Go(func() {
				n, err := d.Collect(context.Background())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				total += n
			})
		}
		replicas.Wait()
		if total != many {
			t.Errorf("collected %d, want %d", total, many)
		}
		for _, folder := range folders {
			c.wantThere(folder, false)
		}
		c.wantOneCommandEach(folders)
	})
}

// wantOneCommandEach checks what the upstream was asked to remove, and by how many commands.
func (c *care) wantOneCommandEach(folders []string) {
	c.t.Helper()
	asked := c.upstream.arrived("/api/bash")
	if c.mount != "" {
		if len(asked) > 0 {
			c.t.Error("the upstream was asked, although there is a mount")
		}
		return
	}
	all := ""
	for _, r := range asked {
		all += r.body
		if r.header.Get("X-Session-API-Key") != upstreamKey || r.header.Get("X-OpenHands-User-Id") != "" {
			c.t.Error("the command was not sent in our own name")
		}
	}
	for _, f := range folders {
		if n := strings.Count(all, filepath.Base(f)); n != 1 {
			c.t.Errorf("%s was in %d commands", f, n)
		}
	}
	if len(asked) > 10 {
		c.t.Errorf("%d commands for %d folders", len(asked), len(folders))
	}
}

func TestWithoutAWorkspaceNothingCountsAsRemoved(t *testing.T) {
	bothWays(t, func(_ *testing.T, c *care) {
		folder := c.own()
		id := c.dead(folder)
		away := c.here(c.ws) + ".away"
		c.must(os.Rename(c.here(c.ws), away))
		c.must(os.Mkdir(c.here(c.ws), 0o700)) // a mount point on which nothing is mounted
		c.clock.ahead = 2 * time.Hour
		if n, _ := c.dialect.Collect(context.Background()); n != 0 {
			c.t.Errorf("collected %d", n)
		}
		c.wantCollected(id, false)
		c.must(os.Remove(c.here(c.ws)))
		c.must(os.Rename(away, c.here(c.ws)))
		c.collect(time.Hour, 1)
		c.wantThere(folder, false)
	})
}

func TestAFolderThatIsGoneAlreadyCounts(t *testing.T) {
	bothWays(t, func(_ *testing.T, c *care) {
		c.dead(c.project() + "/" + strings.Repeat("0", 32))
		c.dead("", c.home()+"/trees/no/such")
		c.collect(2*time.Hour, 2)
	})
}

// A crash between the removal and its record: the claim runs out, and the next one finds nothing to do.
func TestAnUnknownOutcomeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	c := newCare(t, false)
	folder := c.own()
	id := c.dead(folder)
	c.upstream.script(func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		if c.shell(discarded{http.Header{}}, r, body) {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	c.clock.ahead = 2 * time.Hour
	if n, err := c.dialect.Collect(context.Background()); err == nil || n != 0 {
		t.Errorf("collected %d, %v", n, err)
	}
	c.wantThere(folder, false)
	c.wantCollected(id, false)
	c.upstream.script(c.shell)
	c.collect(29*time.Minute, 0)
	c.collect(2*time.Minute, 1)
	c.wantCollected(id, true)
}

type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d discarded) WriteHeader(int)             {}

// What the upstream prints is only believed where it speaks of a folder that was asked for, in the script's own words.
func TestAnAnswerIsReadStrictly(t *testing.T) {
	t.Parallel()
	for name, printed := range map[string]any{
		"nothing": "", "null": nil, "noise": "hello\n", "another's": "7 gone\n-1 gone\n", "half a word": "0 gon\n", "more": "0 gone, almost\n",
		"left": "0 left: rm: cannot remove 'x': Permission denied\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCare(t, false)
			id := c.dead(c.own())
			c.upstream.script(func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				_ = json.NewEncoder(w).Encode(map[string]any{"stdout": printed, "exit_code": 0})
				return true
			})
			c.collect(2*time.Hour, 0)
			c.wantCollected(id, false)
			c.upstream.script(c.shell)
			c.collect(6*time.Minute, 1)
		})
	}
}
