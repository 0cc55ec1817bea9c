package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestAnAccessTokenHasTheContractsForm(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	u := register(t, s, "ann@example.com")
	token, err := s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	parsed, _, err := jwt.NewParser().ParseUnverified(token.AccessToken, claims)
	if err != nil || parsed.Header["alg"] != "HS256" {
		t.Fatalf("%v, %v", parsed, err)
	}
	audience, isList := claims["aud"].([]any)
	if claims["sub"] != u.ID.String() || !isList || len(audience) != 1 || audience[0] != "fastapi-users:auth" {
		t.Errorf("claims %v", claims)
	}
	if claims["exp"] != float64(now.Now().Add(time.Hour).Unix()) || claims["iat"] != float64(now.Now().Unix()) {
		t.Errorf("times %v", claims)
	}
	identity := identify(t, s, access.Credential{Form: access.FormKey, Token: token.AccessToken})
	if identity.User.ID != u.ID || identity.Session.String() != claims["sid"] || !identity.Expires.Equal(now.Now().Add(time.Hour)) {
		t.Errorf("got %+v", identity)
	}
}

func TestATokenExpiresAlsoWhenItIsRemembered(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	now.Advance(time.Hour - time.Second)
	identify(t, s, token)
	now.Advance(time.Second)
	_, err := s.Authenticate(t.Context(), token)
	refused(t, err, 401, "Unauthorized")
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	ann, bob := register(t, s, "ann@example.com"), register(t, s, "bob@example.com")
	good := login(t, s, "ann@example.com")
	session := identify(t, s, good).Session.String()
	claims := func(change func(jwt.MapClaims)) jwt.MapClaims {
		c := jwt.MapClaims{"sub": ann.ID.String(), "aud": []string{"fastapi-users:auth"}, "sid": session, "exp": time.Now().Add(time.Hour).Unix()}
		change(c)
		return c
	}
	same := claims(func(jwt.MapClaims) {})
	sign := func(method jwt.SigningMethod, key any, c jwt.MapClaims) string {
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	identify(t, s, access.Credential{Form: access.FormBearer, Token: sign(jwt.SigningMethodHS256, secret, same)}) // so the rest fails for its fault only

	for name, token := range map[string]string{
		"unsigned":         sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, same),
		"another method":   sign(jwt.SigningMethodHS512, secret, same),
		"another secret":   sign(jwt.SigningMethodHS256, []byte("another secret of 32 bytes......"), same),
		"another audience": sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["aud"] = "fastapi-users:reset" })),
		"the upstream's":   sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["aud"] = "openhands-upstream" })),
		"no audience":      sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { delete(c, "aud") })),
		"no expiry":        sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { delete(c, "exp") })),
		"expired":          sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Second).Unix() })),
		"no session":       sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { delete(c, "sid") })),
		"unknown session":  sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["sid"] = uuid.NewString() })),
		"unknown user":     sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["sub"] = uuid.NewString() })),
		"somebody else":    sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { c["sub"] = bob.ID.String() })),
		"no user":          sign(jwt.SigningMethodHS256, secret, claims(func(c jwt.MapClaims) { delete(c, "sub") })),
		"altered":          good.Token[:len(good.Token)-2] + "AA",
		"no signature":     good.Token[:strings.LastIndexByte(good.Token, '.')+1],
		"padded":           good.Token + "=",
		"garbage":          "a.b.c",
		"too long":         good.Token + strings.Repeat("A", 1<<20),
		"empty":            "",
	} {
		_, err := s.Authenticate(t.Context(), access.Credential{Form: access.FormBearer, Token: token})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		refused(t, err, 401, "Unauthorized")
	}
}

func TestAPreviousSecretStillVerifies(t *testing.T) {
	t.Parallel()
	db, old := fresh(t, nil)
	register(t, old, "ann@example.com")
	token := login(t, old, "ann@example.com")
	next := []byte("the next secret has 32 bytes too")
	rotated := serve(t, db, func(c *auth.Config) { c.JWTSecret, c.PreviousSecrets = next, [][]byte{secret} })
	identify(t, rotated, token)
	_, err := old.Authenticate(t.Context(), login(t, rotated, "ann@example.com"))
	refused(t, err, 401, "")
	_, err = serve(t, db, func(c *auth.Config) { c.JWTSecret = next }).Authenticate(t.Context(), token)
	refused(t, err, 401, "")
}

