package auth_test

import (
	"errors"
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

const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

func listed(t *testing.T, s *auth.Service, id auth.Identity) []auth.Session {
	t.Helper()
	page, next, err := s.Sessions(t.Context(), id, 100, uuid.Nil)
	if err != nil || next != uuid.Nil {
		t.Fatalf("%v, %v", next, err)
	}
	return page
}

func TestASessionIsListedWithWhereItComesFrom(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	register(t, s, "bob@example.com")
	browse(t, s, "bob@example.com")
	began := now.Now().UTC()
	cookie, _, err := s.OpenBrowser(t.Context(), "ann@example.com", goodPassword, auth.Client{IP: "192.0.2.7", UserAgent: firefox})
	if err != nil {
		t.Fatal(err)
	}
	now.Advance(time.Minute)
	if _, err := s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{IP: "192.0.2.8", UserAgent: "curl/8.1"}, auth.Offline); err != nil {
		t.Fatal(err)
	}
	me := identify(t, s, access.Credential{Form: access.FormCookie, Token: cookie})
	second := began.Add(time.Minute)
	var got []auth.Session
	testtime.Eventually(t, 10*time.Second, "the use a minute later is written down", func() bool {
		got = listed(t, s, me)
		return len(got) == 2 && got[1].LastSeen.Equal(second)
	})
	want := []auth.Session{
		{ID: got[0].ID, Kind: "offline", Method: "password", Device: "curl", IP: "192.0.2.8", Created: second, LastSeen: second, Expires: second.Add(14 * day)},
		{ID: me.Session, Kind: "browser", Method: "password", Device: "Firefox on Windows", IP: "192.0.2.7", Created: began, LastSeen: second, Expires: began.Add(14 * day), Current: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestOnlySessionsThatLiveAreListed(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now, c.SessionIdle, c.JWTLifetime = now.Now, time.Hour, 3*time.Hour })
	register(t, s, "ann@example.com")
	browse(t, s, "ann@example.com")
	offline(t, s, "ann@example.com")
	ended := identify(t, s, login(t, s, "ann@example.com"))
	if err := s.End(t.Context(), ended.Session); err != nil {
		t.Fatal(err)
	}
	token := identify(t, s, login(t, s, "ann@example.com"))
	now.Advance(time.Hour)
	if got := listed(t, s, token); len(got) != 3 {
		t.Errorf("%d live", len(got))
	}
	now.Advance(time.Second)
	if got := listed(t, s, token); len(got) != 1 || got[0].ID != token.Session {
		t.Errorf("after the rest: %+v", got)
	}
	now.Advance(2 * time.Hour)
	if got := listed(t, s, token); len(got) != 0 {
		t.Errorf("after the end: %+v", got)
	}
}

func TestSessionsComeInPages(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	want := make([]uuid.UUID, 5)
	var me auth.Identity
	for i := range want {
		me = identify(t, s, login(t, s, "ann@example.com"))
		want[len(want)-1-i] = me.Session
	}
	var got []uuid.UUID
	after, pages := uuid.Nil, 0
	for pages == 0 || after != uuid.Nil {
		page, next, err := s.Sessions(t.Context(), me, 2, after)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range page {
			got = append(got, one.ID)
		}
		after, pages = next, pages+1
	}
	if diff := cmp.Diff(want, got); diff != "" || pages != 3 {
		t.Errorf("%d pages, -want +got:\n%s", pages, diff)
	}
}

func TestOneEndsOnlyOnesOwnSessions(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	now := testtime.NewClock()
	s, elsewhere := serve(t, db, func(c *auth.Config) { c.Now = now.Now }), serve(t, db, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	register(t, s, "bob@example.com")
	ann, bob := login(t, s, "ann@example.com"), login(t, s, "bob@example.com")
	other := browse(t, s, "ann@example.com")
	me := identify(t, s, ann)
	identify(t, elsewhere, other)
	for name, id := range map[string]uuid.UUID{"a foreign session": identify(t, s, bob).Session, "an unknown one": uuid.New(), "none": uuid.Nil} {
		if err := s.EndSession(t.Context(), me, id); !errors.Is(err, problem.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	identify(t, s, bob)
	gone := identify(t, s, other).Session
	if err := s.EndSession(t.Context(), me, gone); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), other)
	refused(t, err, 401, "")
	testtime.Eventually(t, 2*time.Second, "the other replica knows", func() bool {
		_, err := elsewhere.Authenticate(t.Context(), other)
		return err != nil
	})
	identify(t, s, ann)
	if err := s.EndSession(t.Context(), me, gone); !errors.Is(err, problem.NotFound) {
		t.Errorf("it ends twice: %v", err)
	}
	if n := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'session.end' AND object = $1`, gone.String()); n != 1 {
		t.Errorf("%d lines of audit", n)
	}
}

func TestAllOthersEndOrAll(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	register(t, s, "bob@example.com")
	ann, bob := login(t, s, "ann@example.com"), login(t, s, "bob@example.com")
	others := []access.Credential{browse(t, s, "ann@example.com"), login(t, s, "ann@example.com"), bearerOf(offline(t, s, "ann@example.com"))}
	me := identify(t, s, ann)
	for _, other := range others {
		identify(t, s, other)
	}
	if err := s.EndOtherSessions(t.Context(), me); err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		_, err := s.Authenticate(t.Context(), other)
		refused(t, err, 401, "")
	}
	identify(t, s, ann)
	if err := s.EndAllSessions(t.Context(), me); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), ann)
	refused(t, err, 401, "")
	identify(t, s, bob)
	for _, action := range []string{"session.end-others", "session.end-all"} {
		if n := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = $1 AND actor = 'ann@example.com'`, action); n != 1 {
			t.Errorf("%s: %d lines of audit", action, n)
		}
	}
	login(t, s, "ann@example.com") // who comes anew may
}

