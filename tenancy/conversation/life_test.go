package conversation_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestAnIDWithoutARowIsNobodys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o, err := w.Find(t.Context(), uuid.New())
	if err != nil || o != (access.Object{}) {
		t.Errorf("%+v, %v", o, err)
	}
	_, err = w.Get(t.Context(), uuid.New())
	w.want(err, access.ErrHidden)
}

func TestTheLifeOfAConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := Conversation{ID: uuid.New(), Team: w.ours, Starter: w.ada, Title: "first", WorkingDir: "/ws/a/", Roots: []string{"/ws/b"}, Parent: uuid.New()}
	w.must(w.Reserve(t.Context(), c))
	w.wantState(w.Service, c.ID, access.StateReserved)
	w.must(w.Commit(t.Context(), c.ID, "second"))
	w.wantState(w.Service, c.ID, access.StateLive)

	got, err := w.Get(t.Context(), c.ID)
	w.must(err)
	want := c
	want.State, want.Title, want.WorkingDir = access.StateLive, "second", "/ws/a"
	want.CreatedAt, want.UpdatedAt = got.CreatedAt, got.UpdatedAt
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	w.must(w.Delete(t.Context(), c.ID, w.member(w.ada)))
	w.wantState(w.Service, c.ID, access.StateDeleted)
	w.must(w.Delete(t.Context(), c.ID, w.member(w.ada))) // once more is fine
}

func TestFindSaysWhatRightsNeed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.make(Conversation{Starter: w.ada, Private: true})
	for range 2 { // from the database, then from memory
		got, err := w.Find(t.Context(), c.ID)
		want := access.Object{ID: c.ID, Team: w.ours, Starter: w.ada, Private: true, State: access.StateLive}
		if err != nil || got != want {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestOfManyWhoReserveOneIDAtOnceExactlyOneWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	var won atomic.Int64
	var winner atomic.Value
	var all sync.WaitGroup
	for i := range 50 {
		team := []uuid.UUID{w.ours, w.theirs}[i%2]
		all.Go(func() {
			err := w.Reserve(t.Context(), Conversation{ID: id, Team: team})
			if err == nil {
				won.Add(1)
				winner.Store(team)
			} else if !errors.Is(err, ErrTaken) {
				t.Errorf("the losers get %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d won", won.Load())
	}
	if o, err := w.Find(t.Context(), id); err != nil || o.Team != winner.Load() {
		t.Errorf("it belongs to %v, %v", o.Team, err)
	}
}

// inEachState makes a conversation of our team in every state an id can have.
func inEachState(w *world, private bool) map[string]uuid.UUID {
	ids := map[string]uuid.UUID{}
	for _, state := range []string{"reserved", "live", "failed", "deleted"} {
		ids[state] = uuid.New()
		w.exec(`
			INSERT INTO conversations (id, team_id, starter_id, visibility, state)
			VALUES ($1, $2, $3, CASE WHEN $4::boolean THEN 'private' ELSE 'team' END, $5)`, ids[state], w.ours, w.ada, private, state)
	}
	return ids
}

func TestAnIDIsNeverFreedForAnotherTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for state, id := range inEachState(w, false) {
		err := w.Reserve(t.Context(), Conversation{ID: id, Team: w.theirs, Starter: w.ada})
		if !errors.Is(err, ErrTaken) {
			t.Errorf("%s: %v", state, err)
		}
		if o, err := w.Find(t.Context(), id); err != nil || o.Team != w.ours {
			t.Errorf("%s: now of %v, %v", state, o.Team, err)
		}
	}
}

func TestReservingOnesOwnID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := inEachState(w, false)
	for state, want := range map[string]error{"reserved": ErrTaken, "live": ErrExists, "failed": nil, "deleted": ErrTaken} {
		if err := w.Reserve(t.Context(), Conversation{ID: ids[state], Team: w.ours, Starter: w.bob}); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", state, err, want)
		}
	}
	w.wantState(w.Service, ids["failed"], access.StateReserved)
	if c, err := w.Get(t.Context(), ids["failed"]); err != nil || c.Starter != w.bob {
		t.Errorf("started by %v, %v", c.Starter, err)
	}
}

func TestAPrivateIDIsNotGivenAwayInsideTheTeam(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for state, id := range inEachState(w, true) {
		if err := w.Reserve(t.Context(), Conversation{ID: id, Team: w.ours, Starter: w.bob}); !errors.Is(err, ErrTaken) {
			t.Errorf("%s: another member gets %v", state, err)
		}
		want := map[string]error{"reserved": ErrTaken, "live": ErrExists, "failed": nil, "deleted": ErrTaken}[state]
		if err := w.Reserve(t.Context(), Conversation{ID: id, Team: w.ours, Starter: w.ada}); !errors.Is(err, want) {
			t.Errorf("%s: its starter gets %v, want %v", state, err, want)
		}
	}
}

func TestStatesGoOneWay(t *testing.T) {
	t.Parallel()
	changes := map[string]func(w *world, id uuid.UUID) error{
		"commit": func(w *world, id uuid.UUID) error { return w.Commit(t.Context(), id, "x") },
		"fail":   func(w *world, id uuid.UUID) error { return w.Fail(t.Context(), id) },
		"delete": func(w *world, id uuid.UUID) error { return w.Delete(t.Context(), id, w.member(w.ada)) },
		"rename": func(w *world, id uuid.UUID) error { return w.Rename(t.Context(), id, "x") },
	}
	for change, want := range map[string]map[string]error{
		"commit": {"reserved": nil, "live": nil, "failed": ErrState, "deleted": ErrState},
		"fail":   {"reserved": nil, "live": ErrState, "failed": nil, "deleted": ErrState},
		"delete": {"reserved": ErrState, "live": nil, "failed": nil, "deleted": nil},
		"rename": {"reserved": access.ErrHidden, "live": nil, "failed": access.ErrHidden, "deleted": access.ErrHidden},
	} {
		t.Run(change, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for state, id := range inEachState(w, false) {
				if err := changes[change](w, id); !errors.Is(err, want[state]) {
					t.Errorf("%s a %s one: got %v, want %v", change, state, err, want[state])
				}
			}
			w.want(changes[change](w, uuid.New()), access.ErrHidden)
		})
	}
}

func TestATitleIsStorableAndBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.make(Conversation{})
	w.must(w.Rename(t.Context(), c.ID, "a\x00b\xff"+strings.Repeat("ö", 600)))
	got, err := w.Get(t.Context(), c.ID)
	w.must(err)
	if want := "ab�" + strings.Repeat("ö", 497); got.Title != want {
		t.Errorf("title %q", got.Title)
	}
}

func TestATouchMovesTheTimeForwardOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, noon := uuid.New(), time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	w.put(id, noon, noon)
	now := noon
	s := New(w.db, Options{Now: func() time.Time { return now }})
	for _, step := range []struct{ now, want time.Time }{
		{noon.Add(500 * time.Millisecond), noon}, // a second has not gone by
		{noon.Add(5 * time.Second), noon.Add(5 * time.Second)},
		{noon.Add(-time.Hour), noon.Add(5 * time.Second)}, // a replica whose clock is late
	} {
		now = step.now
		w.must(s.Touch(t.Context(), id))
		if c, err := w.Get(t.Context(), id); err != nil || !c.UpdatedAt.Equal(step.want) {
			t.Errorf("touched at %v: %v, want %v (%v)", step.now, c.UpdatedAt, step.want, err)
		}
	}
	w.must(s.Touch(t.Context(), uuid.New())) // nobody's: nothing happens
}
