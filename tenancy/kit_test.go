package tenancy_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const password = "correct horse battery"

// replica is what one instance of the program has of us.
type replica struct {
	*tenancy.Service
	t    *testing.T
	db   *postgres.DB
	auth *auth.Service
	keys *apikey.Service
	mode *tenancy.Anonymous
	gate *tenancy.Gate
}

func newReplica(t *testing.T, db *postgres.DB) *replica {
	t.Helper()
	r := &replica{Service: tenancy.New(db), t: t, db: db}
	r.keys = apikey.New(apikey.Config{DB: db, MayBind: r.MayBind})
	r.auth = auth.New(auth.Config{
		DB:           db,
		JWTSecret:    []byte("a secret of the tests, 32 bytes or more"),
		Registration: auth.RegistrationOpen,
		Hash:         auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
		Hooks:        auth.Hooks{UserCreated: r.CreatePersonal},
		Keys:         r.keys,
	})
	t.Cleanup(r.auth.Close)
	r.mode = tenancy.NewAnonymous(db, false, false)
	r.gate = tenancy.NewGate(r.auth, r.Service, r.mode, "openhands_session")
	return r
}

func newWorld(t *testing.T) *replica {
	t.Helper()
	return newReplica(t, dbtest.New(t))
}

// person is somebody with an account and an access token.
type person struct {
	auth.User
	credential access.Credential
}

func (r *replica) register(email, name string) person {
	r.t.Helper()
	registration := auth.Registration{Email: email, Password: password}
	if name != "" {
		registration.Name = &name
	}
	u, err := r.auth.Register(r.t.Context(), registration)
	r.must(err)
	token, err := r.auth.Login(r.t.Context(), email, password, auth.Client{})
	r.must(err)
	return person{User: u, credential: access.Credential{Form: access.FormBearer, Token: token.AccessToken}}
}

// principal is who r takes the person for, now.
func (r *replica) principal(who person) *access.Principal {
	r.t.Helper()
	caller, err := r.gate.Resolve(r.t.Context(), who.credential, "")
	r.must(err)
	return caller.Principal
}

// team makes a team that the person owns.
func (r *replica) team(owner person, name string) tenancy.Team {
	r.t.Helper()
	team, err := r.Create(r.t.Context(), r.principal(owner), name)
	r.must(err)
	return team
}

// join puts the person into the team with any role, owner included, as AddMember does not.
func (r *replica) join(team uuid.UUID, who person, role access.Role) {
	r.t.Helper()
	r.must(r.db.InTx(r.t.Context(), func(tx *postgres.Tx) error {
		_, err := tx.ExecContext(r.t.Context(), `
			INSERT INTO team_members (id, team_id, user_id, role)
			VALUES ($1, $2, $3, $4)`, uuid.New(), team, who.ID, role)
		if err != nil {
			return err
		}
		return tx.Notify(postgres.TopicUser, who.ID)
	}))
}

// leave ends a membership.
func (r *replica) leave(team uuid.UUID, who person) {
	r.t.Helper()
	r.must(r.db.InTx(r.t.Context(), func(tx *postgres.Tx) error {
		_, err := tx.ExecContext(r.t.Context(), `DELETE FROM team_members WHERE team_id = $1 AND user_id = $2`, team, who.ID)
		if err != nil {
			return err
		}
		return tx.Notify(postgres.TopicUser, who.ID)
	}))
}

// audited counts the lines of an action.
func (r *replica) audited(action string) int {
	r.t.Helper()
	var n int
	r.must(r.db.GetContext(r.t.Context(), &n, `SELECT count(*) FROM audit_log WHERE action = $1`, action))
	return n
}

func (r *replica) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *replica) want(got, wanted error) {
	r.t.Helper()
	if !errors.Is(got, wanted) {
		r.t.Errorf("got %v, want %v", got, wanted)
	}
}

func (r *replica) wantStatus(err error, status int) {
	r.t.Helper()
	if p, ok := errors.AsType[*problem.Error](err); !ok || p.Status != status {
		r.t.Errorf("got %v, want a problem with status %d", err, status)
	}
}

func (r *replica) withoutQueries(warm func(), f func(ctx context.Context) error) error {
	r.t.Helper()
	return dbtest.WithoutQueries(r.t, r.db, warm, f)
}

// request carries the person's token; who is nobody's zero value carries none.
func request(who person, team ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/conversations", nil)
	if who.credential.Token != "" {
		r.Header.Set("Authorization", "Bearer "+who.credential.Token)
	}
	if len(team) > 0 {
		r.Header["X-Team-Id"] = team
	}
	return r
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
