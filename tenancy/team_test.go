package tenancy_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func TestEverybodyGetsAPersonalTeamWithTheAccount(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	long := strings.Repeat("ö", 255)
	for email, c := range map[string]struct{ name, want string }{
		"one@example.com":     {"Ada Lovelace", "Ada's Team"},
		"two@example.com":     {"  Ada  Lovelace ", "Ada's Team"},
		"three@example.com":   {"", "three's Team"},
		"four@example.com":    {"   ", "four's Team"},
		"Five.Six@example.de": {"", "Five.Six's Team"},
		"seven@example.com":   {long, strings.Repeat("ö", 248) + "'s Team"},
		"eight@example.com":   {"Ada\u3000Lovelace", "Ada's Team"},
	} {
		who := r.register(email, c.name)
		team, err := r.PersonalOf(t.Context(), who.ID)
		r.must(err)
		if team.Name != c.want || !team.IsPersonal || team.Role != access.Owner || team.OwnerID == nil || *team.OwnerID != who.ID {
			t.Errorf("%s: got %+v, want %q", email, team, c.want)
		}
		if !slices.Equal(team.Permissions, access.Owner.Permissions()) || team.CreatedAt.IsZero() {
			t.Errorf("%s: %+v", email, team)
		}
	}
	if n := r.audited("team.create"); n != 7 {
		t.Errorf("%d audit lines", n)
	}
}

func TestARegistrationMayNameThePersonalTeam(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	name := "  The Engine "
	u, err := r.auth.Register(t.Context(), auth.Registration{Email: "ada@example.com", Password: password, TeamName: &name})
	r.must(err)
	if team, err := r.PersonalOf(t.Context(), u.ID); err != nil || team.Name != "The Engine" {
		t.Errorf("%q, %v", team.Name, err)
	}
}

func TestNoAccountIsMadeWithoutItsTeam(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	name := "bad\x01name"
	_, err := r.auth.Register(t.Context(), auth.Registration{Email: "ada@example.com", Password: password, TeamName: &name})
	r.wantStatus(err, http.StatusUnprocessableEntity)
	if _, found, err := r.auth.FindByEmail(t.Context(), "ada@example.com"); found || err != nil {
		t.Errorf("the account was made: %v", err)
	}
}

func TestCreatingATeamMakesOneItsOwner(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "Ada")
	made := r.team(ada, " Engines ")
	if made.Name != "Engines" || made.IsPersonal || made.Role != access.Owner || *made.OwnerID != ada.ID {
		t.Errorf("got %+v", made)
	}
	p := r.principal(ada) // at once, from the cache
	if role, ok := p.RoleIn(made.ID); role != access.Owner || !ok {
		t.Errorf("role %q", role)
	}
	got, err := r.Team(t.Context(), p, made.ID)
	if err != nil || got.Name != made.Name || !got.CreatedAt.Equal(made.CreatedAt) || *got.OwnerID != ada.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	list, err := r.Teams(t.Context(), p)
	if err != nil || len(list) != 2 || list[0].Name != "Ada's Team" || list[1].ID != made.ID {
		t.Errorf("listed %+v, %v", list, err)
	}
	if n := r.audited("team.create"); n != 2 {
		t.Errorf("%d audit lines", n)
	}
}

