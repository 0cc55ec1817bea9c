package tenancy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// gone deletes accounts as the application does, and notes which teams went with them.
type gone struct {
	*replica
	mu     sync.Mutex
	purged []uuid.UUID
}

func (g *gone) delete(ctx context.Context, who person) error {
	return g.db.InTx(ctx, func(tx *postgres.Tx) error {
		err := g.Depart(ctx, tx, who.User, func(_ context.Context, _ *postgres.Tx, team uuid.UUID) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.purged = append(g.purged, team)
			return nil
		})
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, who.ID)
		return err
	})
}

func (r *replica) role(team uuid.UUID, who person) (role access.Role) {
	r.t.Helper()
	_ = r.db.GetContext(r.t.Context(), &role, `SELECT role FROM team_members WHERE team_id = $1 AND user_id = $2`, team, who.ID)
	return role
}

// ownerless counts teams with members and without an owner.
func (r *replica) ownerless() (n int) {
	r.t.Helper()
	r.must(r.db.GetContext(r.t.Context(), &n, `
		SELECT count(*)
		  FROM teams t
		 WHERE t.id <> $1 AND t.deleted_at IS NULL
		   AND NOT EXISTS (SELECT FROM team_members WHERE team_id = t.id AND role = 'owner')`, access.AnonymousTeam))
	return n
}

func TestWhereTheLastOwnerGoesTheLongestStandingAdminOwnsTheTeam(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	owner, viewer, first, second := r.register("owner@example.com", ""), r.register("viewer@example.com", ""), r.register("first@example.com", ""), r.register("second@example.com", "")
	suspended := r.register("suspended@example.com", "")
	team := r.team(owner, "Ours").ID
	r.join(team, viewer, access.Viewer)
	r.join(team, suspended, access.Admin)
	r.join(team, first, access.Admin)
	r.join(team, second, access.Admin)
	_, err := r.auth.Suspend(t.Context(), auth.CommandLine(), suspended.ID)
	r.must(err)
	if role, _ := r.principal(first).RoleIn(team); role != access.Admin {
		t.Fatal(role)
	}
	g := &gone{replica: r}
	r.must(g.delete(t.Context(), owner))
	if r.role(team, first) != access.Owner || r.role(team, second) != access.Admin || r.role(team, viewer) != access.Viewer || r.role(team, suspended) != access.Admin {
		t.Error("somebody else was promoted")
	}
	if role, _ := r.principal(first).RoleIn(team); role != access.Owner {
		t.Errorf("the new owner is still remembered as %s", role)
	}
	if n := r.audited("member.promote"); n != 1 {
		t.Errorf("%d lines", n)
	}
	r.must(g.delete(t.Context(), first))
	r.must(g.delete(t.Context(), second))
	if r.role(team, viewer) != access.Owner {
		t.Error("without an Admin it is the longest-standing member who can sign in")
	}
	if slices.Contains(g.purged, team) {
		t.Error("the team went although somebody is in it")
	}
	r.must(g.delete(t.Context(), viewer))
	if r.role(team, suspended) != access.Owner {
		t.Error("a suspended member is better than nobody")
	}
}

func TestATeamWithAnotherOwnerStaysAsItIs(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	owner, other, admin := r.register("owner@example.com", ""), r.register("other@example.com", ""), r.register("admin@example.com", "")
	team := r.team(owner, "Ours").ID
	r.join(team, other, access.Owner)
	r.join(team, admin, access.Admin)
	g := &gone{replica: r}
	r.must(g.delete(t.Context(), owner))
	if r.role(team, other) != access.Owner || r.role(team, admin) != access.Admin || slices.Contains(g.purged, team) {
		t.Error("it changed")
	}
}

