package apikey_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// world is one replica: keys, and the accounts that believe them.
type world struct {
	*apikey.Service
	t    *testing.T
	db   *postgres.DB
	auth *auth.Service
	now  *testtime.Clock
}

func newWorld(t *testing.T) *world { t.Helper(); return replica(t, dbtest.New(t), testtime.NewClock()) }

func replica(t *testing.T, db *postgres.DB, now *testtime.Clock) *world {
	t.Helper()
	w := &world{t: t, db: db, now: now}
	w.Service = apikey.New(apikey.Config{DB: db, Now: now.Now, MayBind: w.mayBind})
	w.auth = auth.New(auth.Config{
		DB: db, JWTSecret: []byte("0123456789abcdef0123456789abcdef"), Registration: auth.RegistrationOpen,
		Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}, Keys: w.Service, Now: now.Now,
	})
	t.Cleanup(w.auth.Close)
	return w
}

// mayBind lets keys be bound to teams that the user is a member of, as those do who know teams.
func (w *world) mayBind(ctx context.Context, tx *postgres.Tx, user, team uuid.UUID) error {
	var member bool
	err := tx.GetContext(ctx, &member, `SELECT EXISTS (SELECT 1 FROM team_members WHERE user_id = $1 AND team_id = $2)`, user, team)
	if err == nil && !member {
		err = problem.NotFound
	}
	return err
}

func (w *world) user(email string) auth.User {
	w.t.Helper()
	u, err := w.auth.Register(w.t.Context(), auth.Registration{Email: email, Password: "correct horse"})
	w.must(err)
	return u
}

// team makes one that the user is a member of.
func (w *world) team(u auth.User) *uuid.UUID {
	w.t.Helper()
	id := uuid.New()
	w.execute(`INSERT INTO teams (id, name) VALUES ($1, 'Engines')`, id)
	w.execute(`INSERT INTO team_members (id, team_id, user_id, role) VALUES ($1, $2, $3, 'owner')`, uuid.New(), id, u.ID)
	return &id
}

func of(u auth.User) apikey.Act { return apikey.Act{Owner: u.ID, ActorID: u.ID, Actor: u.Email} }

func (w *world) key(u auth.User, d apikey.Draft) apikey.Created {
	w.t.Helper()
	if d.Name == "" {
		d.Name = "laptop"
	}
	made, err := w.Create(w.t.Context(), of(u), d)
	w.must(err)
	return made
}

func (w *world) identify(secret string) (auth.Identity, error) {
	return w.auth.Authenticate(w.t.Context(), access.Credential{Form: access.FormKey, Token: secret})
}

// works and fails say whether a key is accepted.
func (w *world) works(secret string) auth.Identity {
	w.t.Helper()
	id, err := w.identify(secret)
	w.must(err)
	return id
}

func (w *world) fails(secret string) {
	w.t.Helper()
	if _, err := w.identify(secret); problem.Of(err).Status != 401 {
		w.t.Errorf("got %v, want 401", err)
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refused(err error, status int) {
	w.t.Helper()
	if err == nil || problem.Of(err).Status != status {
		w.t.Errorf("got %v, want %d", err, status)
	}
}

func (w *world) execute(query string, args ...any) {
	w.t.Helper()
	_, err := w.db.ExecContext(w.t.Context(), query, args...)
	w.must(err)
}

func one[T any](w *world, query string, args ...any) (value T) {
	w.t.Helper()
	w.must(w.db.GetContext(w.t.Context(), &value, query, args...))
	return value
}