func TestATeamsNameHas1To255Characters(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	p := r.principal(r.register("ada@example.com", ""))
	for _, name := range []string{"x", strings.Repeat("ö", 255), "O'Hara & <Söhne>", " y "} {
		if _, err := r.Create(t.Context(), p, name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "  ", strings.Repeat("ö", 256), "a\x00b", "a\nb", "a\xff"} {
		_, err := r.Create(t.Context(), p, name)
		r.wantStatus(err, http.StatusUnprocessableEntity)
	}
}

func TestAnonymousHasNoTeamOfItsOwn(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	r.must(r.mode.Set(t.Context(), true, "command line"))
	caller, err := r.gate.Resolve(t.Context(), access.Credential{}, "")
	r.must(err)
	_, err = r.Create(t.Context(), caller.Principal, "Mine")
	r.wantStatus(err, http.StatusUnauthorized)
	list, err := r.Teams(t.Context(), caller.Principal)
	if err != nil || len(list) != 1 || list[0].ID != access.AnonymousTeam || list[0].Role != access.Developer || list[0].OwnerID != nil {
		t.Errorf("listed %+v, %v", list, err)
	}
	_, err = r.AddMember(t.Context(), caller.Principal, access.AnonymousTeam, "ada@example.com", access.Viewer)
	r.want(err, access.ErrForbidden)
}

func TestAForeignTeamAnswersLikeOneThatDoesNotExist(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	root, err := r.auth.CreateUser(t.Context(), auth.Registration{Email: "root@example.com", Password: password}, true)
	r.must(err)
	token, err := r.auth.Login(t.Context(), root.Email, password, auth.Client{})
	r.must(err)
	superuser := r.principal(person{User: root, credential: access.Credential{Form: access.FormBearer, Token: token.AccessToken}})
	if !superuser.Superuser {
		t.Fatal("this test needs a superuser")
	}
	foreign := r.team(ada, "Engines").ID
	for _, p := range []*access.Principal{r.principal(bob), superuser} {
		for _, id := range []uuid.UUID{foreign, uuid.New(), uuid.Nil, access.AnonymousTeam} {
			_, err := r.Team(t.Context(), p, id)
			if !errors.Is(err, access.ErrHidden) {
				t.Errorf("read: %v", err)
			}
			_, err = r.AddMember(t.Context(), p, id, "bob@example.com", "nonsense")
			if !errors.Is(err, access.ErrHidden) {
				t.Errorf("add: %v", err)
			}
		}
	}
}

func TestTheOwnerShownIsTheLongestStanding(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	team := r.team(ada, "Engines")
	r.join(team.ID, bob, access.Owner)
	shown := func() uuid.UUID {
		t.Helper()
		got, err := r.Team(t.Context(), r.principal(bob), team.ID)
		r.must(err)
		return *got.OwnerID
	}
	if shown() != ada.ID {
		t.Error("it is not the first")
	}
	_, err := r.db.ExecContext(t.Context(), `
		UPDATE team_members
		   SET role = 'admin'
		 WHERE team_id = $1 AND user_id = $2`, team.ID, ada.ID)
	r.must(err)
	if shown() != bob.ID {
		t.Error("it is not the next")
	}
}

func TestAPersonalTeamIsPersonalOnlyForItsOwner(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	adas, err := r.PersonalOf(t.Context(), ada.ID)
	r.must(err)
	_, err = r.AddMember(t.Context(), r.principal(ada), adas.ID, "bob@example.com", access.Admin)
	r.must(err)
	p := r.principal(bob)
	if bobs, err := r.PersonalOf(t.Context(), bob.ID); err != nil || bobs.ID == adas.ID || p.CurrentTeam != bobs.ID {
		t.Errorf("bob's personal team is %v, the current one %v, ada's %v (%v)", bobs.ID, p.CurrentTeam, adas.ID, err)
	}
	if role, ok := p.RoleIn(adas.ID); !ok || role != access.Admin {
		t.Errorf("bob is %q in ada's", role)
	}
	cid := r.register("cid@example.com", "")
	r.join(adas.ID, cid, access.Owner) // a second owner is not whose it is
	for _, who := range []person{bob, cid} {
		list, err := r.Memberships(t.Context(), who.ID)
		if err != nil || len(list) != 2 || !list[0].Personal || list[1].Personal {
			t.Errorf("%s: %+v, %v", who.Email, list, err)
		}
	}
	if got, err := r.PersonalOf(t.Context(), ada.ID); err != nil || got.ID != adas.ID {
		t.Errorf("ada's personal team is %v, %v", got.ID, err)
	}
}

func TestPersonalOfSomebodyUnknown(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	_, err := r.PersonalOf(t.Context(), uuid.New())
	r.want(err, access.ErrHidden)
}

func TestATeamThatIsGoneIsForgotten(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	before := r.principal(ada)
	r.must(r.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM teams WHERE id = $1`, team.ID); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicTeam, team.ID)
	}))
	if _, member := r.principal(ada).RoleIn(team.ID); member {
		t.Error("ada is still a member")
	}
	_, err := r.Team(t.Context(), before, team.ID) // a request that began before
	r.want(err, access.ErrHidden)
}
