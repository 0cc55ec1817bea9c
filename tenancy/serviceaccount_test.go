package tenancy_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

func (r *replica) services() *tenancy.ServiceAccounts {
	return tenancy.NewServiceAccounts(r.db, r.keys)
}

// robot makes a service account, and gives it as who holds a new key of it.
func (r *replica) robot(by person, team uuid.UUID, role access.Role, scopes ...string) (tenancy.ServiceAccount, person) {
	r.t.Helper()
	a, err := r.services().Create(r.t.Context(), r.principal(by), team, "deploy", role)
	r.must(err)
	keys, act, err := r.services().Keys(r.t.Context(), r.principal(by), team, a.ID)
	r.must(err)
	made, err := keys.Create(r.t.Context(), act, apikey.Draft{Name: "ci", Scopes: scopes})
	r.must(err)
	return a, person{User: auth.User{ID: a.ID}, credential: access.Credential{Form: access.FormKey, Token: made.Secret}}
}

func TestAServiceAccountActsInItsTeamAloneWithItsRole(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team, other := r.team(ada, "Engines"), r.team(ada, "Others")
	a, robot := r.robot(ada, team.ID, access.Developer, "admin")
	p := r.principal(robot)
	if p.User != a.ID || p.Bound != team.ID || p.CurrentTeam != team.ID || len(p.Memberships) != 1 || p.Superuser || !p.Key {
		t.Errorf("got %+v", p)
	}
	r.must(p.In(team.ID, access.ConversationWrite))
	r.want(p.In(team.ID, access.SettingsTeam), access.ErrForbidden)
	r.want(p.In(other.ID, access.TeamRead), access.ErrHidden)
	r.want(r.resolves(robot, other.ID.String()), access.ErrHidden)
	_, err := r.Create(t.Context(), p, "New")
	r.want(err, access.ErrBound)
	if n := r.audited("service-account.create"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestAServiceAccountIsNobodyWhoSignsInOrCanBeAdded(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team, other := r.team(ada, "Engines"), r.team(ada, "Others")
	a, _ := r.robot(ada, team.ID, access.Viewer)
	var address string
	r.must(r.db.GetContext(t.Context(), &address, `SELECT email FROM users WHERE id = $1`, a.ID))
	_, err := r.db.ExecContext(t.Context(), `UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = $1) WHERE id = $2`, ada.ID, a.ID)
	r.must(err)
	if _, err := r.auth.Login(t.Context(), address, password, auth.Client{}); problem.Of(err).Detail != "LOGIN_BAD_CREDENTIALS" {
		t.Errorf("it signs in: %v", err)
	}
	if _, err := r.auth.GrantToken(t.Context(), auth.SignIn{User: a.ID, Method: "password"}); err == nil {
		t.Error("it gets a session")
	}
	if _, found, err := r.auth.FindByEmail(t.Context(), address); found || err != nil {
		t.Errorf("it is found by its address: %v", err)
	}
	_, err = r.db.ExecContext(t.Context(), `UPDATE users SET email = 'robot@example.com', email_key = 'robot@example.com' WHERE id = $1`, a.ID)
	r.must(err)
	_, err = r.AddMember(t.Context(), r.principal(ada), other.ID, "robot@example.com", "")
	r.want(err, tenancy.ErrNoUser)
}

func TestServiceAccountsAreManagedFromAboveTheirOwnRank(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob, dev, eve := r.register("ada@example.com", ""), r.register("bob@example.com", ""), r.register("dev@example.com", ""), r.register("eve@example.com", "")
	team := r.team(ada, "Engines")
	r.join(team.ID, bob, access.Admin)
	r.join(team.ID, dev, access.Developer)
	s := r.services()
	high, _ := r.robot(ada, team.ID, access.Admin)
	low, _ := r.robot(bob, team.ID, access.Developer)
	for name, c := range map[string]struct {
		who  person
		role access.Role
		want error
	}{
		"an admin makes no admin":      {bob, access.Admin, tenancy.ErrRank},
		"a developer makes none":       {dev, access.Viewer, access.ErrForbidden},
		"a stranger learns of nothing": {eve, access.Viewer, access.ErrHidden},
	} {
		_, err := s.Create(t.Context(), r.principal(c.who), team.ID, name, c.role)
		r.want(err, c.want)
	}
	_, err := s.Create(t.Context(), r.principal(ada), team.ID, "x", access.Owner)
	r.wantStatus(err, http.StatusUnprocessableEntity)
	_, err = s.Create(t.Context(), r.principal(ada), team.ID, " ", access.Viewer)
	r.wantStatus(err, http.StatusUnprocessableEntity)

	r.want(s.Delete(t.Context(), r.principal(bob), team.ID, high.ID), tenancy.ErrRank)
	r.want(s.Delete(t.Context(), r.principal(dev), team.ID, low.ID), access.ErrForbidden)
	r.want(s.Delete(t.Context(), r.principal(eve), team.ID, low.ID), access.ErrHidden)
	keys, act, err := s.Keys(t.Context(), r.principal(bob), team.ID, high.ID)
	r.must(err)
	_, err = keys.Create(t.Context(), act, apikey.Draft{Name: "x"})
	r.want(err, tenancy.ErrRank)
	for _, who := range []person{dev, eve} {
		_, _, err = s.Keys(t.Context(), r.principal(who), team.ID, low.ID)
		if err == nil {
			t.Error("somebody else manages its keys")
		}
		if _, err := s.List(t.Context(), r.principal(who), team.ID); err == nil {
			t.Error("somebody else sees it")
		}
	}
	mine := r.team(eve, "Eve's")
	for _, id := range []uuid.UUID{low.ID, uuid.New(), eve.ID} {
		r.wantStatus(s.Delete(t.Context(), r.principal(eve), mine.ID, id), http.StatusNotFound)
		_, _, err = s.Keys(t.Context(), r.principal(eve), mine.ID, id)
		r.wantStatus(err, http.StatusNotFound)
	}
	listed, err := s.List(t.Context(), r.principal(bob), team.ID)
	r.must(err)
	if len(listed) != 2 || listed[0].ID != high.ID || listed[0].Role != access.Admin || listed[1].ID != low.ID || *listed[1].CreatedBy != bob.ID {
		t.Errorf("%+v", listed)
	}
}

func TestAKeyManagesServiceAccountsInTheHighestScopeOnly(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	a, _ := r.robot(ada, team.ID, access.Viewer)
	writes, _ := r.withKey(ada, apikey.Draft{})
	_, err := r.services().Create(t.Context(), r.principal(writes), team.ID, "x", access.Viewer)
	r.want(err, access.ErrScope)
	_, _, err = r.services().Keys(t.Context(), r.principal(writes), team.ID, a.ID)
	r.want(err, access.ErrScope)
	r.want(r.services().Delete(t.Context(), r.principal(writes), team.ID, a.ID), access.ErrScope)
	administers, _ := r.withKey(ada, apikey.Draft{Scopes: []string{"admin"}})
	r.must(r.services().Delete(t.Context(), r.principal(administers), team.ID, a.ID))
}

func TestAKeyOfAServiceAccountIsBoundToItsTeam(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team, other := r.team(ada, "Engines"), r.team(ada, "Others")
	a, _ := r.robot(ada, team.ID, access.Viewer)
	keys, act, err := r.services().Keys(t.Context(), r.principal(ada), team.ID, a.ID)
	r.must(err)
	_, err = keys.Create(t.Context(), act, apikey.Draft{Name: "x", TeamID: &other.ID})
	r.wantStatus(err, http.StatusNotFound)
	page, err := keys.List(t.Context(), a.ID, apikey.Window{Limit: 10})
	r.must(err)
	for _, k := range page.Items {
		if k.TeamID == nil || *k.TeamID != team.ID {
			t.Errorf("%+v", k)
		}
	}
	var lines int
	r.must(r.db.GetContext(t.Context(), &lines, `SELECT count(*) FROM audit_log WHERE action = 'key.create' AND team_id = $1 AND actor_id = $2`, team.ID, ada.ID))
	if lines != 1 {
		t.Errorf("%d lines", lines)
	}
}

func TestADeletedServiceAccountIsOutEverywhereWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	here, there := newReplica(t, dbtest.Open(t, url)), newReplica(t, dbtest.Open(t, url))
	ada := here.register("ada@example.com", "")
	team := here.team(ada, "Engines")
	a, robot := here.robot(ada, team.ID, access.Developer)
	for _, r := range []*replica{here, there} {
		r.must(r.resolves(robot, "")) // so that it is remembered
	}
	var told atomic.Bool
	here.db.Bus.Subscribe(func(e postgres.Event) {
		if e == (postgres.Event{Topic: postgres.TopicUser, ID: a.ID}) {
			told.Store(true)
		}
	})
	here.must(here.services().Delete(t.Context(), here.principal(ada), team.ID, a.ID))
	if !told.Load() {
		t.Error("nobody is told")
	}
	out := func(r *replica) bool { return problem.Of(r.resolves(robot, "")).Status == http.StatusUnauthorized }
	if !out(here) {
		t.Error("it is still taken where it was deleted")
	}
	eventually(t, "the other replica refuses it", func() bool { return out(there) })
	var left int
	here.must(here.db.GetContext(t.Context(), &left, `
		SELECT (SELECT count(*) FROM api_keys) + (SELECT count(*) FROM service_accounts) + (SELECT count(*) FROM users WHERE kind = 'service')`))
	if left != 0 {
		t.Errorf("%d rows are left", left)
	}
}

func TestATeamHasSoManyServiceAccountsAndNoMore(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	_, err := r.db.ExecContext(t.Context(), `
		WITH made AS (
			INSERT INTO users (id, kind, email, email_key, password_hash)
			SELECT gen_random_uuid(), 'service', n || '@service.invalid', n || '@service.invalid', ''
			FROM generate_series(1, 97) n
			RETURNING id)
		INSERT INTO service_accounts (user_id, team_id, name, created_at) SELECT id, $1, 'one', now() FROM made`, team.ID)
	r.must(err)
	p := r.principal(ada)
	var made atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, err := r.services().Create(context.WithoutCancel(t.Context()), p, team.ID, "x", ""); err == nil {
				made.Add(1)
			} else if problem.Of(err).Status != http.StatusBadRequest {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 3 {
		t.Errorf("%d were made, want 3", made.Load())
	}
}

func TestServiceAccountsWithoutATeamAreDeleted(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	gone, kept := r.team(ada, "Engines"), r.team(ada, "Others")
	r.robot(ada, gone.ID, access.Developer)
	_, robot := r.robot(ada, kept.ID, access.Developer)
	_, err := r.db.ExecContext(t.Context(), `DELETE FROM teams WHERE id = $1`, gone.ID)
	r.must(err)
	n, err := r.services().Purge(t.Context())
	r.must(err)
	if n != 1 {
		t.Errorf("%d were deleted", n)
	}
	r.must(r.resolves(robot, ""))
}

// What a superuser made who entered for an hour would outlast the hour.
func TestASuperuserWhoEnteredMakesNoServiceAccountsAndNoKeys(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, root := r.register("ada@example.com", ""), r.superuser("root@example.com")
	team := r.team(ada, "Engines")
	a, robot := r.robot(ada, team.ID, access.Viewer)
	_, err := r.Enter(t.Context(), r.principal(root), team.ID, reason)
	r.must(err)
	inside := r.principal(root)
	if list, err := r.services().List(t.Context(), inside, team.ID); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	_, err = r.services().Create(t.Context(), inside, team.ID, "x", access.Viewer)
	r.want(err, access.ErrForbidden)
	r.want(r.services().Delete(t.Context(), inside, team.ID, a.ID), access.ErrForbidden)
	keys, act, err := r.services().Keys(t.Context(), inside, team.ID, a.ID)
	r.must(err)
	_, err = keys.Create(t.Context(), act, apikey.Draft{Name: "x"})
	r.want(err, access.ErrForbidden)
	_, err = r.keys.Create(t.Context(), apikey.Act{Owner: root.ID, ActorID: root.ID}, apikey.Draft{Name: "x", TeamID: &team.ID})
	r.wantStatus(err, http.StatusNotFound)
	r.must(r.resolves(robot, ""))
}