func TestTeamsWithoutAnybodyElseGoAndIdsStayTheirs(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	personal, err := r.PersonalOf(t.Context(), ada.ID)
	r.must(err)
	empty, used := r.team(ada, "Empty"), r.team(ada, "Used")
	talk := uuid.New()
	_, err = r.db.ExecContext(t.Context(), `INSERT INTO conversations (id, team_id, starter_id, state) VALUES ($1, $2, $3, 'deleted')`, talk, used.ID, ada.ID)
	r.must(err)
	g := &gone{replica: r}
	r.must(g.delete(t.Context(), ada))
	for _, id := range []uuid.UUID{personal.ID, empty.ID, used.ID} {
		if !slices.Contains(g.purged, id) {
			t.Errorf("%s was not purged", id)
		}
	}
	var left []struct {
		ID   uuid.UUID
		Name string
	}
	r.must(r.db.SelectContext(t.Context(), &left, `SELECT id, name FROM teams WHERE id <> $1`, access.AnonymousTeam))
	if len(left) != 1 || left[0].ID != used.ID || left[0].Name == "Used" {
		t.Errorf("left are %v; only the row that an id hangs on may be, without its name", left)
	}
}

func TestAPersonalTeamWithOthersInItBecomesOneOfTheirs(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	own, err := r.PersonalOf(t.Context(), bob.ID)
	r.must(err)
	personal, err := r.PersonalOf(t.Context(), ada.ID)
	r.must(err)
	r.join(personal.ID, bob, access.Developer)
	r.must((&gone{replica: r}).delete(t.Context(), ada))
	got, err := r.PersonalOf(t.Context(), bob.ID)
	r.must(err)
	if got.ID != own.ID || r.role(personal.ID, bob) != access.Owner {
		t.Errorf("bob's personal team is %s, and his role in ada's %q", got.ID, r.role(personal.ID, bob))
	}
	team, err := r.Team(t.Context(), r.principal(bob), personal.ID)
	r.must(err)
	if team.IsPersonal {
		t.Error("bob has two personal teams")
	}
}

func TestWhoOwnsASharedTeamMayNotLeaveByThemself(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	owner, member := r.register("owner@example.com", ""), r.register("member@example.com", "")
	team := r.team(owner, "Ours").ID
	may := func(who person) error {
		return r.db.InTx(t.Context(), func(tx *postgres.Tx) error { return r.MayLeave(t.Context(), tx, who.User) })
	}
	r.must(may(owner))
	r.join(team, member, access.Viewer)
	r.want(may(owner), tenancy.ErrOwnsShared)
	r.must(may(member))
	r.leave(team, member)
	r.must(may(owner))
}

// Deletions of everybody in a few shared teams, with additions going on: at every end each team that is left has an owner.
func TestNoTeamLosesItsOwnerHoweverManyAccountsGoAtOnce(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	people := make([]person, 16)
	for i := range people {
		people[i] = r.register(fmt.Sprintf("p%d@example.com", i), "")
	}
	teams := make([]uuid.UUID, 6)
	for i := range teams {
		teams[i] = r.team(people[i], "Team").ID
		for n, who := range people {
			if n != i && n%3 != 0 {
				r.join(teams[i], who, []access.Role{access.Admin, access.Viewer, access.Owner}[(n+i)%3])
			}
		}
	}
	stays := people[14:]
	g := &gone{replica: r}
	var all sync.WaitGroup
	for _, who := range people[:14] {
		all.Go(func() {
			if err := g.delete(t.Context(), who); err != nil {
				t.Errorf("%s: %v", who.Email, err)
			}
		})
	}
	for i, who := range stays {
		for _, team := range teams {
			p := r.principal(who)
			all.Go(func() {
				_, err := r.AddMember(t.Context(), p, team, people[i].Email, access.Viewer)
				var found bool
				_ = r.db.GetContext(t.Context(), &found, `SELECT true`)
				if err != nil && !errors.Is(err, access.ErrHidden) && !errors.Is(err, access.ErrForbidden) && problemStatus(err) >= 500 {
					t.Errorf("add to %s: %v", team, err)
				}
			})
		}
	}
	all.Wait()
	if n := r.ownerless(); n != 0 {
		t.Errorf("%d teams have no owner", n)
	}
}
