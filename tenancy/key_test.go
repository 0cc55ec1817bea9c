package tenancy_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// withKey is the person as who holds a new key of theirs.
func (r *replica) withKey(who person, d apikey.Draft) (person, apikey.Created) {
	r.t.Helper()
	d.Name = "laptop"
	made, err := r.keys.Create(r.t.Context(), apikey.Act{Owner: who.ID, ActorID: who.ID, Actor: who.Email}, d)
	r.must(err)
	who.credential = access.Credential{Form: access.FormKey, Token: made.Secret}
	return who, made
}

func (r *replica) resolves(who person, team string) error {
	r.t.Helper()
	_, err := r.gate.Resolve(r.t.Context(), who.credential, team)
	return err
}

func TestAKeyActsForItsOwnerWhoeverSendsItInWhicheverForm(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	keyed, made := r.withKey(ada, apikey.Draft{Scopes: []string{"read"}})
	for name, set := range map[string]func(*http.Request){
		"Authorization":     func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+made.Secret) },
		"X-Session-API-Key": func(q *http.Request) { q.Header.Set("X-Session-API-Key", made.Secret) },
		"both, with the same key": func(q *http.Request) {
			q.Header.Set("Authorization", "Bearer "+made.Secret)
			q.Header.Set("X-Session-API-Key", made.Secret)
		},
		"the query of a WebSocket": func(q *http.Request) {
			q.Header.Set("Upgrade", "websocket")
			q.URL.RawQuery = "session_api_key=" + made.Secret
		},
	} {
		q := request(person{})
		set(q)
		caller, err := r.gate.Identify(q)
		r.must(err)
		p := caller.Principal
		if p.User != ada.ID || !p.Key || p.Scope != access.ScopeRead || p.Session != made.ID || p.Bound != uuid.Nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	for name, set := range map[string]func(*http.Request){
		"the query of no WebSocket": func(q *http.Request) { q.URL.RawQuery = "session_api_key=" + made.Secret },
		"a cookie":                  func(q *http.Request) { q.AddCookie(&http.Cookie{Name: "openhands_session", Value: made.Secret}) },
	} {
		q := request(person{})
		set(q)
		_, err := r.gate.Identify(q)
		if problem.Of(err).Status != http.StatusUnauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := r.principal(keyed); p != r.principal(keyed) {
		t.Error("the principal of a key is not shared")
	}
	again := func(ctx context.Context) error { _, err := r.gate.Resolve(ctx, keyed.credential, ""); return err }
	r.must(r.withoutQueries(func() { r.must(again(t.Context())) }, again)) // once it is known
	byID, err := r.gate.Resolve(t.Context(), access.OfSession(ada.ID, made.ID), "")
	r.must(err)
	if !byID.Principal.Key || byID.Principal.Scope != access.ScopeRead {
		t.Errorf("by its id it is %+v", byID.Principal)
	}
}

func TestABoundKeyActsForItsTeamAlone(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	team, other, foreign := r.team(ada, "Engines"), r.team(ada, "Others"), r.team(bob, "Bob's")
	bound, _ := r.withKey(ada, apikey.Draft{TeamID: &team.ID, Scopes: []string{"admin"}})
	p := r.principal(bound)
	if p.CurrentTeam != team.ID {
		t.Errorf("it acts for %v", p.CurrentTeam)
	}
	r.must(r.resolves(bound, team.ID.String()))
	r.want(r.resolves(bound, other.ID.String()), access.ErrBound)
	r.want(r.resolves(bound, foreign.ID.String()), access.ErrHidden)
	r.want(r.resolves(bound, uuid.NewString()), access.ErrHidden)
	for _, header := range []string{"", team.ID.String(), other.ID.String(), foreign.ID.String()} {
		q := request(bound, header)
		if header == "" {
			q = request(bound)
		}
		_, wanted := r.gate.Identify(q)
		identity, err := r.auth.Authenticate(t.Context(), bound.credential)
		r.must(err)
		r.want(r.gate.CheckTeam(q, identity), wanted)
	}
	listed, err := r.Teams(t.Context(), p)
	r.must(err)
	if len(listed) != 1 || listed[0].ID != team.ID {
		t.Errorf("it sees %v", listed)
	}
	_, err = r.Create(t.Context(), p, "New")
	r.want(err, access.ErrBound)
	_, err = r.Team(t.Context(), p, other.ID)
	r.want(err, access.ErrBound)
}

func TestABoundKeyEndsWithItsOwnersMembershipAndWithTheTeam(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	r, there := newReplica(t, dbtest.Open(t, url)), newReplica(t, dbtest.Open(t, url))
	ada, bob := r.register("ada@example.com", ""), r.register("bob@example.com", "")
	team := r.team(ada, "Engines")
	r.join(team.ID, bob, access.Developer)
	adas, _ := r.withKey(ada, apikey.Draft{TeamID: &team.ID})
	bobs, _ := r.withKey(bob, apikey.Draft{TeamID: &team.ID})
	free, _ := r.withKey(bob, apikey.Draft{})
	for _, who := range []person{adas, bobs, free} {
		there.must(there.resolves(who, ""))
	}
	r.leave(team.ID, bob)
	out := func(who person) bool { return problem.Of(there.resolves(who, "")).Status == http.StatusUnauthorized }
	eventually(t, "the key of who left ends", func() bool { return out(bobs) })
	identity, err := there.auth.Authenticate(t.Context(), bobs.credential)
	if err == nil {
		err = there.gate.CheckTeam(request(bobs), identity)
	}
	there.want(err, problem.Unauthorized)
	r.must(r.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM teams WHERE id = $1`, team.ID); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicTeam, team.ID)
	}))
	eventually(t, "the key of a team that is gone ends", func() bool { return out(adas) })
	there.must(there.resolves(free, ""))
}

func TestAKeysScopeNarrowsEveryRole(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	reads, _ := r.withKey(ada, apikey.Draft{Scopes: []string{"read"}})
	writes, _ := r.withKey(ada, apikey.Draft{})
	administers, _ := r.withKey(ada, apikey.Draft{Scopes: []string{"admin"}})
	for _, c := range []struct {
		who  person
		want []access.Permission
	}{
		{reads, []access.Permission{access.TeamRead, access.MemberRead, access.ConversationRead, access.FileRead, access.SettingsRead}},
		{writes, access.Developer.Permissions()},
		{administers, access.Owner.Permissions()},
	} {
		seen, err := r.Team(t.Context(), r.principal(c.who), team.ID)
		r.must(err)
		if !slices.Equal(seen.Permissions, c.want) || seen.Role != access.Owner {
			t.Errorf("%v: %s with %v", c.who.credential, seen.Role, seen.Permissions)
		}
	}
	for _, who := range []person{reads, writes} {
		_, err := r.AddMember(t.Context(), r.principal(who), team.ID, "ada@example.com", "")
		r.want(err, access.ErrScope)
		_, err = r.Create(t.Context(), r.principal(who), "New")
		r.want(err, access.ErrScope)
	}
	_, err := r.Create(t.Context(), r.principal(administers), "New")
	r.must(err)
}

func TestAKeyCarriesTheRightsOverTheInstallationInTheHighestScopeOnly(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	_, err := r.db.ExecContext(t.Context(), `UPDATE users SET is_superuser = true WHERE id = $1`, ada.ID)
	r.must(err)
	for _, c := range []struct {
		draft apikey.Draft
		want  bool
	}{
		{apikey.Draft{Scopes: []string{"read"}}, false},
		{apikey.Draft{Scopes: []string{"write"}}, false},
		{apikey.Draft{Scopes: []string{"admin"}}, true},
		{apikey.Draft{Scopes: []string{"admin"}, TeamID: &team.ID}, false},
	} {
		who, _ := r.withKey(ada, c.draft)
		if got := r.principal(who).Superuser; got != c.want {
			t.Errorf("%v, bound: %v: %v", c.draft.Scopes, c.draft.TeamID != nil, got)
		}
	}
}

func TestAKeyHasNoSessionThatRemembersATeam(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	team := r.team(ada, "Engines")
	keyed, _ := r.withKey(ada, apikey.Draft{Scopes: []string{"admin"}})
	r.wantStatus(r.gate.Switch(t.Context(), r.principal(keyed), team.ID), http.StatusBadRequest)
	r.must(r.resolves(keyed, team.ID.String()))
}

func TestTheEndOfAKeyIsKnown(t *testing.T) {
	t.Parallel()
	r := newWorld(t)
	ada := r.register("ada@example.com", "")
	until := time.Now().Add(time.Hour)
	for _, c := range []struct {
		draft *apikey.Draft
		want  bool
	}{{nil, false}, {&apikey.Draft{}, false}, {&apikey.Draft{ExpiresAt: &until}, true}} {
		who := ada
		if c.draft != nil {
			who, _ = r.withKey(ada, *c.draft)
		}
		ends, err := r.gate.KeyEnds(t.Context(), access.Caller{Principal: r.principal(who), Credential: who.credential})
		r.must(err)
		if (ends != nil) != c.want {
			t.Errorf("%+v ends %v", c.draft, ends)
		}
	}
	keyed, _ := r.withKey(ada, apikey.Draft{Scopes: []string{"admin"}})
	r.want(r.gate.RequireFresh(t.Context(), access.Caller{Credential: keyed.credential}), auth.ErrStepUp)
}
