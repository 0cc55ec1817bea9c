package agentserver_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

func TestCreateOfAnIdThatIsNotFreeForwardsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, dead := w.create("bob", nil), w.create("ann", nil)
	if a := w.ask("ann", "DELETE", conversationsPath+"/"+dead.String(), nil); a.status != http.StatusOK {
		t.Fatalf("delete: %d %s", a.status, a.body)
	}
	w.upstream.forget()
	var bodies []string
	for _, id := range []uuid.UUID{theirs, dead} {
		a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
		if a.status != http.StatusConflict {
			t.Errorf("status %d %s, want 409", a.status, a.body)
		}
		bodies = append(bodies, a.body)
	}
	if bodies[0] != bodies[1] {
		t.Errorf("foreign and dead differ: %s and %s", bodies[0], bodies[1])
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %v", got)
	}
}

func TestCreateOfOnesOwnLiveIdAnswersWithIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil)
	a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
	if a.status != http.StatusOK || a.object(t)["id"] != id.String() {
		t.Errorf("%d %s, want 200 with the object", a.status, a.body)
	}
	if got := len(w.posts()); got != 1 {
		t.Errorf("%d creations forwarded, want 1", got)
	}
}

func TestCreateOfAnIdThatIsNobodysOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.upstream.add(id, map[string]any{"title": "secret of nobody"})
	a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
	if a.status != http.StatusConflict || strings.Contains(a.body, "secret") {
		t.Errorf("%d %s, want 409", a.status, a.body)
	}
	if got := w.state(id); got != access.StateNone {
		t.Errorf("state %d: the id was taken from who may adopt it", got)
	}
}

// The upstream has it only by the time it is asked to make it: the answer is still not the caller's.
func TestCreateAnsweredWithSomethingElseOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "POST" {
			w.upstream.add(id, map[string]any{"title": "secret of nobody"})
		}
		return false
	})
	a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
	if a.status != http.StatusConflict || strings.Contains(a.body, "secret") {
		t.Errorf("%d %s, want 409", a.status, a.body)
	}
	if a := w.ask("ann", "GET", conversationsPath+"/"+id.String(), nil); a.status != http.StatusNotFound {
		t.Errorf("read: %d %s, want 404", a.status, a.body)
	}
}

func TestSimultaneousCreationsOfOneIdReachTheUpstreamOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			a, err := w.send(context.Background(), "ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
			if err != nil || a.status != 201 && a.status != 200 && a.status != 409 {
				t.Errorf("%d %s %v", a.status, a.body, err)
			}
		})
	}
	group.Wait()
	if got := len(w.posts()); got != 1 {
		t.Errorf("%d creations reached the upstream, want 1", got)
	}
}

func TestARefusedCreationFreesTheIdForItsTeamAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != "POST" {
			return false
		}
		rw.WriteHeader(422)
		_, _ = rw.Write([]byte(`{"detail":[{"type":"x","loc":["body"],"msg":"bad","input":{"api_key":"` + operatorKey + `","base_url":"filled-in"}}]}`))
		return true
	})
	body := startBody(map[string]any{"conversation_id": id})
	a := w.ask("ann", "POST", conversationsPath, body)
	if a.status != 422 || strings.Contains(a.body, operatorKey) || strings.Contains(a.body, "filled-in") || !strings.Contains(a.body, `"msg":"bad"`) {
		t.Errorf("%d %s, want the upstream's 422 without what was filled in", a.status, a.body)
	}
	w.upstream.script(nil)
	if a := w.ask("bob", "POST", conversationsPath, body); a.status != http.StatusConflict {
		t.Errorf("the other team: %d %s, want 409", a.status, a.body)
	}
	if a := w.ask("ann", "POST", conversationsPath, body); a.status != http.StatusCreated {
		t.Errorf("its team: %d %s, want 201", a.status, a.body)
	}
}

