package app_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/config"
)

// stale makes the proofs in a user's sessions older than they may be for what is sensitive.
func (s *site) stale(user string) {
	s.t.Helper()
	const past = `UPDATE sessions SET proved_at = now() - interval '11 minutes', factor_at = factor_at - interval '11 minutes' WHERE user_id = $1`
	if err := s.app.Execute(s.t.Context(), past, user); err != nil {
		s.t.Fatal(err)
	}
	if err := s.app.Announce(s.t.Context(), uuid.MustParse(user)); err != nil {
		s.t.Fatal(err)
	}
}

const stepUp = `{"detail":"STEP_UP_REQUIRED"}`

func TestASuperuserWithASecondFactorShowsItBeforeChangingAccounts(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, plain := s.person("ada@example.com"), s.root("plain@example.com")
	m := s.holder("root@example.com").enrol()
	root := field[string](t, m.call("GET", "/api/users/me", ""), "id")
	user{site: s, id: root}.change(`UPDATE users SET is_superuser = true, is_verified = true WHERE id = $1`, root)
	key := field[string](t, m.call("POST", "/api/keys", `{"name":"all","scopes":["admin"]}`).is(t, "a key", 201), "key")
	s.stale(root)
	s.stale(plain.id)

	for _, users := range []string{"/api/users/", "/api/auth/users/"} {
		m.call("PATCH", users+ada.id, `{"password":"another horse"}`).want(t, "PATCH", 403, stepUp)
		m.call("DELETE", users+ada.id, "").want(t, "DELETE", 403, stepUp)
		m.call("PATCH", users+uuid.NewString(), `{}`).want(t, "PATCH of nobody", 403, stepUp)
		m.call("GET", users+ada.id, "").is(t, "GET", 200)
		s.do("PATCH", users+ada.id, `{"name":"A"}`, jsonType, "X-Session-API-Key: "+key).want(t, "a key of theirs", 403, stepUp)
		plain.ask("PATCH", users+ada.id, `{"name":"A"}`).is(t, "a superuser without a factor", 200)
	}
	m.call("PATCH", "/api/admin/users/"+ada.id, `{"password":"another horse"}`).want(t, "the other PATCH", 403, stepUp)
	m.call("PATCH", "/api/admin/users/"+ada.id, `{"email":"eve@example.com"}`).want(t, "the other PATCH, an address", 403, stepUp)
	m.call("POST", "/api/admin/users/"+ada.id+"/setup-link", "").want(t, "a set-up link", 403, stepUp)
	plain.ask("POST", "/api/admin/users/"+ada.id+"/setup-link", "").is(t, "a set-up link without a factor", 200)

	m.call("POST", "/api/auth/step-up", `{"code":"`+m.code(1)+`"}`).is(t, "a code", 204)
	m.call("PATCH", "/api/users/"+ada.id, `{"name":"Ada"}`).is(t, "PATCH", 200)
	m.call("POST", "/api/admin/users/"+ada.id+"/setup-link", "").is(t, "a set-up link", 200)
	m.call("DELETE", "/api/users/"+ada.id, "").is(t, "DELETE", 204)
}

func TestAKeyOfTheHighestScopeIsReplacedOrProlongedAfterAFreshProofOnly(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada := s.person("ada@example.com")
	made := ada.ask("POST", "/api/keys", `{"name":"all","scopes":["admin"],"expires_at":"2098-01-01T00:00:00Z"}`)
	all, secret := made.field(t, "id"), made.field(t, "key")
	lesser := ada.ask("POST", "/api/keys", `{"name":"w"}`).field(t, "id")
	team := ada.ask("POST", "/api/teams/", `{"name":"Ours"}`).field(t, "id")
	robots := "/api/teams/" + team + "/service-accounts"
	robot := robots + "/" + ada.ask("POST", robots, `{"name":"ci"}`).field(t, "id") + "/keys"
	strong := robot + "/" + ada.ask("POST", robot, `{"name":"all","scopes":["admin"]}`).field(t, "id")
	weak := robot + "/" + ada.ask("POST", robot, `{"name":"w"}`).field(t, "id")
	s.stale(ada.id)

	ada.ask("POST", "/api/keys/"+all+"/rotate", "").want(t, "rotate", 403, stepUp)
	ada.ask("PATCH", "/api/keys/"+all, `{"expires_at":null}`).want(t, "for ever", 403, stepUp)
	ada.ask("POST", strong+"/rotate", "").want(t, "rotate a service account's", 403, stepUp)
	ada.ask("PATCH", "/api/keys/"+all, `{"name":"everything"}`).is(t, "rename", 200)
	ada.ask("POST", "/api/keys/"+lesser+"/rotate", "").is(t, "rotate a lesser one", 201)
	ada.ask("POST", weak+"/rotate", "").is(t, "rotate a service account's lesser one", 201)
	ada.ask("POST", "/api/keys/"+uuid.NewString()+"/rotate", "").is(t, "rotate none", 404)
	s.do("POST", "/api/keys/"+all+"/rotate", "", "X-Session-API-Key: "+secret).is(t, "a program rotates its own", 201)

	s.signedIn(ada.email).ask("POST", strong+"/rotate", "").is(t, "after a fresh proof", 201)
}

// Configurations that were written for other programs often list the own origin, too.
func TestTheOwnOriginIsNotForeignThoughItIsListed(t *testing.T) {
	t.Parallel()
	listed := func(cfg *config.Config) {
		cfg.PermittedCORSOrigins = []string{"http://127.0.0.1:3000", "http://Agents.example.com", "https://public.example.com"}
	}
	behind := newSite(t, listed, func(cfg *config.Config) { cfg.PublicURL = "https://public.example.com" })
	direct := newSite(t, listed)
	for what, res := range map[string]answer{
		"by the host":       direct.do("POST", "/api/auth/cookie/login", "username=a@example.com&password=x", formType, "Host: agents.example.com", "Origin: http://agents.example.com"),
		"by PUBLIC_URL":     behind.do("POST", "/api/auth/cookie/login", "username=a@example.com&password=x", formType, "Origin: https://public.example.com"),
		"without an origin": direct.do("POST", "/api/auth/cookie/login", "username=a@example.com&password=x", formType),
	} {
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s %v", what, res.StatusCode, res.body, res.Header)
		}
	}
	for what, res := range map[string]answer{
		"a foreign one":          direct.do("POST", "/api/auth/cookie/login", "", formType, "Host: agents.example.com", "Origin: http://127.0.0.1:3000"),
		"the host, other scheme": behind.do("POST", "/api/auth/cookie/login", "", formType, "Origin: http://agents.example.com"),
	} {
		res.want(t, what, http.StatusUnauthorized, unauthorized)
	}
}

func TestAnExportEndsWithTheSessionThatAskedForIt(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada := s.person("ada@example.com")
	fill := `INSERT INTO audit_log (actor_id, actor, action, detail) SELECT $1, 'ada', 'x', jsonb_build_object('text', repeat('x', 1000)) FROM generate_series(1, 30000)`
	if err := s.app.Execute(t.Context(), fill, ada.id); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/auth/account/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", strings.TrimPrefix(ada.bearer, "Authorization: "))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 1<<10)); err != nil || res.StatusCode != 200 {
		t.Fatal(res.StatusCode, err)
	}
	ada.ask("POST", "/api/auth/jwt/logout", "").is(t, "logout", 204)
	if n, err := io.Copy(io.Discard, res.Body); err == nil {
		t.Errorf("the export went on to its end, %d bytes", n)
	}
}
