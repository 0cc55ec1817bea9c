package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// The conversations of the upstreams.
const (
	earlier = "11111111-2222-4333-8444-000000000001"
	another = "11111111-2222-4333-8444-000000000002"
	later   = "11111111-2222-4333-8444-000000000003"
)

func count(t *testing.T, db *postgres.DB, query string, args ...any) (n int) {
	t.Helper()
	if err := db.GetContext(t.Context(), &n, query, args...); err != nil {
		t.Fatal(err)
	}
	return n
}

func adopted(t *testing.T, db *postgres.DB) int {
	t.Helper()
	return count(t, db, `SELECT count(*) FROM conversations WHERE team_id = $1`, access.AnonymousTeam)
}

func TestAFreshInstallationAdoptsWhenAnonymousModeIsFirstOnAndNeverAgain(t *testing.T) {
	t.Parallel()
	url, u := dbtest.URL(t), newUpstream(t, earlier, another)
	db := dbtest.Open(t, url)
	off := open(t, settings(t, url, u), app.Options{})
	t.Cleanup(func() { _ = off.app.Close() })
	if settled, err := off.app.AdoptOnce(t.Context()); settled || err != nil || adopted(t, db) != 0 {
		t.Fatalf("while the mode is off: settled %v, %v, %d adopted", settled, err, adopted(t, db))
	}
	on := serve(t, settings(t, url, u, anonymous), app.Options{})
	until(t, "the log tells of the adoption", func() bool { return on.logs.has("count=2") })
	until(t, "the adoption is remembered", func() bool {
		return count(t, db, `SELECT count(*) FROM installation WHERE key = 'anonymous_adopted' AND value = '2'`) == 1
	})
	u.add(later)
	if settled, err := on.app.AdoptOnce(t.Context()); !settled || err != nil || adopted(t, db) != 2 {
		t.Errorf("once more: settled %v, %v, %d adopted", settled, err, adopted(t, db))
	}
}

func TestAnInstallationWithAccountsAdoptsNothingByItself(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	serve(t, settings(t, url, newUpstream(t)), app.Options{}).register("ada@example.com")
	on := open(t, settings(t, url, newUpstream(t, earlier), anonymous), app.Options{})
	t.Cleanup(func() { _ = on.app.Close() })
	if settled, err := on.app.AdoptOnce(t.Context()); !settled || err != nil || adopted(t, db) != 0 {
		t.Errorf("settled %v, %v, %d adopted", settled, err, adopted(t, db))
	}
}

func TestWhatIsLongOverIsDeleted(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	db := dbtest.Open(t, url)
	serve(t, settings(t, url, newUpstream(t)), app.Options{}).register("ada@example.com")
	db.MustExecContext(t.Context(), `
		INSERT INTO sessions (id, user_id, kind, expires_at)
		SELECT gen_random_uuid(), id, 'token', '2020-01-01' FROM users`)
	db.MustExecContext(t.Context(), `
		INSERT INTO setup_links (token_hash, expires_at, used_at)
		VALUES ('\x01', '2020-01-01', '2020-01-01')`)
	serve(t, settings(t, url, newUpstream(t)), app.Options{})
	until(t, "old rows are gone", func() bool {
		return count(t, db, `SELECT count(*) FROM sessions`) == 0 &&
			count(t, db, `SELECT count(*) FROM setup_links WHERE expires_at < '2021-01-01'`) == 0
	})
}

func TestReadinessFollowsTheDatabaseAndPagesTellTheLogWhatFailed(t *testing.T) {
	t.Parallel()
	cluster := dbtest.NewCluster(t)
	s := serve(t, settings(t, cluster.URL(), newUpstream(t)), app.Options{})
	if res := s.do("GET", "/readyz", ""); res.StatusCode != http.StatusOK || res.body != "{\"status\":\"ready\"}\n" {
		t.Fatalf("at first: %d %s", res.StatusCode, res.body)
	}
	s.register("ada@example.com")
	in := s.do("POST", "/api/auth/cookie/login", "username=ada@example.com&password="+strings.ReplaceAll(password, " ", "+"), formType)
	if len(in.Cookies()) != 1 {
		t.Fatal(in.StatusCode, in.body)
	}
	if err := cluster.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/account", "/account/keys", "/account/admin"} {
		until(t, path+" takes nobody for a stranger", func() bool {
			return s.do("GET", path, "", "Cookie: "+in.Cookies()[0].Name+"="+in.Cookies()[0].Value).StatusCode == http.StatusServiceUnavailable
		})
	}
	res := s.do("GET", "/readyz", "")
	res.want(t, "without a database", http.StatusServiceUnavailable, `{"detail":"not ready"}`)
	if res.Header.Get("Retry-After") == "" {
		t.Error("nobody is told when to come back")
	}
	if res := s.do("GET", "/healthz", ""); res.StatusCode != http.StatusOK {
		t.Errorf("the process answers, but it is %d", res.StatusCode)
	}
	if res := s.do("POST", "/account/login", "email=ada%40example.com&password=x", formType); res.StatusCode != http.StatusServiceUnavailable || !s.logs.has("account page") {
		t.Errorf("the page is %d; was it logged?", res.StatusCode)
	}
	if err := cluster.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "it is ready again", func() bool { return s.do("GET", "/readyz", "").StatusCode == http.StatusOK })
}

func TestAccountsTellTheLogWhatIsDamaged(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	s := serve(t, settings(t, url, newUpstream(t)), app.Options{})
	s.register("ada@example.com")
	dbtest.Open(t, url).MustExecContext(t.Context(), `UPDATE users SET password_hash = 'damaged'`)
	s.do("POST", "/api/auth/jwt/login", "username=ada%40example.com&password=x", formType)
	if !s.logs.has("the stored password hash is damaged") {
		t.Error("the log does not say so")
	}
}
