package tenancy_test

import (
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// A request may have begun a moment before the rights of whoever sent it ended.
func TestWhoWasASuperuserAMomentAgoEntersNothing(t *testing.T) {
	t.Parallel()
	r, _ := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	r.superuser("other@example.com")
	team := r.team(owner, "Ours").ID
	before := r.principal(root)
	_, err := r.auth.SetSuperuser(t.Context(), auth.CommandLine(), root.ID, false)
	r.must(err)
	_, err = r.Enter(t.Context(), before, team, reason)
	r.want(err, problem.Forbidden)
	_, err = r.auth.SetSuperuser(t.Context(), auth.CommandLine(), root.ID, true)
	r.must(err)
	if r.isIn(root, team) || r.audited("team.enter") != 0 {
		t.Error("inside by a right from before")
	}
}

func TestWhoEnteredDoesNotStayAsAMember(t *testing.T) {
	t.Parallel()
	r, _ := newTimedWorld(t)
	owner, root := r.register("owner@example.com", ""), r.superuser("root@example.com")
	team := r.team(owner, "Ours").ID
	_, err := r.Enter(t.Context(), r.principal(root), team, reason)
	r.must(err)
	_, err = r.AddMember(t.Context(), r.principal(root), team, root.Email, access.Viewer)
	r.wantStatus(err, 403)
	r.must(r.Leave(t.Context(), r.principal(root), team))
	if r.isIn(root, team) {
		t.Error("there is a membership")
	}
}

func TestWhoOwnsASharedTeamBesideAnotherMayLeave(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	owner, other := r.register("owner@example.com", ""), r.register("other@example.com", "")
	team := r.team(owner, "Ours").ID
	r.join(team, other, access.Owner)
	may := func() error {
		return r.db.InTx(t.Context(), func(tx *postgres.Tx) error { return r.MayLeave(t.Context(), tx, owner.User) })
	}
	r.must(may())
	_, err := r.auth.Suspend(t.Context(), auth.CommandLine(), other.ID)
	r.must(err)
	r.want(may(), tenancy.ErrOwnsShared)
}
