package tenancy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

const reason = "ticket 4711: settings are broken"

func problemStatus(err error) int { return problem.Of(err).Status }

// newTimedReplica is newReplica with a clock, and with the hooks between accounts and entries.
func newTimedReplica(t *testing.T, db *postgres.DB, now *testtime.Clock) *replica {
	t.Helper()
	r := &replica{Service: tenancy.New(db, tenancy.Options{Now: now.Now}), t: t, db: db}
	r.auth = auth.New(auth.Config{
		DB: db, JWTSecret: []byte("a secret of the tests, 32 bytes or more"), Registration: auth.RegistrationOpen,
		JWTLifetime: 24 * time.Hour, Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
		Hooks: auth.Hooks{UserCreated: r.CreatePersonal, SuperuserEnded: r.EndEntries, Ended: r.EndEntries},
	})
	t.Cleanup(r.auth.Close)
	r.mode = tenancy.NewAnonymous(db, false, false)
	r.gate = tenancy.NewGate(r.auth, r.Service, r.mode, "openhands_session")
	return r
}

func newTimedWorld(t *testing.T) (*replica, *testtime.Clock) {
	t.Helper()
	now := testtime.NewClock()
	return newTimedReplica(t, dbtest.New(t), now), now
}

// signIn is another session of the person.
func (r *replica) signIn(who person) person {
	r.t.Helper()
	token, err := r.auth.Login(r.t.Context(), who.Email, password, auth.Client{})
	r.must(err)
	who.credential.Token = token.AccessToken
	return who
}

func (r *replica) superuser(email string) person {
	r.t.Helper()
	who := r.register(email, "")
	if _, err := r.auth.SetSuperuser(r.t.Context(), auth.CommandLine(), who.ID, true); err != nil {
		r.t.Fatal(err)
	}
	return who
}

func (r *replica) isIn(who person, team uuid.UUID) bool {
	r.t.Helper()
	caller, err := r.gate.Resolve(r.t.Context(), who.credential, "")
	if err != nil {
		return false
	}
	_, in := caller.Principal.RoleIn(team)
	return in
}

func TestASuperuserIsInATeamOnlyAfterEnteringForAnHourInThatSession(t *testing.T) {
	t.Parallel()
	r, now := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	team := r.team(owner, "Ours").ID
	_, err := r.Team(t.Context(), r.principal(root), team)
	r.want(err, access.ErrHidden)
	_, err = r.gate.Identify(request(root, team.String()))
	r.want(err, access.ErrHidden)

	other := r.signIn(root)
	entry, err := r.Enter(t.Context(), r.principal(root), team, "  "+reason+" ")
	r.must(err)
	if entry.Reason != reason || !entry.ExpiresAt.Equal(now.Now().Add(time.Hour)) || entry.UserEmail != "root@example.com" {
		t.Errorf("%+v", entry)
	}
	p := r.principal(root)
	if role, in := p.RoleIn(team); !in || role != access.Admin {
		t.Errorf("inside as %q", role)
	}
	r.must(p.In(team, access.SettingsTeam))
	r.want(p.In(team, access.TeamDelete), access.ErrForbidden)
	private := access.Object{ID: uuid.New(), Team: team, Starter: owner.ID, Private: true, State: access.StateLive}
	r.want(p.On(private, access.ConversationRead), access.ErrHidden)
	caller, err := r.gate.Identify(request(root, team.String()))
	r.must(err)
	if caller.Principal.CurrentTeam != team {
		t.Error("the header does not choose the team")
	}
	if r.isIn(other, team) {
		t.Error("another session of the same superuser is inside, too")
	}
	_, err = r.Enter(t.Context(), p, team, reason)
	r.want(err, tenancy.ErrInside)

	now.Advance(time.Hour - time.Second)
	if !r.isIn(root, team) {
		t.Error("out before the hour is over")
	}
	now.Advance(time.Second)
	if r.isIn(root, team) {
		t.Error("inside after the hour")
	}
	if n := r.audited("team.enter"); n != 1 {
		t.Errorf("%d lines", n)
	}
}

func TestLeavingEndsTheStayOnEveryReplica(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	now := testtime.NewClock()
	here, there := newTimedReplica(t, dbtest.Open(t, url), now), newTimedReplica(t, dbtest.Open(t, url), now)
	owner, root := here.register("owner@example.com", ""), here.superuser("root@example.com")
	team := here.team(owner, "Ours").ID
	_, err := here.Enter(t.Context(), here.principal(root), team, reason)
	here.must(err)
	eventually(t, "the other replica lets in", func() bool { return there.isIn(root, team) })
	here.must(here.Leave(t.Context(), here.principal(root), team))
	here.must(here.Leave(t.Context(), here.principal(root), team))
	if here.isIn(root, team) {
		t.Error("still inside where they left")
	}
	eventually(t, "the other replica follows", func() bool { return !there.isIn(root, team) })
	if n := here.audited("team.leave-entered"); n != 1 {
		t.Errorf("%d lines about leaving once", n)
	}
}

func TestWhoIsNoSuperuserAnyMoreIsOutAndDoesNotComeBackByPromotion(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(r *replica, root person) error{
		"demoted": func(r *replica, root person) error {
			_, err := r.auth.SetSuperuser(r.t.Context(), auth.CommandLine(), root.ID, false)
			return err
		},
		"suspended": func(r *replica, root person) error {
			_, err := r.auth.Suspend(r.t.Context(), auth.CommandLine(), root.ID)
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r, _ := newTimedWorld(t)
			owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
			r.superuser("other@example.com")
			team := r.team(owner, "Ours").ID
			_, err := r.Enter(t.Context(), r.principal(root), team, reason)
			r.must(err)
			r.must(end(r, root))
			if r.isIn(root, team) {
				t.Error("still inside")
			}
			_, err = r.auth.Reactivate(t.Context(), auth.CommandLine(), root.ID)
			r.must(err)
			_, err = r.auth.SetSuperuser(t.Context(), auth.CommandLine(), root.ID, true)
			r.must(err)
			if r.isIn(root, team) || r.isIn(r.signIn(root), team) {
				t.Error("inside again with the rights")
			}
		})
	}
}

