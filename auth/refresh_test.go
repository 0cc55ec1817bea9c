package auth_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func offline(t *testing.T, s *auth.Service, email string) auth.Token {
	t.Helper()
	token, err := s.Login(t.Context(), email, goodPassword, auth.Client{IP: "192.0.2.1"}, auth.Offline)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func renewed(t *testing.T, s *auth.Service, refresh string) auth.Token {
	t.Helper()
	token, err := s.Refresh(t.Context(), refresh, auth.Client{IP: "192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func refusesRefresh(t *testing.T, s *auth.Service, refresh string) {
	t.Helper()
	_, err := s.Refresh(t.Context(), refresh, auth.Client{IP: "192.0.2.9"})
	refused(t, err, 401, "Unauthorized")
}

func bearerOf(token auth.Token) access.Credential {
	return access.Credential{Form: access.FormBearer, Token: token.AccessToken}
}

func TestARefreshKeepsTheSessionAndRotatesTheToken(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionLifetime = now.Now, 90*time.Minute })
	ann := register(t, s, "ann@example.com")
	first := offline(t, s, "ann@example.com")
	began := identify(t, s, bearerOf(first))
	if first.Lifetime != time.Hour || len(first.RefreshToken) != 52 || !began.Expires.Equal(now.Now().Add(time.Hour)) {
		t.Errorf("%v, %d characters, until %v", first.Lifetime, len(first.RefreshToken), began.Expires)
	}
	now.Advance(45 * time.Minute)
	second := renewed(t, s, first.RefreshToken)
	if second.RefreshToken == first.RefreshToken || second.AccessToken == first.AccessToken || len(second.RefreshToken) != 52 {
		t.Error("nothing was rotated")
	}
	after := identify(t, s, bearerOf(second))
	if after.Session != began.Session || after.User.ID != ann.ID || !after.Proved.Equal(began.Proved) {
		t.Errorf("before %+v, after %+v", began, after)
	}
	if second.Lifetime != 45*time.Minute || !after.Expires.Equal(now.Now().Add(45*time.Minute)) {
		t.Errorf("a token of %v outlives its session", second.Lifetime)
	}
	identify(t, s, bearerOf(first)) // it is good for its hour
	now.Advance(45 * time.Minute)
	refusesRefresh(t, s, second.RefreshToken)
}

func TestWithoutTheScopeNothingCanBeRefreshed(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	token, err := s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	if err != nil || token.RefreshToken != "" {
		t.Errorf("%q, %v", token.RefreshToken, err)
	}
	if n := one[int](t, db, `SELECT count(*) FROM refresh_tokens`); n != 0 {
		t.Errorf("%d refresh tokens", n)
	}
}

func TestWhatIsNoRefreshTokenIsRefused(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	token := offline(t, s, "ann@example.com")
	cookie := browse(t, s, "ann@example.com")
	for _, bad := range []string{
		"", "x", token.AccessToken, cookie.Token, token.RefreshToken + "A", token.RefreshToken[1:], "\x00" + token.RefreshToken[1:],
		"\xff" + token.RefreshToken[1:], string(make([]byte, 1<<16)),
	} {
		refusesRefresh(t, s, bad)
	}
	for _, form := range []access.Form{access.FormBearer, access.FormKey, access.FormCookie, access.FormSession} {
		_, err := s.Authenticate(t.Context(), access.Credential{Form: form, Token: token.RefreshToken})
		refused(t, err, 401, "Unauthorized")
	}
	renewed(t, s, token.RefreshToken)
}

func TestInTheGraceAUsedTokenGivesItsSuccessorOnceMore(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	first := offline(t, s, "ann@example.com")
	second := renewed(t, s, first.RefreshToken)
	now.Advance(20 * time.Second)
	if again := renewed(t, s, first.RefreshToken); again.RefreshToken != second.RefreshToken {
		t.Error("there are two successors")
	}
	third := renewed(t, s, second.RefreshToken)
	if late := renewed(t, s, first.RefreshToken); late.RefreshToken != third.RefreshToken {
		t.Error("a token that is not the newest was given")
	}
	identify(t, s, bearerOf(third))
	if n := one[int](t, db, `SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL`); n != 1 {
		t.Errorf("%d tokens are good", n)
	}
}

func TestReuseAfterTheGraceEndsTheSession(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db := dbtest.New(t)
	s := serve(t, db, func(c *auth.Config) { c.Now = now.Now })
	ann := register(t, s, "ann@example.com")
	stolen := offline(t, s, "ann@example.com")
	other := offline(t, s, "ann@example.com")
	newest := renewed(t, s, renewed(t, s, stolen.RefreshToken).RefreshToken)
	session := identify(t, s, bearerOf(newest)).Session
	now.Advance(20*time.Second + time.Millisecond)
	refusesRefresh(t, s, stolen.RefreshToken)
	for _, token := range []auth.Token{stolen, newest} {
		_, err := s.Authenticate(t.Context(), bearerOf(token))
		refused(t, err, 401, "Unauthorized")
		refusesRefresh(t, s, token.RefreshToken)
	}
	identify(t, s, bearerOf(renewed(t, s, other.RefreshToken))) // another family
	if n := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'session.refresh-reuse' AND object = $1 AND actor_id = $2
		AND detail = '{"ip": "192.0.2.9"}'`, session.String(), ann.ID); n != 1 {
		t.Errorf("%d lines of audit", n)
	}
}

func TestAReplicaWithAnotherSecretGivesAWorkingSuccessorToo(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	old := serve(t, db, nil)
	rotated := serve(t, db, func(c *auth.Config) {
		c.JWTSecret, c.PreviousSecrets = []byte("another secret of 32 bytes......"), [][]byte{secret}
	})
	register(t, old, "ann@example.com")
	first := offline(t, old, "ann@example.com")
	renewed(t, old, first.RefreshToken)
	renewed(t, rotated, renewed(t, rotated, first.RefreshToken).RefreshToken)
}

func TestAnOfflineSessionEndsWhenItRests(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionIdle = now.Now, 2*time.Hour })
	register(t, s, "ann@example.com")
	token := offline(t, s, "ann@example.com")
	now.Advance(2 * time.Hour)
	token = renewed(t, s, token.RefreshToken) // at the last moment; it counts as a use
	now.Advance(59 * time.Minute)
	identify(t, s, bearerOf(token)) // so does this
	testtime.Eventually(t, 5*time.Second, "the use is noted", func() bool {
		return one[bool](t, db, `SELECT last_seen_at = $1 FROM sessions`, now.Now())
	})
	now.Advance(2 * time.Hour)
	token = renewed(t, s, token.RefreshToken)
	now.Advance(2*time.Hour + time.Second)
	refusesRefresh(t, s, token.RefreshToken)
}

func TestAnAccessTokenOfARestingOfflineSessionIsNoGood(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionIdle = now.Now, 10*time.Minute })
	register(t, s, "ann@example.com")
	token, plain := offline(t, s, "ann@example.com"), login(t, s, "ann@example.com")
	now.Advance(10*time.Minute + time.Second)
	_, err := s.Authenticate(t.Context(), bearerOf(token))
	refused(t, err, 401, "Unauthorized")
	identify(t, s, plain) // the contract's token lives its time
}

func TestARefreshAsksAgainWhetherTheUserMayAct(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change string
		status int
	}{
		"an inactive user":        {`UPDATE users SET is_active = false`, 401},
		"an unverified user":      {`UPDATE users SET is_verified = false`, 403},
		"a deleted user":          {`DELETE FROM users`, 401},
		"a session that ended":    {`UPDATE sessions SET ended_at = now()`, 401},
		"a session without right": {`UPDATE sessions SET offline = false`, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, s := fresh(t, func(c *auth.Config) { c.RequireVerified = true })
			register(t, s, "ann@example.com")
			execute(t, db, `UPDATE users SET is_verified = true`)
			token := renewed(t, s, offline(t, s, "ann@example.com").RefreshToken)
			execute(t, db, c.change)
			_, err := s.Refresh(t.Context(), token.RefreshToken, auth.Client{})
			refused(t, err, c.status, "")
		})
	}
}

func TestTwoHundredRefreshesOfOneTokenLogNobodyOut(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db := dbtest.New(t)
	replicas := []*auth.Service{serve(t, db, func(c *auth.Config) { c.Now = now.Now }), serve(t, db, func(c *auth.Config) { c.Now = now.Now })}
	register(t, replicas[0], "ann@example.com")
	first := offline(t, replicas[0], "ann@example.com")
	tokens, failures := make([]auth.Token, 200), make([]error, 200)
	var all sync.WaitGroup
	for i := range tokens {
		all.Go(func() { tokens[i], failures[i] = replicas[i%2].Refresh(t.Context(), first.RefreshToken, auth.Client{}) })
	}
	all.Wait()
	sessions, successors := map[uuid.UUID]bool{}, map[string]bool{}
	for i, token := range tokens {
		if failures[i] != nil {
			t.Fatal(failures[i])
		}
		sessions[identify(t, replicas[0], bearerOf(token)).Session], successors[token.RefreshToken] = true, true
	}
	if len(sessions) != 1 || len(successors) != 1 {
		t.Errorf("%d sessions, %d successors", len(sessions), len(successors))
	}
	if n := one[int](t, db, `SELECT count(*) FROM refresh_tokens`); n != 2 {
		t.Errorf("%d tokens are kept", n)
	}
	now.Advance(time.Minute)
	newest := renewed(t, replicas[1], tokens[7].RefreshToken)
	refusesRefresh(t, replicas[0], first.RefreshToken)
	_, err := replicas[0].Authenticate(t.Context(), bearerOf(newest))
	refused(t, err, 401, "Unauthorized")
}

func TestARefreshCannotOutrunTheEndOfAllSessions(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	ann := register(t, s, "ann@example.com")
	token := offline(t, s, "ann@example.com")
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = s.Refresh(t.Context(), token.RefreshToken, auth.Client{}) })
	}
	all.Go(func() {
		if err := db.InTx(t.Context(), func(tx *postgres.Tx) error { return s.EndAll(t.Context(), tx, ann.ID) }); err != nil {
			t.Error(err)
		}
	})
	all.Wait()
	_, err := s.Authenticate(t.Context(), bearerOf(token))
	refused(t, err, 401, "Unauthorized")
	refusesRefresh(t, s, token.RefreshToken)
}

// thrifty lets nobody through, and notes what was asked.
type thrifty struct {
	auth.Limits
	asked []string
}

func (l *thrifty) Take(_ context.Context, action string, keys ...string) error {
	l.asked = append([]string{action}, keys...)
	return problem.New(http.StatusTooManyRequests, "Too many.")
}

func TestRefreshesAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	free := serve(t, db, nil)
	limits := &thrifty{}
	limited := serve(t, db, func(c *auth.Config) { c.Limits = limits })
	register(t, free, "ann@example.com")
	token := offline(t, free, "ann@example.com")
	_, err := limited.Refresh(t.Context(), token.RefreshToken, auth.Client{IP: "192.0.2.1"})
	refused(t, err, 429, "Too many.")
	if diff := cmp.Diff([]string{"refresh", "ip:192.0.2.1"}, limits.asked); diff != "" {
		t.Errorf("asked for -want +got:\n%s", diff)
	}
	renewed(t, free, token.RefreshToken) // it was not used up
}
