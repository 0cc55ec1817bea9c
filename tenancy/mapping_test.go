package tenancy_test

import (
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// groups applies what a provider's groups grant, as a sign-in does.
func (r *replica) groups(who person, provider string, grants ...tenancy.Grant) (missing []uuid.UUID) {
	r.t.Helper()
	r.must(r.db.InTx(r.t.Context(), func(tx *postgres.Tx) (err error) {
		missing, err = r.ApplyGroups(r.t.Context(), tx, who.User, provider, grants)
		return err
	}))
	return missing
}

// roleIn is what the person is in the team by now, "" for nothing.
func (r *replica) roleIn(team uuid.UUID, who person) access.Role {
	r.t.Helper()
	role, _ := r.principal(who).RoleIn(team)
	return role
}

func TestGroupsGiveRaiseLowerAndTakeMemberships(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	one, two := r.team(ada, "One").ID, r.team(ada, "Two").ID
	for _, step := range []struct {
		grants   []tenancy.Grant
		one, two access.Role
	}{
		{[]tenancy.Grant{{one, access.Viewer}}, access.Viewer, ""},
		{[]tenancy.Grant{{one, access.Viewer}, {one, access.Admin}, {two, access.Developer}, {one, access.Developer}}, access.Admin, access.Developer},
		{[]tenancy.Grant{{one, access.Admin}, {two, access.Developer}}, access.Admin, access.Developer},
		{[]tenancy.Grant{{one, access.Viewer}}, access.Viewer, ""},
		{nil, "", ""},
	} {
		r.groups(bob, "corp", step.grants...)
		if got := r.roleIn(one, bob); got != step.one {
			t.Errorf("%v: %q in one, want %q", step.grants, got, step.one)
		}
		if got := r.roleIn(two, bob); got != step.two {
			t.Errorf("%v: %q in two, want %q", step.grants, got, step.two)
		}
	}
	if r.audited("member.add") != 2 || r.audited("member.role") != 2 || r.audited("member.remove") != 2 {
		t.Errorf("recorded %d added, %d changed, %d removed", r.audited("member.add"), r.audited("member.role"), r.audited("member.remove"))
	}
}

func TestGroupsDoNotTouchWhatPeopleOrAnotherProviderGave(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	hand, other := r.team(ada, "By hand").ID, r.team(ada, "By another").ID
	r.join(hand, bob, access.Developer)
	r.groups(bob, "other", tenancy.Grant{Team: other, Role: access.Admin})
	r.groups(bob, "corp", tenancy.Grant{Team: hand, Role: access.Admin}, tenancy.Grant{Team: other, Role: access.Viewer})
	r.groups(bob, "corp")
	if r.roleIn(hand, bob) != access.Developer || r.roleIn(other, bob) != access.Admin {
		t.Errorf("got %q by hand, %q by the other", r.roleIn(hand, bob), r.roleIn(other, bob))
	}
	personal, err := r.PersonalOf(t.Context(), ada.ID)
	r.must(err)
	nowhere := uuid.New()
	missing := r.groups(bob, "corp", tenancy.Grant{Team: personal.ID, Role: access.Viewer}, tenancy.Grant{Team: access.AnonymousTeam, Role: access.Viewer},
		tenancy.Grant{Team: nowhere, Role: access.Viewer})
	if len(missing) != 3 || len(r.principal(bob).Memberships) != 3 {
		t.Errorf("missing %v, memberships %v", missing, r.principal(bob).Memberships)
	}
}

func TestATeamKeepsItsLastOwnerWhateverGroupsSay(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob, eve := r.register("ada@example.com", ""), r.register("bob@example.com", ""), r.register("eve@example.com", "")
	team := r.team(ada, "Ours").ID
	r.groups(bob, "corp", tenancy.Grant{Team: team, Role: access.Owner})
	r.groups(eve, "corp", tenancy.Grant{Team: team, Role: access.Owner})
	r.leave(team, ada)
	var both sync.WaitGroup
	for _, owner := range []person{bob, eve} { // each takes the other for the one who stays
		both.Go(func() {
			err := r.db.InTx(t.Context(), func(tx *postgres.Tx) error {
				_, err := r.ApplyGroups(t.Context(), tx, owner.User, "corp", []tenancy.Grant{{Team: team, Role: access.Viewer}})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	owners := 0
	for _, who := range []person{bob, eve} {
		if r.roleIn(team, who) == access.Owner {
			owners++
		}
	}
	if owners != 1 {
		t.Errorf("%d owners are left", owners)
	}
}