func TestOnlySuperusersEnterTeamsThatThereAreWithAReason(t *testing.T) {
	t.Parallel()
	r, _ := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	team := r.team(owner, "Ours").ID
	enter := func(who person, team uuid.UUID, why string) error {
		_, err := r.Enter(t.Context(), r.principal(who), team, why)
		return err
	}
	r.want(enter(owner, team, reason), problem.Forbidden)
	r.want(r.Leave(t.Context(), r.principal(owner), team), problem.Forbidden)
	r.want(enter(root, uuid.New(), reason), access.ErrHidden)
	r.wantStatus(enter(root, access.AnonymousTeam, reason), http.StatusConflict)
	for _, why := range []string{"", "why", "    x    ", strings.Repeat("x", 501), "a reason\x00with a NUL", "a reason \xff"} {
		r.wantStatus(enter(root, team, why), http.StatusUnprocessableEntity)
	}
	if r.isIn(root, team) {
		t.Error("a refused entry let them in")
	}
	mine := r.team(root, "Mine").ID
	r.want(enter(root, mine, reason), tenancy.ErrInside)
}

func TestTheTeamSeesWhoWasInIt(t *testing.T) {
	t.Parallel()
	r, now := newTimedWorld(t)
	owner, viewer, root, stranger := r.register("owner@example.com", ""), r.register("viewer@example.com", ""), r.superuser("root@example.com"), r.register("x@example.com", "")
	team := r.team(owner, "Ours").ID
	r.join(team, viewer, access.Viewer)
	for range 3 {
		_, err := r.Enter(t.Context(), r.principal(root), team, reason)
		r.must(err)
		now.Advance(2 * time.Hour)
	}
	list, next, err := r.Entries(t.Context(), r.principal(viewer), team, 2, uuid.Nil)
	r.must(err)
	if len(list) != 2 || next == nil || !list[0].EnteredAt.After(list[1].EnteredAt) || list[0].Reason != reason {
		t.Fatalf("%+v %v", list, next)
	}
	rest, next, err := r.Entries(t.Context(), r.principal(viewer), team, 2, *next)
	r.must(err)
	if len(rest) != 1 || next != nil {
		t.Errorf("%+v %v", rest, next)
	}
	_, _, err = r.Entries(t.Context(), r.principal(stranger), team, 0, uuid.Nil)
	r.want(err, access.ErrHidden)

	r.superuser("other@example.com")
	r.must(r.auth.Delete(t.Context(), auth.CommandLine(), root.ID))
	list, _, err = r.Entries(t.Context(), r.principal(owner), team, 0, uuid.Nil)
	r.must(err)
	if len(list) != 3 || list[0].UserID != nil || list[0].UserEmail != "root@example.com" {
		t.Errorf("once the account is gone: %+v", list)
	}
}

func TestWhoEnteredWorksAsAnAdminWouldAndOnlyWhileInside(t *testing.T) {
	t.Parallel()
	r, now := newTimedWorld(t)
	owner, root, bob, eve := r.register("owner@example.com", ""), r.superuser("root@example.com"), r.register("bob@example.com", ""), r.register("eve@example.com", "")
	team := r.team(owner, "Ours").ID
	_, err := r.Enter(t.Context(), r.principal(root), team, reason)
	r.must(err)
	inside := r.principal(root)
	_, err = r.AddMember(t.Context(), inside, team, bob.Email, access.Developer)
	r.must(err)
	_, err = r.AddMember(t.Context(), inside, team, eve.Email, access.Admin)
	r.want(err, tenancy.ErrRank)
	now.Advance(time.Hour)
	_, err = r.AddMember(t.Context(), inside, team, eve.Email, access.Viewer) // a principal from before, in a slow request
	r.want(err, access.ErrHidden)
}

func TestNeitherOrdinaryPeopleNorSuperusersInsideCostQueries(t *testing.T) {
	t.Parallel()
	r, _ := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	team := r.team(owner, "Ours").ID
	_, err := r.Enter(t.Context(), r.principal(root), team, reason)
	r.must(err)
	for _, who := range []person{owner, root} {
		ask := func(ctx context.Context) error {
			_, err := r.gate.Resolve(ctx, who.credential, "")
			return err
		}
		r.must(r.withoutQueries(func() { r.must(ask(t.Context())) }, ask))
	}
}

func TestAStayEndsWithTheTeam(t *testing.T) {
	t.Parallel()
	r, _ := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	team := r.team(owner, "Ours").ID
	_, err := r.db.ExecContext(t.Context(), `INSERT INTO conversations (id, team_id, state) VALUES ($1, $2, 'deleted')`, uuid.New(), team)
	r.must(err)
	_, err = r.Enter(t.Context(), r.principal(root), team, reason)
	r.must(err)
	if !r.isIn(root, team) {
		t.Fatal("not inside")
	}
	r.must((&gone{replica: r}).delete(t.Context(), owner))
	if r.isIn(root, team) {
		t.Error("inside a team that is gone")
	}
	_, err = r.Enter(t.Context(), r.principal(root), team, reason)
	if !errors.Is(err, access.ErrHidden) {
		t.Errorf("entered what is left of it: %v", err)
	}
}
