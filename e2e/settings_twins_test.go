package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// twins are the upstream by itself and the product, of which the same is asked. The product has no operator's model and lets
// users' URLs reach this machine, where the scripted model and nothing else is; the upstream is private, as its one settings file
// is everybody's.
type twins struct {
	real      *stack.Upstream
	folder    string // of real
	server    *instance
	owner     *client
	developer *client
	sides     [2]*side // the upstream, the product
}

// side is one of the two as a client meets it.
type side struct {
	base   string
	header http.Header
	words  map[string]string // what stands for <name> in what is sent, and is shown as <name> in what comes
}

const (
	theirs = 0 // the upstream's side
	ours   = 1
)

// newTwins starts both at once.
func newTwins(t *testing.T) *twins {
	t.Helper()
	w := &twins{}
	folder := "upstream-" + uuid.NewString()[:8]
	var work sync.WaitGroup
	var failed error
	work.Go(func() {
		if w.real, failed = startUpstream(t.Context(), folder); failed == nil {
			t.Cleanup(w.real.Stop)
		}
	})
	w.server = tryStart(t, map[string]string{
		"DATABASE_URL": dbtest.URL(t), "EGRESS_ALLOW": "127.0.0.0/8",
		"OPERATOR_LLM_MODEL": "", "OPERATOR_LLM_BASE_URL": "", "OPERATOR_LLM_API_KEY": "",
	})
	work.Wait()
	if failed != nil || w.server == nil {
		t.Fatal("the twins did not start: ", failed)
	}
	w.folder = filepath.Join(world.dir, folder)
	w.owner, w.developer = signedUp(t, w.server.url), signedUp(t, w.server.url)
	w.anew(t)
	return w
}

// anew gives the upstream an empty folder and the product's Developer an empty team.
func (w *twins) anew(t *testing.T) {
	t.Helper()
	w.empty(t)
	team := w.owner.field(w.owner.want(http.StatusCreated, w.owner.post("/api/teams/", map[string]any{"name": "Twins"})), "id")
	member := map[string]any{"email": w.developer.email, "role": "developer"}
	w.owner.want(http.StatusCreated, w.owner.inTeam(team).post("/api/teams/"+team+"/members", member))
	w.sides[theirs] = &side{w.real.URL(), http.Header{"X-Session-Api-Key": {w.real.Key()}}, w.words(w.real.Workspaces())}
	w.sides[ours] = &side{w.server.url, http.Header{"Authorization": {"Bearer " + w.developer.token}, "X-Team-Id": {team}},
		w.words(filepath.Join(world.upstream.Workspaces(), "teams", team))}
}

// words are what both are told in the same way.
func (w *twins) words(workspaces string) map[string]string {
	return map[string]string{"ws": workspaces, "llm": world.llm.URL(), "key": world.llm.Key()}
}

// empty removes what the upstream keeps between requests: it reads its files at each.
func (w *twins) empty(t *testing.T) {
	t.Helper()
	kept := filepath.Join(w.folder, "persistence")
	for _, name := range []string{"settings.json", "secrets.json", "workspaces.json", "profiles", "agent-profiles", "provider-connections"} {
		path := filepath.Join(kept, name)
		files, _ := filepath.Glob(filepath.Join(path, "*.json"))
		for _, file := range append(files, path) {
			if info, err := os.Stat(file); err == nil && !info.IsDir() {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// ask asks one side.
func (s *side) ask(ctx context.Context, c settingsCase) (answer, error) {
	var body io.Reader
	if c.body != "" {
		body = strings.NewReader(s.told(c.body))
	}
	r, err := http.NewRequestWithContext(ctx, c.method, s.base+s.told(c.path), body)
	if err != nil {
		return answer{}, err
	}
	r.Header = s.header.Clone()
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.expose != "" {
		r.Header.Set("X-Expose-Secrets", c.expose)
	}
	return do(r)
}

// told puts this side's words into a text.
func (s *side) told(text string) string {
	for name, word := range s.words {
		text = strings.ReplaceAll(text, "<"+name+">", word)
	}
	return long.ReplaceAllStringFunc(text, func(found string) string {
		var n int
		_, _ = fmt.Sscanf(found, "<long:%d>", &n)
		return strings.Repeat("a", n)
	})
}

// asked asks both and gives in what they differ.
func (w *twins) asked(t *testing.T, c settingsCase) []string {
	t.Helper()
	found, _ := w.askedFor(t, c)
	return found
}

// askedFor gives the product's status, too.
func (w *twins) askedFor(t *testing.T, c settingsCase) ([]string, int) {
	t.Helper()
	var answers [2]answer
	var failed [2]error
	var work sync.WaitGroup
	for i, s := range w.sides {
		work.Go(func() { answers[i], failed[i] = s.ask(t.Context(), c) })
	}
	work.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	var seen [2]seen
	for i, s := range w.sides {
		seen[i] = s.see(t, c, answers[i])
	}
	return seen[theirs].against(seen[ours]), seen[ours].status
}
