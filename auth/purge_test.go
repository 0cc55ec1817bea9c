package auth_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

const day = 24 * time.Hour

func TestAPurgeTakesWhatIsOverForLongAndNothingElse(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	user := register(t, s, "ann@example.com").ID
	session := func(name string, expires time.Duration, ended ...time.Duration) {
		t.Helper()
		execute(t, db, `
			INSERT INTO sessions (id, user_id, kind, expires_at, user_agent)
			VALUES (gen_random_uuid(), $1, 'token', $2, $3)`, user, now.Now().Add(expires), name)
		for _, at := range ended {
			execute(t, db, `UPDATE sessions SET ended_at = $2 WHERE user_agent = $1`, name, now.Now().Add(at))
		}
	}
	session("lives", day)
	session("expired of late", -30*day)
	session("expired long ago", -30*day-time.Second)
	session("ended of late", day, -30*day)
	session("ended long ago", day, -30*day-time.Second)
	link := func(name string, expires time.Duration, used ...time.Duration) {
		t.Helper()
		execute(t, db, `INSERT INTO setup_links (token_hash, expires_at) VALUES (convert_to($1, 'UTF8'), $2)`, name, now.Now().Add(expires))
		for _, at := range used {
			execute(t, db, `UPDATE setup_links SET used_at = $2 WHERE token_hash = convert_to($1, 'UTF8')`, name, now.Now().Add(at))
		}
	}
	link("good", time.Minute)
	link("expired of late", -day)
	link("expired long ago", -day-time.Second)
	link("used of late", time.Minute, -day)
	link("used long ago", time.Minute, -day-time.Second)

	if gone, err := s.Purge(t.Context()); gone != 4 || err != nil {
		t.Errorf("%d gone, %v", gone, err)
	}
	var sessions, links []string
	if err := db.SelectContext(t.Context(), &sessions, `SELECT user_agent FROM sessions ORDER BY user_agent COLLATE "C"`); err != nil {
		t.Fatal(err)
	}
	if err := db.SelectContext(t.Context(), &links, `SELECT convert_from(token_hash, 'UTF8') FROM setup_links ORDER BY token_hash`); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ended of late", "expired of late", "lives"}, sessions); diff != "" {
		t.Errorf("sessions -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"expired of late", "good", "used of late"}, links); diff != "" {
		t.Errorf("links -want +got:\n%s", diff)
	}
}

func TestAPurgeTakesMoreThanOneBatch(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	user := register(t, s, "ann@example.com").ID
	execute(t, db, `
		INSERT INTO sessions (id, user_id, kind, expires_at)
		SELECT gen_random_uuid(), $1, 'token', now() - interval '31 days'
		FROM generate_series(1, 2001)`, user)
	if gone, err := s.Purge(t.Context()); gone != 2001 || err != nil {
		t.Errorf("%d gone, %v", gone, err)
	}
}
