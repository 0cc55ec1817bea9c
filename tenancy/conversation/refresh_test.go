package conversation_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestARefreshTakesTheUpstreamsTimeAndTitle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := New(w.db, Options{Now: func() time.Time { return noon.Add(time.Hour) }})
	for name, c := range map[string]struct{ said, want Conversation }{
		"a later time":        {Conversation{UpdatedAt: noon.Add(time.Minute)}, Conversation{Title: "old", UpdatedAt: noon.Add(time.Minute)}},
		"an earlier time":     {Conversation{UpdatedAt: noon.Add(-time.Minute)}, Conversation{Title: "old", UpdatedAt: noon}},
		"no time":             {Conversation{}, Conversation{Title: "old", UpdatedAt: noon}},
		"a time to come":      {Conversation{UpdatedAt: noon.Add(48 * time.Hour)}, Conversation{Title: "old", UpdatedAt: noon.Add(time.Hour)}},
		"a title alone":       {Conversation{Title: `"new", {old}\`}, Conversation{Title: `"new", {old}\`, UpdatedAt: noon}},
		"a title with a time": {Conversation{Title: "new", UpdatedAt: noon.Add(time.Second)}, Conversation{Title: "new", UpdatedAt: noon.Add(time.Second)}},
	} {
		c.said.ID = uuid.New()
		w.put(c.said.ID, noon, noon)
		w.exec(`UPDATE conversations SET title = 'old' WHERE id = $1`, c.said.ID)
		w.must(s.Refresh(t.Context(), []Conversation{c.said, {ID: uuid.New(), Title: "nobody's"}}))
		got, err := w.Get(t.Context(), c.said.ID)
		w.must(err)
		if got.Title != c.want.Title || !got.UpdatedAt.Equal(c.want.UpdatedAt) {
			t.Errorf("%s: %q at %v, want %q at %v", name, got.Title, got.UpdatedAt, c.want.Title, c.want.UpdatedAt)
		}
	}
	w.must(s.Refresh(t.Context(), nil))
}

func TestARefreshChangesLiveRowsOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for state, id := range inEachState(w, false) {
		w.must(w.Refresh(t.Context(), []Conversation{{ID: id, Title: "said"}}))
		got, err := w.Get(t.Context(), id)
		w.must(err)
		if (got.Title == "said") != (state == "live") {
			t.Errorf("%s: the title is %q", state, got.Title)
		}
	}
}

// Rights do not change, so no replica needs to ask again.
func TestARefreshTellsNobody(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	w := worldOn(t, dbtest.Open(t, url))
	replica := dbtest.Open(t, url)
	var mu sync.Mutex
	heard := map[uuid.UUID]int{}
	replica.Bus.Subscribe(func(e postgres.Event) {
		mu.Lock()
		defer mu.Unlock()
		heard[e.ID]++
	})
	count := func(id uuid.UUID) int {
		mu.Lock()
		defer mu.Unlock()
		return heard[id]
	}
	c := w.make(Conversation{})
	w.must(w.Refresh(t.Context(), []Conversation{{ID: c.ID, Title: "said", UpdatedAt: time.Now()}}))
	after := w.make(Conversation{}) // what is told arrives in order
	eventually(t, "what came after is heard of", func() bool { return count(after.ID) == 2 })
	if n := count(c.ID); n != 2 {
		t.Errorf("told %d times, want twice: when it was reserved and when it was made", n)
	}
}

// Two that come in opposite orders would deadlock if each locked as it came: so the row with the lower id comes first, and
// whoever waits for it holds no other.
func TestARefreshLocksInTheOrderOfIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	low, high := uuid.MustParse("00000000-0000-4000-8000-000000000001"), uuid.MustParse("ffffffff-0000-4000-8000-000000000001")
	w.put(high, noon, noon)
	w.put(low, noon, noon)
	const lock = `SELECT id FROM conversations WHERE id = $1 FOR NO KEY UPDATE NOWAIT`
	for n, order := range [][]uuid.UUID{{low, high}, {high, low}} {
		tx, err := w.db.Beginx()
		w.must(err)
		_, err = tx.Exec(lock, low)
		w.must(err)
		done := make(chan error)
		go func() {
			done <- w.Refresh(t.Context(), []Conversation{{ID: order[0], Title: fmt.Sprint(n)}, {ID: order[1], Title: fmt.Sprint(n)}})
		}()
		eventually(t, "the refresh waits", func() bool {
			var waiting int
			w.must(w.db.Get(&waiting, `
				SELECT count(*)
				  FROM pg_stat_activity
				 WHERE datname = current_database() AND wait_event_type = 'Lock'`))
			return waiting == 1
		})
		if _, err := tx.Exec(lock, high); err != nil {
			t.Errorf("it holds the higher id: %v", err)
		}
		w.must(tx.Rollback())
		w.must(<-done)
	}
}
