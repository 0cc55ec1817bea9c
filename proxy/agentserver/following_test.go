package agentserver_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// works makes the upstream say something of a conversation, behind our back.
func (w *world) works(id uuid.UUID, status string, at time.Time) {
	w.upstream.mu.Lock()
	defer w.upstream.mu.Unlock()
	c := w.upstream.conversations[id.String()]
	c["execution_status"], c["updated_at"] = status, at.Format(time.RFC3339Nano)
}

// follow is one run of the job, and what it asked the upstream.
func (w *world) follow() (looked int, asked []request) {
	w.t.Helper()
	w.upstream.forget()
	looked, err := w.dialect.FollowRunning(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return looked, w.upstream.arrived("/")
}

func (w *world) wantUpdated(id uuid.UUID, at time.Time) {
	w.t.Helper()
	row, err := w.conversations.Get(context.Background(), id)
	if err != nil || !row.UpdatedAt.Equal(at) {
		w.t.Errorf("our row was updated at %v, want %v (%v)", row.UpdatedAt, at, err)
	}
}

// An agent that finished an hour ago does not come to the top because somebody looks.
func TestASearchTakesTheUpstreamsTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, other := w.create("ann", nil), w.create("ann", nil)
	done := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	w.clock.ahead = 2 * time.Hour
	w.works(id, "finished", done)
	w.works(other, "finished", done.Add(-5*time.Minute))
	for range 2 {
		w.search("ann", "status=running") // what it does not show counts too
		w.wantUpdated(id, done)
		w.wantUpdated(other, done.Add(-5*time.Minute))
	}
}

func TestConversationsAreFollowedWhileTheirAgentsWork(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if looked, asked := w.follow(); looked != 0 || len(asked) != 0 {
		t.Fatalf("looked at %d of none: %v", looked, asked)
	}
	id := w.create("ann", nil)
	now := time.Now().UTC().Truncate(time.Microsecond)
	w.clock.ahead = time.Hour
	for n := range 5 {
		w.works(id, "running", now.Add(time.Duration(n+1)*time.Minute))
		looked, asked := w.follow()
		if looked != 1 || len(asked) != 1 || !strings.Contains(asked[0].query, "ids="+id.String()) {
			t.Fatalf("looked at %d: %v", looked, asked)
		}
		w.wantUpdated(id, now.Add(time.Duration(n+1)*time.Minute))
	}
	w.works(id, "finished", now.Add(20*time.Minute))
	w.follow()
	w.wantUpdated(id, now.Add(20*time.Minute))
	w.follow()
	if looked, asked := w.follow(); looked != 0 || len(asked) != 0 {
		t.Errorf("still looked at, at rest: %v", asked)
	}
}

func TestWhatSetsAnAgentToWorkOrShowsItAtWorkIsNoticed(t *testing.T) {
	t.Parallel()
	for name, does := range map[string]func(w *world, id string){
		"a run": func(w *world, id string) { w.ask("ann", "POST", conversationsPath+"/"+id+"/run", nil) },
		"a message": func(w *world, id string) {
			w.ask("ann", "POST", conversationsPath+"/"+id+"/events", `{"role":"user","content":[],"run":true}`)
		},
		"a search":   func(w *world, _ string) { w.search("ann", "") },
		"a batch":    func(w *world, id string) { w.ask("ann", "GET", conversationsPath+"?ids="+id, nil) },
		"the object": func(w *world, id string) { w.ask("ann", "GET", conversationsPath+"/"+id, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.create("ann", nil)
			w.follow()
			w.follow()
			if looked, _ := w.follow(); looked != 0 {
				t.Fatal("it is still followed, so this test shows nothing")
			}
			w.works(id, "running", time.Now())
			does(w, id.String())
			if looked, _ := w.follow(); looked != 1 {
				t.Errorf("looked at %d, want 1", looked)
			}
		})
	}
}

func TestManyAreFollowedInTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range w.several("ann", 120) {
		w.works(uuid.MustParse(id), "running", time.Now())
	}
	seen := map[string]bool{}
	for range 2 {
		looked, asked := w.follow()
		if looked != 99 || len(asked) != 1 {
			t.Fatalf("looked at %d in %d requests, want 99 in one", looked, len(asked))
		}
		for _, pair := range strings.Split(asked[0].query, "&") {
			if id, isID := strings.CutPrefix(pair, "ids="); isID {
				seen[id] = true
			}
		}
	}
	if len(seen) != 120 {
		t.Errorf("%d of 120 were looked at in two turns", len(seen))
	}
	if n := agentserver.Followed(5000); n != 1000 {
		t.Errorf("%d are followed, want no more than 1000", n)
	}
}
