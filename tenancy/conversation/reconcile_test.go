package conversation_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestAReservationIsOverdueOnlyAfterItsLease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := noon
	s := New(w.db, Options{Lease: time.Minute, Now: func() time.Time { return now }})
	early, late, done := uuid.New(), uuid.New(), uuid.New()
	w.must(s.Reserve(t.Context(), Conversation{ID: early, Team: w.ours, Title: "kept"}))
	now = now.Add(10 * time.Second)
	for _, id := range []uuid.UUID{late, done} {
		w.must(s.Reserve(t.Context(), Conversation{ID: id, Team: w.ours}))
	}
	w.must(s.Commit(t.Context(), done, ""))

	overdue := func(limit int, want ...uuid.UUID) {
		t.Helper()
		list, err := s.Overdue(t.Context(), limit)
		w.must(err)
		if len(list) != len(want) {
			t.Fatalf("%d are overdue, want %d", len(list), len(want))
		}
		for i, c := range list {
			if c.ID != want[i] || c.State != access.StateReserved || c.Team != w.ours {
				t.Errorf("%d: %+v, want %s", i, c, want[i])
			}
		}
	}
	overdue(10)
	now = noon.Add(time.Minute) // to the moment: not yet
	overdue(10)
	now = noon.Add(time.Minute + time.Second)
	overdue(10, early)
	now = noon.Add(time.Hour)
	overdue(10, early, late)
	overdue(1, early)
	w.must(s.Fail(t.Context(), early))
	overdue(10, late)
	w.must(s.Reserve(t.Context(), Conversation{ID: early, Team: w.ours})) // a new lease
	overdue(10, late)
}

func TestAdoptTakesOnlyWhatIsNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	taken := inEachState(w, false)
	found := []Conversation{{ID: uuid.New(), Title: "old", WorkingDir: "/old", CreatedAt: noon, UpdatedAt: noon.Add(time.Hour)}, {ID: uuid.New()}}
	for _, id := range taken {
		found = append(found, Conversation{ID: id})
	}
	for _, want := range []int{2, 0} {
		if n, err := w.Adopt(t.Context(), w.theirs, found); n != want || err != nil {
			t.Errorf("adopted %d, want %d (%v)", n, want, err)
		}
	}
	c, err := w.Get(t.Context(), found[0].ID)
	w.must(err)
	if c.Team != w.theirs || c.State != access.StateLive || c.Starter != uuid.Nil || c.Private || c.Title != "old" ||
		c.WorkingDir != "/old" || !c.CreatedAt.Equal(noon) || !c.UpdatedAt.Equal(noon.Add(time.Hour)) {
		t.Errorf("got %+v", c)
	}
	for state, id := range taken {
		if o, err := w.Find(t.Context(), id); err != nil || o.Team != w.ours {
			t.Errorf("%s: now of %v, %v", state, o.Team, err)
		}
	}
	var lines int
	w.must(w.db.GetContext(t.Context(), &lines, `
		SELECT count(*)
		  FROM audit_log
		 WHERE action = 'conversation.adopt' AND team_id = $1 AND detail = '{"count": 2}'`, w.theirs))
	if lines != 1 {
		t.Errorf("%d audit lines", lines)
	}
}

func TestAdoptForATeamThatDoesNotExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Adopt(t.Context(), uuid.New(), []Conversation{{ID: uuid.New()}})
	w.wantStatus(err, http.StatusNotFound)
}