func TestUnknownInactiveAndWrongAnswerAlike(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	register(t, s, "gone@example.com")
	execute(t, db, `UPDATE users SET is_active = false WHERE email = 'gone@example.com'`)
	for email, password := range map[string]string{
		"nobody@example.com": goodPassword, "gone@example.com": goodPassword, "ann@example.com": "wrong horse", " ann@example.com": goodPassword, "": "",
	} {
		_, err := s.Login(t.Context(), email, password, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
		_, _, err = s.OpenBrowser(t.Context(), email, password, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	}
}

func TestABrowserSessionIsStoredHashedAndIsNoToken(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	u := register(t, s, "ann@example.com")
	cookie := browse(t, s, "ann@example.com")
	if identify(t, s, cookie).User.ID != u.ID || len(cookie.Token) != 52 {
		t.Errorf("cookie %q", cookie.Token)
	}
	stored := one[int](t, db, `SELECT count(*) FROM sessions WHERE token_hash = sha256(convert_to($1, 'UTF8'))`, cookie.Token)
	if stored != 1 {
		t.Error("not stored as its SHA-256")
	}
	_, err := s.Authenticate(t.Context(), access.Credential{Form: access.FormBearer, Token: cookie.Token})
	refused(t, err, 401, "")
	_, err = s.Authenticate(t.Context(), access.Credential{Form: access.FormCookie, Token: login(t, s, "ann@example.com").Token})
	refused(t, err, 401, "")
	for _, absurd := range []string{"", "x", strings.Repeat("A", 52), strings.Repeat("\x00", 52), strings.Repeat("A", 1<<20)} {
		_, err := s.Authenticate(t.Context(), access.Credential{Form: access.FormCookie, Token: absurd})
		refused(t, err, 401, "")
	}
	_, err = s.Authenticate(t.Context(), access.Credential{})
	refused(t, err, 401, "")
}

func TestABrowserSessionEndsAtItsLifetimeHoweverUsed(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionLifetime, c.SessionIdle = now.Now, 3*time.Hour, time.Hour })
	register(t, s, "ann@example.com")
	cookie := browse(t, s, "ann@example.com")
	for range 3 {
		now.Advance(time.Hour - time.Second)
		identify(t, s, cookie)
	}
	now.Advance(3 * time.Second)
	_, err := s.Authenticate(t.Context(), cookie)
	refused(t, err, 401, "")
}

func TestABrowserSessionEndsWhenItIsIdle(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionIdle = now.Now, time.Hour })
	register(t, s, "ann@example.com")
	cookie := browse(t, s, "ann@example.com")
	identify(t, s, cookie)
	now.Advance(time.Hour + time.Second)
	_, err := s.Authenticate(t.Context(), cookie)
	refused(t, err, 401, "")
}

func TestUseOnOneReplicaKeepsTheSessionAliveOnAnother(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	configure := func(c *auth.Config) { c.Now, c.SessionIdle = now.Now, time.Hour }
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	first, other := serve(t, db, configure), serve(t, dbtest.Open(t, url), configure)
	register(t, first, "ann@example.com")
	cookie := browse(t, first, "ann@example.com")
	identify(t, first, cookie)
	identify(t, other, cookie)

	now.Advance(50 * time.Minute)
	identify(t, other, cookie)
	testtime.Eventually(t, 10*time.Second, "the use is in the database", func() bool {
		return one[time.Time](t, db, `SELECT last_seen_at FROM sessions`).Equal(now.Now())
	})
	now.Advance(50 * time.Minute) // the first replica itself last saw it 100 minutes ago
	identify(t, first, cookie)
}

