package agentserver_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// leave puts n reservations of somebody's there, as a crash does. Of the even ones the upstream knows what was asked for, of
// every tenth a conversation in another folder: one that was there before, and is nobody's.
func (w *world) leave(who string, n int) (ids []uuid.UUID) {
	w.t.Helper()
	p := w.gate[who]
	for k := range n {
		id := uuid.New()
		dir := fmt.Sprintf("%s/workspace/project/%d", w.root(who), k)
		ids = append(ids, id)
		w.exec(w.db, `
			INSERT INTO conversations (id, team_id, starter_id, state, working_dir, lease_expires_at)
			VALUES ($1, $2, $3, 'reserved', $4, now() + $5 * interval '1 millisecond')`, id, p.CurrentTeam, p.User, dir, k)
		switch {
		case k%10 == 1:
			w.upstream.add(id, nil)
		case k%2 == 0:
			w.upstream.add(id, map[string]any{"workspace": map[string]any{"working_dir": dir}})
		}
	}
	return ids
}

// wantSettled checks what leave's reservations became.
func (w *world) wantSettled(ids []uuid.UUID) {
	w.t.Helper()
	wrong := 0
	for k, id := range ids {
		want := access.StateFailed
		if k%2 == 0 {
			want = access.StateLive
		}
		if w.state(id) != want {
			wrong++
		}
	}
	if wrong > 0 {
		w.t.Errorf("%d of %d reservations are in the wrong state", wrong, len(ids))
	}
}

// asked is how often each id was asked for, and in how many requests.
func (w *world) asked() (times map[string]int, requests int) {
	times = map[string]int{}
	for _, r := range w.upstream.arrived(conversationsPath) {
		requests++
		for pair := range strings.SplitSeq(r.query, "&") {
			if id, isID := strings.CutPrefix(pair, "ids="); isID {
				times[id]++
			}
		}
	}
	return times, requests
}

func TestAThousandReservationsThatACrashLeftAreSettledInOneRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var said bytes.Buffer
	w.dialect.SetLog(slog.New(slog.NewTextHandler(&said, nil)))
	ann, bob := w.leave("ann", 500), w.leave("bob", 500)
	w.clock.ahead = time.Hour
	w.upstream.forget()
	if n, err := w.dialect.Reconcile(context.Background()); n != 1000 || err != nil {
		t.Fatalf("settled %d, %v, want 1000", n, err)
	}
	w.wantSettled(ann)
	w.wantSettled(bob)
	if _, requests := w.asked(); requests != 11 { // ten of 99, and one of the last ten
		t.Errorf("%d requests, want 11", requests)
	}
	line := "claimed=1000 made=500 failed=500 upstream_calls=11 took="
	if !strings.Contains(said.String(), line) {
		t.Errorf("the log does not say %q", line)
	}
	if n, err := w.dialect.Reconcile(context.Background()); n != 0 || err != nil {
		t.Errorf("settled %d, %v, and nothing was left", n, err)
	}
	w.upstream.forget()
	w.staysTheirTeams(ann)
}

// staysTheirTeams asks as the other team for what was settled: live, failed, or the upstream's and nobody's.
func (w *world) staysTheirTeams(ids []uuid.UUID) {
	w.t.Helper()
	var bodies []string
	for _, id := range ids[:12] {
		a := w.ask("bob", "POST", conversationsPath, startBody(map[string]any{"conversation_id": id}))
		bodies = append(bodies, a.body)
		if o, err := w.conversations.Find(context.Background(), id); a.status != http.StatusConflict || err != nil || o.Team != w.gate["ann"].CurrentTeam {
			w.t.Errorf("%s: %d %s, of %v", id, a.status, a.body, o.Team)
		}
	}
	if len(slices.Compact(bodies)) != 1 {
		w.t.Errorf("the answers differ: %v", bodies)
	}
	if got := w.posts(); len(got) != 0 {
		w.t.Errorf("%d creations were forwarded", len(got))
	}
	if a := w.ask("ann", "POST", conversationsPath, startBody(map[string]any{"conversation_id": ids[3]})); a.status != http.StatusCreated {
		w.t.Errorf("its own team: %d %s, want 201", a.status, a.body)
	}
}

func TestReplicasShareOverdueReservations(t *testing.T) {
	t.Parallel()
	c := newCare(t, true)
	ids := c.leave("ann", 600)
	c.clock.ahead = time.Hour
	c.upstream.forget()
	counts := make([]int, 3)
	var replicas sync.WaitGroup
	for n := range counts {
		d := c.replica()
		replicas.Go(func() {
			var err error
			if counts[n], err = d.Reconcile(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	replicas.Wait()
	if sum := counts[0] + counts[1] + counts[2]; sum != len(ids) {
		t.Errorf("%v were settled, %d in all, want %d", counts, sum, len(ids))
	}
	c.wantSettled(ids)
	times, _ := c.asked()
	for _, id := range ids {
		if times[id.String()] != 1 {
			t.Fatalf("%s was asked for %d times, want once", id, times[id.String()])
		}
	}
}

func TestOneRunIsBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.gate["ann"]
	w.exec(w.db, `
		INSERT INTO conversations (id, team_id, state, lease_expires_at)
		SELECT gen_random_uuid(), $1, 'reserved', now()
		  FROM generate_series(1, 2100)`, p.CurrentTeam)
	w.clock.ahead = time.Hour
	for _, want := range []int{20 * 99, 2100 - 20*99, 0} {
		if n, err := w.dialect.Reconcile(context.Background()); n != want || err != nil {
			t.Errorf("settled %d, %v, want %d", n, err, want)
		}
	}
}

func TestWhileTheUpstreamIsAwayNothingIsSettled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.leave("ann", 150)
	w.clock.ahead = time.Hour
	w.upstream.script(func(rw http.ResponseWriter, _ *http.Request, _ []byte) bool { rw.WriteHeader(500); return true })
	if n, err := w.dialect.Reconcile(context.Background()); n != 0 || err == nil {
		t.Errorf("settled %d, %v", n, err)
	}
	for _, id := range ids {
		if got := w.state(id); got != access.StateReserved {
			t.Fatalf("state %d, want reserved", got)
		}
	}
	w.upstream.script(nil)
	w.clock.ahead += 61 * time.Second // claims hold for a minute
	if n, err := w.dialect.Reconcile(context.Background()); n != len(ids) || err != nil {
		t.Errorf("settled %d, %v, want %d", n, err, len(ids))
	}
	w.wantSettled(ids)
}
