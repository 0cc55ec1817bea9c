package conversation_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func (w *world) inTx(work func(tx *postgres.Tx) error) {
	w.t.Helper()
	w.must(w.db.InTx(w.t.Context(), work))
}

func TestTheConversationsOfATeamThatGoesEndAndTheirIdsStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	private, public, other := w.make(Conversation{Starter: w.ada, Private: true, Title: "mine"}), w.make(Conversation{Title: "ours"}), w.make(Conversation{Team: w.theirs})
	reserved := Conversation{ID: uuid.New(), Team: w.ours}
	w.must(w.Reserve(t.Context(), reserved))
	w.wantState(w.Service, public.ID, access.StateLive) // remembered
	w.inTx(func(tx *postgres.Tx) error { return w.EndTeam(t.Context(), tx, w.ours) })
	for _, c := range []Conversation{private, public, reserved} {
		w.wantState(w.Service, c.ID, access.StateDeleted)
		w.want(w.Reserve(t.Context(), Conversation{ID: c.ID, Team: w.theirs}), ErrTaken)
		kept, err := w.Get(t.Context(), c.ID)
		w.must(err)
		if kept.Team != w.ours || kept.Title != "" {
			t.Errorf("%+v", kept)
		}
	}
	w.want(w.Commit(t.Context(), reserved.ID, ""), ErrState) // a create that was on its way
	w.wantState(w.Service, other.ID, access.StateLive)
	orphans, err := w.Orphans(t.Context(), 10)
	w.must(err)
	if len(orphans) != 2 || slices.Contains(orphans, other.ID) || slices.Contains(orphans, reserved.ID) {
		t.Errorf("the upstream is to be told of %v now; of what is just being made, later", orphans)
	}
	later := New(w.db, Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if orphans, err = later.Orphans(t.Context(), 10); err != nil || len(orphans) != 3 {
		t.Errorf("later: %v, %v", orphans, err)
	}
}

func TestOnlyWhatWasPrivateEndsWithItsStarter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	private, shared, others := w.make(Conversation{Starter: w.ada, Private: true}), w.make(Conversation{Starter: w.ada}), w.make(Conversation{Starter: w.bob, Private: true})
	w.inTx(func(tx *postgres.Tx) error { return w.EndPrivate(t.Context(), tx, w.ada) })
	w.wantState(w.Service, private.ID, access.StateDeleted)
	w.wantState(w.Service, shared.ID, access.StateLive)
	w.wantState(w.Service, others.ID, access.StateLive)
	w.exec(`DELETE FROM users WHERE id = $1`, w.ada)
	kept, err := w.Get(t.Context(), shared.ID)
	w.must(err)
	if kept.Starter != uuid.Nil || kept.State != access.StateLive {
		t.Errorf("%+v", kept)
	}
}

// More than are told one by one: every cache forgets all it knows.
func TestAlsoManyAreForgottenAtOnceByEveryReplica(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	there := New(w.db, Options{})
	all := make([]uuid.UUID, 60)
	for i := range all {
		all[i] = w.make(Conversation{}).ID
		w.wantState(there, all[i], access.StateLive)
	}
	w.inTx(func(tx *postgres.Tx) error { return w.EndTeam(t.Context(), tx, w.ours) })
	for _, id := range all {
		w.wantState(there, id, access.StateDeleted)
	}
}

func TestWhatTheUpstreamWasToldIsAskedNoMoreAndWhatItRefusedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		w.make(Conversation{})
	}
	w.inTx(func(tx *postgres.Tx) error { return w.EndTeam(t.Context(), tx, w.ours) })
	first, err := w.Orphans(t.Context(), 1)
	w.must(err)
	w.must(w.Told(t.Context(), first[0], true))
	second, err := w.Orphans(t.Context(), 1)
	w.must(err)
	if second[0] == first[0] {
		t.Error("what was refused is asked again at once")
	}
	w.must(w.Told(t.Context(), second[0], false))
	later := New(w.db, Options{Now: func() time.Time { return time.Now().Add(time.Hour) }})
	if left, err := later.Orphans(t.Context(), 10); err != nil || len(left) != 1 || left[0] != first[0] {
		t.Errorf("%v, %v", left, err)
	}
}

func TestWhatAUserStartedIsListedInPagesWithoutWhatIsDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[uuid.UUID]bool{}
	for range 5 {
		want[w.make(Conversation{Starter: w.ada}).ID] = true
	}
	w.make(Conversation{Starter: w.bob})
	gone := w.make(Conversation{Starter: w.ada})
	w.must(w.Delete(t.Context(), gone.ID, nil))
	after, seen := uuid.Nil, 0
	for {
		page, err := w.StartedBy(t.Context(), w.ada, after, 2)
		w.must(err)
		for _, c := range page {
			if !want[c.ID] {
				t.Errorf("%+v", c)
			}
			after, seen = c.ID, seen+1
		}
		if len(page) < 2 {
			break
		}
	}
	if seen != len(want) {
		t.Errorf("%d of %d", seen, len(want))
	}
}