func TestACreationThatFailedStaysReservedUntilItIsSettled(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{true, false} {
		w := newWorld(t)
		id := uuid.New()
		w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
			if r.Method != "POST" {
				return false
			}
			if made {
				w.upstream.mu.Lock()
				w.upstream.start(body)
				w.upstream.mu.Unlock()
			}
			rw.WriteHeader(500)
			_, _ = rw.Write([]byte(`{"detail":"Internal Server Error","exception":"/opt/secret/path"}`))
			return true
		})
		a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
		if a.status != http.StatusBadGateway || strings.Contains(a.body, "/opt/") {
			t.Errorf("%d %s, want 502 without the inside", a.status, a.body)
		}
		w.upstream.script(nil)
		if got := w.state(id); got != access.StateReserved {
			t.Fatalf("state %d, want reserved", got)
		}
		if a := w.ask("bob", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id})); a.status != http.StatusConflict {
			t.Errorf("the other team: %d, want 409", a.status)
		}
		if n, err := w.dialect.Reconcile(context.Background()); n != 0 || err != nil {
			t.Errorf("settled %d (%v) before the lease ran out", n, err)
		}
		w.clock.ahead = time.Hour
		if n, err := w.dialect.Reconcile(context.Background()); n != 1 || err != nil {
			t.Fatalf("settled %d (%v), want 1", n, err)
		}
		want := map[bool]access.State{true: access.StateLive, false: access.StateFailed}[made]
		if got := w.state(id); got != want {
			t.Errorf("made %v: state %d, want %d", made, got, want)
		}
	}
}

func TestReconcileDoesNotTakeWhatIsNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "POST" {
			rw.WriteHeader(500)
		}
		return r.Method == "POST"
	})
	w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
	w.upstream.add(id, nil) // works in another folder
	w.clock.ahead = time.Hour
	if _, err := w.dialect.Reconcile(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.state(id); got != access.StateFailed {
		t.Errorf("state %d, want failed", got)
	}
}

func TestReadingAReservedConversationSettlesIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
		if r.Method == "POST" {
			w.upstream.mu.Lock()
			w.upstream.start(body)
			w.upstream.mu.Unlock()
			rw.WriteHeader(500)
		}
		return r.Method == "POST"
	})
	w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
	if a := w.ask("ann", "GET", conversationsPath+"/"+id.String(), nil); a.status != http.StatusOK {
		t.Errorf("%d %s, want 200", a.status, a.body)
	}
	if got := w.state(id); got != access.StateLive {
		t.Errorf("state %d, want live", got)
	}
}

func TestAClientThatLeavesDoesNotStopItsCreation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method == "POST" {
			close(arrived)
			<-goOn
		}
		return false
	})
	ctx, leave := context.WithCancel(context.Background())
	left := make(chan error)
	go func() {
		_, err := w.send(ctx, "ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
		left <- err
	}()
	<-arrived
	leave()
	if err := <-left; err == nil {
		t.Fatal("the client did not leave")
	}
	close(goOn)
	eventually(t, "the conversation is live", func() bool { return w.state(id) == access.StateLive })
}

func TestAChildBelongsToAParentOfTheSameTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	theirs, ours := w.create("bob", nil), w.create("ann", nil)
	unknown := uuid.New()
	foreign := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"parent_conversation_id": theirs}))
	missing := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"parent_conversation_id": unknown}))
	if foreign.status != 422 || strings.ReplaceAll(foreign.body, theirs.String(), "") != strings.ReplaceAll(missing.body, unknown.String(), "") {
		t.Errorf("foreign and missing differ: %s and %s", foreign.body, missing.body)
	}
	both := *w.gate["ann"]
	both.Memberships = append([]access.Membership{{Team: w.gate["bob"].CurrentTeam, Role: access.Developer}}, both.Memberships...)
	w.gate["dan"] = &both
	if a := w.ask("dan", "POST", conversationsPath, startBody(map[string]any{"parent_conversation_id": theirs})); a.status != 422 {
		t.Errorf("a parent in another of one's teams: %d %s, want 422", a.status, a.body)
	}
	child := w.create("ann", map[string]any{"parent_conversation_id": strings.ReplaceAll(ours.String(), "-", "")})
	if a := w.ask("ann", "GET", conversationsPath+"/"+child.String(), nil); a.object(t)["parent_conversation_id"] != ours.String() {
		t.Errorf("the child does not name its parent: %s", a.body)
	}
}

func TestAViewerCreatesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if a := w.ask("vic", "POST", conversationsPath, startBody(nil)); a.status != http.StatusForbidden {
		t.Errorf("%d %s, want 403", a.status, a.body)
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("forwarded: %v", got)
	}
}
