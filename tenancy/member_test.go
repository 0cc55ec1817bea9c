package tenancy_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

func TestAnAddedMemberIsOneAtOnce(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("Bob@example.com", "Bob B")
	team := r.team(ada, "Engines")
	if _, member := r.principal(bob).RoleIn(team.ID); member {
		t.Fatal("bob is a member before")
	}
	m, err := r.AddMember(t.Context(), r.principal(ada), team.ID, " bOB@EXAMPLE.com ", "")
	r.must(err)
	if m.UserID != bob.ID || m.TeamID != team.ID || m.Role != access.Developer || m.UserEmail != "Bob@example.com" || *m.UserName != "Bob B" {
		t.Errorf("got %+v", m)
	}
	if role, _ := r.principal(bob).RoleIn(team.ID); role != access.Developer {
		t.Errorf("bob is %q", role)
	}
	if n := r.audited("member.add"); n != 1 {
		t.Errorf("%d audit lines", n)
	}
}

func TestAnotherReplicaKnowsANewMemberWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	here, there := newReplica(t, dbtest.Open(t, url)), newReplica(t, dbtest.Open(t, url))
	quiet := newReplica(t, there.db)
	ada, bob := here.register("ada@example.com", ""), here.register("bob@example.com", "")
	team := here.team(ada, "Engines")
	for _, r := range []*replica{there, quiet} {
		if _, member := r.principal(bob).RoleIn(team.ID); member {
			t.Fatal("bob is a member before")
		}
	}
	dbtest.CutOff(t, there.db)
	_, err := here.AddMember(t.Context(), here.principal(ada), team.ID, "bob@example.com", access.Viewer)
	here.must(err)
	eventually(t, "the other replica knows bob", func() bool {
		_, member := there.principal(bob).RoleIn(team.ID)
		return member
	})
	freshAgain(t, there.db)
	if _, member := quiet.principal(bob).RoleIn(team.ID); !member {
		t.Error("what was remembered before the cut was not dropped")
	}
}

// TestWhoMayAddWhom is the rank rule, written out.
func TestWhoMayAddWhom(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	owner := r.register("owner@example.com", "")
	team := r.team(owner, "Engines")
	people := map[access.Role]person{access.Owner: owner}
	for _, role := range []access.Role{access.Admin, access.Developer, access.Viewer} {
		people[role] = r.register(string(role)+"@example.com", "")
		r.join(team.ID, people[role], role)
	}
	n := 0
	add := func(who, as access.Role) error {
		n++
		email := string(rune('a'+n)) + "@example.org"
		r.register(email, "")
		_, err := r.AddMember(t.Context(), r.principal(people[who]), team.ID, email, as)
		return err
	}
	check := func(who, as access.Role, want error) {
		t.Helper()
		if err := add(who, as); !errors.Is(err, want) {
			t.Errorf("%s adds %s: got %v, want %v", who, as, err, want)
		}
	}
	check(access.Owner, access.Admin, nil)
	check(access.Owner, access.Developer, nil)
	check(access.Owner, access.Viewer, nil)
	check(access.Admin, access.Admin, tenancy.ErrRank)
	check(access.Admin, access.Developer, nil)
	check(access.Admin, access.Viewer, nil)
	check(access.Developer, access.Viewer, access.ErrForbidden)
	check(access.Developer, access.Developer, access.ErrForbidden)
	check(access.Viewer, access.Viewer, access.ErrForbidden)
	for _, as := range []access.Role{access.Owner, "root", "Admin", " admin"} {
		r.wantStatus(add(access.Owner, as), http.StatusUnprocessableEntity)
	}
	if lines := r.audited("member.add"); lines != 5 {
		t.Errorf("%d audit lines for 5 additions", lines)
	}
}

func TestWhoCannotBeAdded(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	team, p := r.team(ada, "Engines"), r.principal(ada)
	_, err := r.AddMember(t.Context(), p, team.ID, "nobody@example.com", access.Viewer)
	r.want(err, tenancy.ErrNoUser)
	_, err = r.AddMember(t.Context(), p, team.ID, "no address", access.Viewer)
	r.wantStatus(err, http.StatusUnprocessableEntity)
	_, err = r.AddMember(t.Context(), p, team.ID, "ada@example.com", access.Viewer)
	r.want(err, tenancy.ErrAlreadyMember)
	_, err = r.AddMember(t.Context(), p, team.ID, "bob@example.com", access.Viewer)
	r.must(err)
	_, err = r.AddMember(t.Context(), p, team.ID, "BOB@example.com", access.Admin)
	r.want(err, tenancy.ErrAlreadyMember)
	if role, _ := r.principal(bob).RoleIn(team.ID); role != access.Viewer {
		t.Errorf("the second addition made bob %q", role)
	}
	if n := r.audited("member.add"); n != 1 {
		t.Errorf("%d audit lines", n)
	}
}

func TestOfManyWhoAddTheSamePersonOneDoes(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	r.register("bob@example.com", "")
	team, p := r.team(ada, "Engines"), r.principal(ada)
	var won atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := r.AddMember(t.Context(), p, team.ID, "bob@example.com", access.Viewer)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, tenancy.ErrAlreadyMember) {
				t.Errorf("the losers get %v", err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || r.audited("member.add") != 1 {
		t.Errorf("%d won, %d audit lines", won.Load(), r.audited("member.add"))
	}
}

func TestADemotionIsNotOvertakenByAPrincipalFromBefore(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	team := r.team(ada, "Engines")
	r.join(team.ID, bob, access.Admin)
	before := r.principal(bob)
	_, err := r.db.ExecContext(t.Context(), `
		UPDATE team_members
		   SET role = 'developer'
		 WHERE team_id = $1 AND user_id = $2`, team.ID, bob.ID)
	r.must(err)
	r.register("cid@example.com", "")
	_, err = r.AddMember(t.Context(), before, team.ID, "cid@example.com", access.Viewer)
	r.want(err, access.ErrForbidden)
}

func TestMembershipsAreListedOldestFirst(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	one, two := r.team(ada, "One"), r.team(ada, "Two")
	list, err := r.Memberships(t.Context(), ada.ID)
	r.must(err)
	personal, err := r.PersonalOf(t.Context(), ada.ID)
	r.must(err)
	want := []access.Membership{
		{Team: personal.ID, Role: access.Owner, Personal: true}, {Team: one.ID, Role: access.Owner}, {Team: two.ID, Role: access.Owner},
	}
	if !slices.Equal(list, want) {
		t.Errorf("got %+v, want %+v", list, want)
	}
}