// The hash of a password takes a while: whoever brings the old one when all sessions end must not come in after that.
func TestASignInUnderWayEndsWithTheSessions(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	ann := register(t, s, "ann@example.com")
	proved, err := auth.Prove(t.Context(), s, "ann@example.com", goodPassword)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.InTx(t.Context(), func(tx *postgres.Tx) error { return s.EndOthers(t.Context(), tx, ann.ID, uuid.Nil) }); err != nil {
		t.Fatal(err)
	}
	_, err = s.GrantToken(t.Context(), proved)
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	_, _, err = s.GrantBrowser(t.Context(), proved)
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	login(t, s, "ann@example.com")
}

func TestEndingEverythingTakesNothingWithItWhenItFails(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	ann := register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	failed := errors.New("the change failed")
	err := db.InTx(t.Context(), func(tx *postgres.Tx) error { return errors.Join(s.EndAll(t.Context(), tx, ann.ID), failed) })
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	identify(t, s, token)
}

func TestASuperuserWhoIsNoneAnyMoreIsSeenAtOnce(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	s, elsewhere := serve(t, db, nil), serve(t, db, nil)
	root, err := s.CreateUser(t.Context(), auth.Registration{Email: "root@example.com", Password: goodPassword}, true)
	if err != nil {
		t.Fatal(err)
	}
	token := login(t, s, "root@example.com")
	for _, replica := range []*auth.Service{s, elsewhere} {
		if !identify(t, replica, token).User.IsSuperuser {
			t.Fatal("no superuser")
		}
	}
	err = db.InTx(t.Context(), func(tx *postgres.Tx) error {
		_, err := tx.Exec(`UPDATE users SET is_superuser = false WHERE id = $1`, root.ID)
		return errors.Join(err, tx.Notify(postgres.TopicUser, root.ID))
	})
	if err != nil {
		t.Fatal(err)
	}
	if identify(t, s, token).User.IsSuperuser {
		t.Error("still one here")
	}
	testtime.Eventually(t, 2*time.Second, "the other replica knows", func() bool { return !identify(t, elsewhere, token).User.IsSuperuser })
}

func TestADeviceIsNamedForPeople(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		firefox: "Firefox on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      "Safari on macOS",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36":                                      "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1":    "Safari on iPhone",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/143.0.0.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36":  "Samsung Internet on Android",
		"Mozilla/5.0":         "Unknown browser",
		"Mozilla/5.0 (Linux)": "Linux",
		"curl/8.14.1":         "curl",
		"python-httpx/0.28.1": "python-httpx",
		"Go-http-client/1.1":  "Go-http-client",
		"":                    "Unknown device",
		"/":                   "Unknown device",
		"\x00\xff\r\n":        "Unknown device",
		"a\r\nb\u202ec<b>/1":  "abc<b>",
		"0123456789012345678901234567890123456789tail": "0123456789012345678901234567890123456789",
	} {
		if got := auth.Device(agent); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
