package conversation_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestASecondFindMakesNoQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	known, other := w.make(Conversation{}), w.make(Conversation{})
	warm := func() { w.wantState(w.Service, known.ID, access.StateLive) }
	err := w.withoutQueries(warm, func(ctx context.Context) error {
		if _, err := w.Find(ctx, known.ID); err != nil {
			return err
		}
		seen, err := w.Visible(ctx, w.member(w.ada), []uuid.UUID{known.ID})
		if err == nil && !seen[known.ID] {
			t.Error("it is not visible")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = dbtest.Starved(w.t, w.db, func(ctx context.Context) error {
		_, err := w.Find(ctx, other.ID)
		return err
	})
	if err == nil {
		t.Error("a query was possible, so this test shows nothing")
	}
}

func TestWhatHasNoRowIsNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := uuid.New()
	w.wantState(w.Service, id, access.StateNone)
	w.exec(`INSERT INTO conversations (id, team_id, state) VALUES ($1, $2, 'live')`, id, w.ours) // nobody is told
	w.wantState(w.Service, id, access.StateLive)
}

func TestKnownIsWhatNoQueryIsNeededFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.make(Conversation{})
	fresh := New(w.db, Options{})
	if _, known := fresh.Known(c.ID); known {
		t.Error("it is known before anybody asked for it")
	}
	eventually(t, "it is known after a question", func() bool { // the bus is not fresh at every moment
		w.wantState(fresh, c.ID, access.StateLive)
		o, known := fresh.Known(c.ID)
		return known && o.ID == c.ID && o.Team == w.ours && o.State == access.StateLive
	})
	unknown := uuid.New()
	w.wantState(fresh, unknown, access.StateNone)
	if _, known := fresh.Known(unknown); known {
		t.Error("what has no row is known")
	}
}

func TestAnotherReplicaSeesAChangeWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	for name, disturb := range map[string]func(testing.TB, *postgres.DB){
		"listening":                func(testing.TB, *postgres.DB) {},
		"while its LISTEN was cut": dbtest.CutOff,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := dbtest.URL(t)
			here, there := dbtest.Open(t, url), dbtest.Open(t, url)
			near, far, quiet := New(here, Options{}), New(there, Options{}), New(there, Options{})
			w := &world{Service: near, t: t, db: here, ours: access.AnonymousTeam}
			c := w.make(Conversation{})
			w.wantState(far, c.ID, access.StateLive)
			w.wantState(quiet, c.ID, access.StateLive)

			disturb(t, there)
			w.must(near.Delete(t.Context(), c.ID, nil))
			w.wantState(near, c.ID, access.StateDeleted) // at once where it was done
			eventually(t, "the other replica knows that it is deleted", func() bool {
				o, err := far.Find(t.Context(), c.ID)
				return err == nil && o.State == access.StateDeleted
			})
			freshAgain(t, there)
			w.wantState(quiet, c.ID, access.StateDeleted)
		})
	}
}

func TestWithoutADatabaseTheAnswerIsUnavailable(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	db := dbtest.Open(t, cluster.URL())
	w := &world{Service: New(db, Options{}), t: t, db: db, ours: access.AnonymousTeam}
	c := w.make(Conversation{})
	w.wantState(w.Service, c.ID, access.StateLive)
	w.must(cluster.Stop())

	p := w.member(w.ada)
	_, err := w.Find(t.Context(), uuid.New())
	w.wantStatus(err, http.StatusServiceUnavailable)
	_, err = w.Get(t.Context(), c.ID)
	w.wantStatus(err, http.StatusServiceUnavailable)
	_, _, err = w.Page(t.Context(), p, w.ours, Query{})
	w.wantStatus(err, http.StatusServiceUnavailable)
	_, err = w.Count(t.Context(), p, w.ours)
	w.wantStatus(err, http.StatusServiceUnavailable)
	w.wantStatus(w.Reserve(t.Context(), c), http.StatusServiceUnavailable)
	w.wantStatus(w.Touch(t.Context(), c.ID), http.StatusServiceUnavailable)

	w.must(cluster.Start())
	testtime.Eventually(t, 30*time.Second, "it answers again", func() bool {
		o, err := w.Find(t.Context(), c.ID)
		return err == nil && o.State == access.StateLive
	})
}
