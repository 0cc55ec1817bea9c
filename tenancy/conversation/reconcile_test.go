package conversation_test

import (
	"context"
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
		claims, err := s.ClaimOverdue(t.Context(), limit)
		w.must(err)
		got := map[uuid.UUID]bool{}
		for _, c := range claims {
			if got[c.ID] = true; c.State != access.StateReserved || c.Team != w.ours {
				t.Errorf("claimed %+v", c)
			}
		}
		for _, id := range want {
			if !got[id] || len(got) != len(want) {
				t.Fatalf("claimed %v, want %v", got, want)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("claimed %v, want %v", got, want)
		}
	}
	overdue(10)
	now = noon.Add(time.Minute) // to the moment: not yet
	overdue(10)
	now = noon.Add(time.Minute + time.Second)
	overdue(10, early)
	overdue(10) // it is claimed
	now = noon.Add(time.Hour)
	overdue(1, late) // whose lease ran out before the claim
	overdue(10, early)
	now = now.Add(time.Minute + time.Second)
	overdue(10, early, late) // nobody said what became of them
	w.must(s.Fail(t.Context(), early))
	now = now.Add(2 * time.Minute)
	overdue(10, late)
	w.must(s.Reserve(t.Context(), Conversation{ID: early, Team: w.ours})) // a new lease
	overdue(10)
}

func TestAClaimOnAReservationIsEndedOnceByWhoHoldsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := noon
	s := New(w.db, Options{Lease: time.Minute, Now: func() time.Time { return now }})
	claim := func() Overdue {
		t.Helper()
		claims, err := s.ClaimOverdue(t.Context(), 10)
		w.must(err)
		if len(claims) != 1 {
			t.Fatalf("%d are claimed, want 1", len(claims))
		}
		return claims[0]
	}
	settle := func(o Overdue, made, want bool) {
		t.Helper()
		if settled, err := s.Settle(t.Context(), o, made, "told"); settled != want || err != nil {
			t.Errorf("settled %v (%v), want %v", settled, err, want)
		}
	}
	id := uuid.New()
	w.must(s.Reserve(t.Context(), Conversation{ID: id, Team: w.ours}))
	now = now.Add(2 * time.Minute)
	lost := claim()
	now = now.Add(2 * time.Minute)
	held := claim()
	settle(lost, false, false)
	w.wantState(s, id, access.StateReserved)
	settle(held, false, true)
	w.wantState(s, id, access.StateFailed)
	settle(held, true, false)

	now = now.Add(time.Second)
	w.must(s.Reserve(t.Context(), Conversation{ID: id, Team: w.ours})) // while it is made again, the old claims count for nothing
	settle(lost, false, false)
	settle(held, false, false)
	w.wantState(s, id, access.StateReserved)
	now = now.Add(2 * time.Minute)
	settle(claim(), true, true)
	w.wantState(s, id, access.StateLive)
	if c, err := s.Get(t.Context(), id); err != nil || c.Title != "told" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAClaimOnReservationsWaitsForNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := noon
	s := New(w.db, Options{Lease: time.Minute, Now: func() time.Time { return now }})
	held, free := uuid.New(), uuid.New()
	for _, id := range []uuid.UUID{held, free} {
		w.must(s.Reserve(t.Context(), Conversation{ID: id, Team: w.ours}))
	}
	now = noon.Add(time.Hour)
	other, err := w.db.BeginTxx(t.Context(), nil)
	w.must(err)
	defer func() { _ = other.Rollback() }()
	if _, err := other.ExecContext(t.Context(), `SELECT 1 FROM conversations WHERE id = $1 FOR UPDATE`, held); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	claims, err := s.ClaimOverdue(ctx, 10)
	if err != nil || len(claims) != 1 || claims[0].ID != free {
		t.Errorf("claimed %v, %v, want the free one", claims, err)
	}
}

func TestAFolderThatIsTooLongIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := "/ws/"
	for len(long) < 4000 {
		long += uuid.NewString() // which nothing can compress
	}
	w.wantStatus(w.Reserve(t.Context(), Conversation{ID: uuid.New(), Team: w.ours, WorkingDir: long}), http.StatusUnprocessableEntity)
	w.must(w.Reserve(t.Context(), Conversation{ID: uuid.New(), Team: w.ours, WorkingDir: long[:2000], Roots: []string{long[:1999], long}}))
	if n, err := w.Adopt(t.Context(), w.ours, []Conversation{{ID: uuid.New(), WorkingDir: long}}); n != 1 || err != nil {
		t.Errorf("adopted %d, %v", n, err)
	}
}

func TestNothingIsAdoptedIntoAFolderThatIsBeingRemoved(t *testing.T) {
	t.Parallel()
	c := newCare(t)
	c.dead("/ws/a/b")
	c.now = noon.Add(time.Hour)
	claimed := c.claims(1)
	found := []Conversation{{ID: uuid.New(), WorkingDir: "/ws/free"}, {ID: uuid.New(), WorkingDir: "/ws/a/b"}}
	n, err := c.Adopt(t.Context(), c.theirs, found)
	c.want(err, ErrCollecting)
	if n != 0 {
		t.Errorf("adopted %d", n)
	}
	c.must(c.Collected(t.Context(), claimed[0]))
	if n, err := c.Adopt(t.Context(), c.theirs, found); n != 2 || err != nil {
		t.Errorf("adopted %d, %v", n, err)
	}
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