func TestTheUseOfASessionIsWrittenAtMostOnceAMinute(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	opened := now.Now()
	now.Advance(59 * time.Second)
	identify(t, s, token)
	now.Advance(time.Second)
	identify(t, s, token)
	want := opened.Add(time.Minute)
	testtime.Eventually(t, 10*time.Second, "the use after a minute is written", func() bool {
		seen := one[time.Time](t, db, `SELECT last_seen_at FROM sessions`)
		if !seen.Equal(opened) && !seen.Equal(want) {
			t.Fatalf("seen at %v", seen)
		}
		return seen.Equal(want)
	})
}

func TestLogoutRevokesAtOnceAndOnEveryReplicaWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	here, there := serve(t, dbtest.Open(t, url), nil), serve(t, dbtest.Open(t, url), nil)
	register(t, here, "ann@example.com")
	kept := login(t, here, "ann@example.com")
	for _, credential := range []access.Credential{login(t, here, "ann@example.com"), browse(t, here, "ann@example.com")} {
		identify(t, there, credential)
		identify(t, there, kept)
		if err := here.End(t.Context(), identify(t, here, credential).Session); err != nil {
			t.Fatal(err)
		}
		_, err := here.Authenticate(t.Context(), credential)
		refused(t, err, 401, "Unauthorized")
		testtime.Eventually(t, 2*time.Second, "the other replica refuses", func() bool {
			_, err := there.Authenticate(t.Context(), credential)
			return err != nil
		})
		_, err = there.Authenticate(t.Context(), credential)
		refused(t, err, 401, "Unauthorized")
		identify(t, here, kept)
		identify(t, there, kept)
	}
}

func TestAKnownCredentialCostsNoQuery(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	for _, c := range []access.Credential{login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")} {
		remember(t, db, s, c)
	}
}

// remember returns once the service knows the credential by heart: it is good even with its user inactive, which was done behind
// everybody's back and is undone. It may take a few turns, as an event can drop a fill.
func remember(t *testing.T, db *postgres.DB, s *auth.Service, c access.Credential) {
	t.Helper()
	testtime.Eventually(t, 10*time.Second, "the credential is remembered", func() bool {
		identify(t, s, c)
		execute(t, db, `UPDATE users SET is_active = false`)
		defer execute(t, db, `UPDATE users SET is_active = true`)
		_, err := s.Authenticate(t.Context(), c)
		return err == nil
	})
}

func TestAnInactiveUserIsRefusedOnceItIsAnnounced(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	u := register(t, s, "ann@example.com")
	token, cookie := login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")
	remember(t, db, s, token)
	remember(t, db, s, cookie)
	err := db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `UPDATE users SET is_active = false`); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicUser, u.ID)
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(t.Context(), token)
	refused(t, err, 401, "Unauthorized")
	_, err = s.Authenticate(t.Context(), cookie)
	refused(t, err, 401, "Unauthorized")
	_, _, err = s.GrantBrowser(t.Context(), auth.SignIn{User: u.ID})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
}

func TestACutListenerForgetsEverything(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	remember(t, db, s, token)
	execute(t, db, `UPDATE users SET is_active = false`)
	dbtest.Cut(t, db)
	testtime.Eventually(t, 10*time.Second, "the change is seen without an event of its own", func() bool {
		_, err := s.Authenticate(t.Context(), token)
		return err != nil
	})
}

func TestADatabaseThatIsAwayIsSaidSo(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	db := dbtest.Open(t, cluster.URL())
	s := serve(t, db, nil)
	register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	identify(t, s, token)
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	testtime.Eventually(t, 10*time.Second, "the cache is not trusted any more", func() bool {
		_, err := s.Authenticate(t.Context(), token)
		return err != nil
	})
	_, err := s.Authenticate(t.Context(), token)
	refused(t, err, 503, "")
	_, err = s.Authenticate(t.Context(), access.Credential{Form: access.FormBearer, Token: "a.b.c"})
	refused(t, err, 401, "")
	_, err = s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	refused(t, err, 503, "")
	_, err = s.Register(t.Context(), auth.Registration{Email: "bob@example.com", Password: goodPassword})
	refused(t, err, 503, "")
	_, _, err = s.SetupLink(t.Context())
	refused(t, err, 503, "")

	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	testtime.Eventually(t, 20*time.Second, "it recovers by itself", func() bool {
		_, err := s.Authenticate(t.Context(), token)
		return err == nil
	})
}
