package apikey_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestAKeyIsItsOwnerWithinItsBounds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	team := w.team(ann)
	until := w.now.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		draft   apikey.Draft
		scopes  []string
		scope   access.Scope
		bound   uuid.UUID
		expires bool
	}{
		"as it is":    {apikey.Draft{}, []string{"read", "write"}, access.ScopeWrite, uuid.Nil, false},
		"for reading": {apikey.Draft{Scopes: []string{"read"}}, []string{"read"}, access.ScopeRead, uuid.Nil, false},
		"for writing": {apikey.Draft{Scopes: []string{"write"}}, []string{"read", "write"}, access.ScopeWrite, uuid.Nil, false},
		"for all":     {apikey.Draft{Scopes: []string{"admin", "read"}}, []string{"read", "write", "admin"}, access.ScopeAdmin, uuid.Nil, false},
		"of a team":   {apikey.Draft{TeamID: team}, []string{"read", "write"}, access.ScopeWrite, *team, false},
		"for an hour": {apikey.Draft{ExpiresAt: &until}, []string{"read", "write"}, access.ScopeWrite, uuid.Nil, true},
	} {
		made := w.key(ann, c.draft)
		if !slices.Equal([]string(made.Scopes), c.scopes) {
			t.Errorf("%s: the scopes are %v, want %v", name, made.Scopes, c.scopes)
		}
		id := w.works(made.Secret)
		if id.User.ID != ann.ID || !id.Key || id.Session != made.ID || id.Scope != c.scope || id.Bound != c.bound {
			t.Errorf("%s: %+v", name, id)
		}
		if got := id.Expires.Equal(until); got != c.expires || id.Expires.IsZero() {
			t.Errorf("%s: expires %v", name, id.Expires)
		}
		byID, err := w.auth.Authenticate(t.Context(), access.OfSession(ann.ID, made.ID))
		w.must(err)
		if byID.Scope != c.scope || byID.Bound != c.bound || !byID.Key {
			t.Errorf("%s: by its id it is %+v", name, byID)
		}
	}
}

func TestNothingOfAKeyIsKeptButItsHashAndItsBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	made := w.key(ann, apikey.Draft{})
	next, err := w.Rotate(t.Context(), of(ann), made.ID, apikey.Rotation{})
	w.must(err)
	w.must(w.Revoke(t.Context(), of(ann), next.ID))
	everything := one[string](w, `SELECT (SELECT json_agg(k)::text FROM api_keys k) || (SELECT json_agg(a)::text FROM audit_log a)`)
	for _, secret := range []string{made.Secret, next.Secret} {
		if strings.Contains(everything, secret[:12]) || strings.Contains(everything, secret[10:]) {
			t.Errorf("%s is kept in %s", secret, everything)
		}
	}
	lines := one[string](w, `SELECT string_agg(action, ' ' ORDER BY id) FROM audit_log WHERE object = any($1::text[])`, "{"+made.ID.String()+","+next.ID.String()+"}")
	if lines != "key.create key.rotate key.revoke" {
		t.Errorf("on record are %q", lines)
	}
}

func TestAKeyEndsWhenItIsRevokedOverOrItsOwnerIsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	until := w.now.Now().Add(time.Hour)
	revoked, short, long := w.key(ann, apikey.Draft{}), w.key(ann, apikey.Draft{ExpiresAt: &until}), w.key(ann, apikey.Draft{})
	for _, k := range []apikey.Created{revoked, short, long} {
		w.works(k.Secret)
	}
	w.must(w.Revoke(t.Context(), of(ann), revoked.ID))
	w.fails(revoked.Secret)
	w.works(short.Secret)
	w.now.Advance(time.Hour)
	w.fails(short.Secret)
	w.works(long.Secret)
	w.must(w.db.InTx(t.Context(), func(tx *postgres.Tx) error { return w.RevokeAll(t.Context(), tx, ann.ID) }))
	w.fails(long.Secret)

	bob := w.user("bob@example.com")
	his := w.key(bob, apikey.Draft{})
	w.execute(`UPDATE users SET is_active = false WHERE id = $1`, bob.ID)
	w.fails(his.Secret)
}

func TestOtherReplicasHearOfItWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	url, now := dbtest.URL(t), testtime.NewClock()
	here, there := replica(t, dbtest.Open(t, url), now), replica(t, dbtest.Open(t, url), now)
	ann := here.user("ann@example.com")
	team := here.team(ann)
	revoked, rotated, narrowed := here.key(ann, apikey.Draft{}), here.key(ann, apikey.Draft{}), here.key(ann, apikey.Draft{})
	bound := here.key(ann, apikey.Draft{TeamID: team})
	for _, k := range []apikey.Created{revoked, rotated, narrowed, bound} {
		there.works(k.Secret)
	}
	here.must(here.Revoke(t.Context(), of(ann), revoked.ID))
	_, err := here.Rotate(t.Context(), of(ann), rotated.ID, apikey.Rotation{})
	here.must(err)
	_, err = here.Update(t.Context(), of(ann), narrowed.ID, apikey.Change{Scopes: []string{"read"}})
	here.must(err)
	here.must(here.db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `DELETE FROM teams WHERE id = $1`, team); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicTeam, *team)
	}))
	gone := func(secret string) bool { _, err := there.identify(secret); return problem.Of(err).Status == 401 }
	testtime.Eventually(t, 2*time.Second, "the key that was revoked ends", func() bool { return gone(revoked.Secret) })
	testtime.Eventually(t, 2*time.Second, "the key that was rotated without overlap ends", func() bool { return gone(rotated.Secret) })
	testtime.Eventually(t, 2*time.Second, "the key of the team that was deleted ends", func() bool { return gone(bound.Secret) })
	testtime.Eventually(t, 2*time.Second, "the key that was narrowed only reads", func() bool {
		return there.works(narrowed.Secret).Scope == access.ScopeRead
	})
}

func TestTheUseOfAKeyIsNoted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	made := w.key(ann, apikey.Draft{})
	if made.LastUsedAt != nil {
		t.Errorf("a new key was used at %v", made.LastUsedAt)
	}
	w.works(made.Secret)
	used := func() *time.Time {
		k, err := w.Get(t.Context(), ann.ID, made.ID)
		w.must(err)
		return k.LastUsedAt
	}
	testtime.Eventually(t, 10*time.Second, "the first use is noted", func() bool { return used() != nil && used().Equal(w.now.Now()) })
	w.now.Advance(2 * time.Minute)
	w.works(made.Secret)
	testtime.Eventually(t, 10*time.Second, "a later use is noted", func() bool { return used().Equal(w.now.Now()) })
}

func TestARotatedKeyWorksBesideItsSuccessorForAWhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	until := w.now.Now().Add(48 * time.Hour)
	team := w.team(ann)
	old := w.key(ann, apikey.Draft{Name: "ci", Scopes: []string{"read"}, TeamID: team, ExpiresAt: &until})
	next, err := w.Rotate(t.Context(), of(ann), old.ID, apikey.Rotation{Overlap: time.Hour})
	w.must(err)
	if next.ID == old.ID || next.Secret == old.Secret || next.Name != "ci" || next.Scope() != access.ScopeRead || *next.TeamID != *team || !next.ExpiresAt.Equal(until) {
		t.Errorf("%+v took the place of %+v", next, old)
	}
	w.works(old.Secret)
	w.works(next.Secret)
	_, err = w.Rotate(t.Context(), of(ann), old.ID, apikey.Rotation{})
	w.refused(err, 400)
	name := "back"
	for _, c := range []apikey.Change{{Lasting: true}, {ExpiresAt: &until}, {Name: &name}} {
		_, err = w.Update(t.Context(), of(ann), old.ID, c)
		w.refused(err, 400)
	}
	w.now.Advance(time.Hour)
	w.fails(old.Secret)
	w.works(next.Secret)
	_, err = w.Rotate(t.Context(), of(ann), next.ID, apikey.Rotation{Overlap: 1000 * time.Hour})
	w.must(err)
	w.now.Advance(47 * time.Hour)
	w.fails(next.Secret) // the overlap makes nothing last longer
	_, err = w.Rotate(t.Context(), of(ann), next.ID, apikey.Rotation{})
	w.refused(err, 400)
	_, err = w.Update(t.Context(), of(ann), next.ID, apikey.Change{Lasting: true})
	w.refused(err, 400) // what is over does not come back
}

func TestOfManyRotationsOfOneKeyOneSucceeds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	old := w.key(ann, apikey.Draft{})
	var rotated atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := w.Rotate(context.WithoutCancel(t.Context()), of(ann), old.ID, apikey.Rotation{}); err == nil {
				rotated.Add(1)
			}
		})
	}
	all.Wait()
	if n := one[int](w, `SELECT count(*) FROM api_keys`); rotated.Load() != 1 || n != 2 {
		t.Errorf("%d rotations succeeded, there are %d keys", rotated.Load(), n)
	}
}

func TestAnOwnerHasSoManyKeysAndNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("ann@example.com"), w.user("bob@example.com")
	w.execute(`
		INSERT INTO api_keys (id, user_id, name, prefix, key_hash, scopes, created_at)
		SELECT gen_random_uuid(), $1, 'one', 'oh_', decode(lpad(n::text, 8, '0'), 'hex'), '{read}', now()
		FROM generate_series(1, $2) n`, ann.ID, apikey.Most-5)
	var made atomic.Int32
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			_, err := w.Create(context.WithoutCancel(t.Context()), of(ann), apikey.Draft{Name: "x"})
			switch {
			case err == nil:
				made.Add(1)
			case problem.Of(err).Status != 400:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made.Load() != 5 {
		t.Errorf("%d were made, want 5", made.Load())
	}
	page, err := w.List(t.Context(), ann.ID, apikey.Window{Limit: 1})
	w.must(err)
	last := page.Items[0].ID
	for range apikey.Most {
		next, err := w.Rotate(t.Context(), of(ann), last, apikey.Rotation{Overlap: time.Hour})
		w.must(err)
		last = next.ID
	}
	_, err = w.Rotate(t.Context(), of(ann), last, apikey.Rotation{Overlap: time.Hour})
	w.refused(err, 400)
	w.key(bob, apikey.Draft{}) // which is nothing to others
	w.execute(`UPDATE api_keys SET expires_at = $2 WHERE user_id = $1`, ann.ID, w.now.Now())
	w.key(ann, apikey.Draft{})
}

func TestWhatIsWrongWithADraftIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("ann@example.com"), w.user("bob@example.com")
	past, far := w.now.Now(), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	fields := func(err error) (names []string) {
		faults, _ := problem.Of(err).Detail.([]problem.Field)
		for _, f := range faults {
			names = append(names, f.Loc[1].(string))
		}
		return names
	}
	for name, c := range map[string]struct {
		draft apikey.Draft
		want  []string
	}{
		"no name":      {apikey.Draft{}, []string{"name"}},
		"a long name":  {apikey.Draft{Name: strings.Repeat("é", 256)}, []string{"name"}},
		"a NUL":        {apikey.Draft{Name: "a\x00b"}, []string{"name"}},
		"a scope":      {apikey.Draft{Name: "a", Scopes: []string{"read", "root"}}, []string{"scopes"}},
		"no scope":     {apikey.Draft{Name: "a", Scopes: []string{""}}, []string{"scopes"}},
		"over":         {apikey.Draft{Name: "a", ExpiresAt: &past}, []string{"expires_at"}},
		"too far away": {apikey.Draft{Name: "a", ExpiresAt: &far}, []string{"expires_at"}},
		"all of it":    {apikey.Draft{Scopes: []string{"x"}, ExpiresAt: &past}, []string{"name", "scopes", "expires_at"}},
	} {
		_, err := w.Create(t.Context(), of(ann), c.draft)
		if diff := cmp.Diff(c.want, fields(err)); diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	if made := w.key(ann, apikey.Draft{Name: strings.Repeat("é", 255)}); len([]rune(made.Name)) != 255 {
		t.Errorf("%d characters", len([]rune(made.Name)))
	}
	_, err := w.Create(t.Context(), of(ann), apikey.Draft{Name: "a", TeamID: w.team(bob)})
	w.refused(err, 404)
	unknown := uuid.New()
	_, err = w.Create(t.Context(), of(ann), apikey.Draft{Name: "a", TeamID: &unknown})
	w.refused(err, 404)
}

func TestAKeyMakesAndChangesNothingAboveItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	until, later := w.now.Now().Add(time.Hour), w.now.Now().Add(2*time.Hour)
	high, low := w.key(ann, apikey.Draft{Scopes: []string{"admin"}}), w.key(ann, apikey.Draft{})
	act := of(ann)
	act.Scope, act.Expires = access.ScopeWrite, &until

	_, err := w.Create(t.Context(), act, apikey.Draft{Name: "a", Scopes: []string{"admin"}})
	wants(t, err, access.ErrScope)
	_, err = w.Rotate(t.Context(), act, high.ID, apikey.Rotation{})
	wants(t, err, access.ErrScope)
	_, err = w.Update(t.Context(), act, high.ID, apikey.Change{Scopes: []string{"read"}})
	wants(t, err, access.ErrScope)
	wants(t, w.Revoke(t.Context(), act, high.ID), access.ErrScope)
	w.works(high.Secret)

	made, err := w.Create(t.Context(), act, apikey.Draft{Name: "a"})
	w.must(err)
	rotated, err := w.Rotate(t.Context(), act, low.ID, apikey.Rotation{})
	w.must(err)
	for _, k := range []apikey.Created{made, rotated} {
		if k.ExpiresAt == nil || !k.ExpiresAt.Equal(until) {
			t.Errorf("a key that was made with a key lasts until %v", k.ExpiresAt)
		}
	}
	_, err = w.Create(t.Context(), act, apikey.Draft{Name: "a", ExpiresAt: &later})
	w.refused(err, 403)
	_, err = w.Update(t.Context(), act, made.ID, apikey.Change{ExpiresAt: &later})
	w.refused(err, 403)
	changed, err := w.Update(t.Context(), act, made.ID, apikey.Change{Lasting: true})
	w.must(err)
	if changed.ExpiresAt == nil || !changed.ExpiresAt.Equal(until) {
		t.Errorf("a key freed another of its end: %v", changed.ExpiresAt)
	}
	w.must(w.Revoke(t.Context(), act, made.ID))
}

