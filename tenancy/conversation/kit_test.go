package conversation_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is one database with two teams, and a service of one replica.
type world struct {
	*Service
	t            *testing.T
	db           *postgres.DB
	ours, theirs uuid.UUID
	ada, bob     uuid.UUID // both of our team
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return worldOn(t, dbtest.New(t))
}

func worldOn(t *testing.T, db *postgres.DB) *world {
	t.Helper()
	w := &world{Service: New(db, Options{}), t: t, db: db, ours: uuid.New(), theirs: uuid.New(), ada: uuid.New(), bob: uuid.New()}
	for _, team := range []uuid.UUID{w.ours, w.theirs} {
		w.exec(`INSERT INTO teams (id, name) VALUES ($1, 'Some Team')`, team)
	}
	for _, user := range []uuid.UUID{w.ada, w.bob} {
		w.exec(`INSERT INTO users (id, email, email_key, password_hash) VALUES ($1, $2, $2, '')`, user, user.String())
	}
	return w
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), query, args...); err != nil {
		w.t.Fatal(err)
	}
}

// member is a developer of our team.
func (w *world) member(user uuid.UUID) *access.Principal {
	return &access.Principal{User: user, Memberships: []access.Membership{{Team: w.ours, Role: access.Developer}}}
}

// stranger is a member of the other team only.
func (w *world) stranger() *access.Principal {
	return &access.Principal{User: w.ada, Memberships: []access.Membership{{Team: w.theirs, Role: access.Owner}}}
}

// make reserves and commits a conversation of our team.
func (w *world) make(c Conversation) Conversation {
	w.t.Helper()
	c.ID = uuid.New()
	if c.Team == uuid.Nil {
		c.Team = w.ours
	}
	w.must(w.Reserve(w.t.Context(), c))
	w.must(w.Commit(w.t.Context(), c.ID, ""))
	return c
}

// put writes a live row of our team with times of its own.
func (w *world) put(id uuid.UUID, created, updated time.Time) {
	w.t.Helper()
	w.exec(`
		INSERT INTO conversations (id, team_id, starter_id, state, created_at, updated_at)
		VALUES ($1, $2, $3, 'live', $4, $5)`, id, w.ours, w.ada, created, updated)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(got, wanted error) {
	w.t.Helper()
	if !errors.Is(got, wanted) {
		w.t.Errorf("got %v, want %v", got, wanted)
	}
}

func (w *world) wantState(s *Service, id uuid.UUID, wanted access.State) {
	w.t.Helper()
	o, err := s.Find(w.t.Context(), id)
	w.must(err)
	if o.State != wanted {
		w.t.Errorf("state %d, want %d", o.State, wanted)
	}
}

// wantStatus checks that err is a problem with that status.
func (w *world) wantStatus(err error, status int) {
	w.t.Helper()
	if p, ok := errors.AsType[*problem.Error](err); !ok || p.Status != status {
		w.t.Errorf("got %v, want a problem with status %d", err, status)
	}
}

func (w *world) withoutQueries(warm func(), f func(ctx context.Context) error) error {
	w.t.Helper()
	return dbtest.WithoutQueries(w.t, w.db, warm, f)
}

// eventually waits for what must be so within two seconds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	testtime.Eventually(t, 2*time.Second, what, holds)
}

// freshAgain waits until db trusts what it hears. What was remembered and not asked for meanwhile is then as the events left it:
// to ask earlier would read the truth, and correct the memory.
func freshAgain(t *testing.T, db *postgres.DB) {
	t.Helper()
	testtime.Eventually(t, 30*time.Second, "the bus is fresh", db.Bus.Fresh)
}