func wants(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAKeyIsRenamedNarrowedAndGivenAnEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	made := w.key(ann, apikey.Draft{Name: "old"})
	until := w.now.Now().Add(time.Hour)
	name := "new"
	k, err := w.Update(t.Context(), of(ann), made.ID, apikey.Change{Name: &name, Scopes: []string{"read"}, ExpiresAt: &until})
	w.must(err)
	if k.Name != "new" || k.Scope() != access.ScopeRead || !k.ExpiresAt.Equal(until) || w.works(made.Secret).Scope != access.ScopeRead {
		t.Errorf("%+v", k)
	}
	_, err = w.Update(t.Context(), of(ann), made.ID, apikey.Change{Scopes: []string{"write"}})
	w.refused(err, 400)
	before := one[int](w, `SELECT count(*) FROM audit_log`)
	_, err = w.Update(t.Context(), of(ann), made.ID, apikey.Change{Name: &name})
	w.must(err)
	if one[int](w, `SELECT count(*) FROM audit_log`) != before {
		t.Error("a change that changed nothing is on record")
	}
	k, err = w.Update(t.Context(), of(ann), made.ID, apikey.Change{Lasting: true})
	w.must(err)
	if k.ExpiresAt != nil {
		t.Errorf("it still ends at %v", k.ExpiresAt)
	}
	past := w.now.Now()
	_, err = w.Update(t.Context(), of(ann), made.ID, apikey.Change{ExpiresAt: &past})
	w.refused(err, 422)
}

func TestKeysOfOthersAreMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("ann@example.com"), w.user("bob@example.com")
	his := w.key(bob, apikey.Draft{})
	for _, id := range []uuid.UUID{his.ID, uuid.New(), uuid.Nil} {
		_, err := w.Get(t.Context(), ann.ID, id)
		wants(t, err, apikey.ErrMissing)
		_, err = w.Update(t.Context(), of(ann), id, apikey.Change{})
		wants(t, err, apikey.ErrMissing)
		_, err = w.Rotate(t.Context(), of(ann), id, apikey.Rotation{})
		wants(t, err, apikey.ErrMissing)
		wants(t, w.Revoke(t.Context(), of(ann), id), apikey.ErrMissing)
	}
	w.works(his.Secret)
	if _, err := w.auth.Authenticate(t.Context(), access.OfSession(ann.ID, his.ID)); problem.Of(err).Status != 401 {
		t.Errorf("by its id it is another's: %v", err)
	}
	w.must(w.Revoke(t.Context(), of(bob), his.ID))
	wants(t, w.Revoke(t.Context(), of(bob), his.ID), apikey.ErrMissing)
}

func TestKeysAreListedPageByPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann, bob := w.user("ann@example.com"), w.user("bob@example.com")
	w.key(bob, apikey.Draft{})
	var want []string
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		w.key(ann, apikey.Draft{Name: name})
		want = append([]string{name}, want...)
	}
	w.must(w.Revoke(t.Context(), of(ann), w.key(ann, apikey.Draft{}).ID))
	var got []string
	window := apikey.Window{Limit: 2}
	for pages := 1; ; pages++ {
		page, err := w.List(t.Context(), ann.ID, window)
		w.must(err)
		for _, k := range page.Items {
			got = append(got, k.Name)
		}
		if page.Next == nil {
			if pages != 3 {
				t.Errorf("%d pages", pages)
			}
			break
		}
		window.After = *page.Next
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	empty, err := w.List(t.Context(), uuid.New(), window)
	w.must(err)
	if data, _ := json.Marshal(empty); string(data) != `{"items":[],"next_page_id":null}` {
		t.Errorf("%s", data)
	}
}

func TestKeysThatAreLongOverAreDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ann := w.user("ann@example.com")
	until := w.now.Now().Add(time.Hour)
	w.key(ann, apikey.Draft{ExpiresAt: &until})
	w.must(w.Revoke(t.Context(), of(ann), w.key(ann, apikey.Draft{}).ID))
	good := w.key(ann, apikey.Draft{})
	n, err := w.Purge(t.Context(), w.now.Now())
	w.must(err)
	if n != 0 {
		t.Errorf("%d deleted too early", n)
	}
	n, err = w.Purge(t.Context(), w.now.Now().Add(2*time.Hour))
	w.must(err)
	if n != 2 {
		t.Errorf("%d deleted, want 2", n)
	}
	w.works(good.Secret)
}
