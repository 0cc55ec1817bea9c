package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// object reads an answer that must have that status.
func (a answer) object(t *testing.T, status int) (o map[string]any) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s %s: %d %s, want %d", a.Request.Method, a.Request.URL.Path, a.StatusCode, a.body, status)
	}
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatal(err, a.body)
	}
	return o
}

// person has an account here.
type user struct {
	*site
	email, id string
	bearer    string // header of an access token
}

func (s *site) person(email string) user {
	s.t.Helper()
	s.register(email)
	return s.signedIn(email)
}

func (s *site) signedIn(email string) user {
	s.t.Helper()
	res := s.do("POST", "/api/auth/jwt/login", "username="+email+"&password="+strings.ReplaceAll(password, " ", "+"), formType)
	u := user{site: s, email: email, bearer: "Authorization: Bearer " + res.object(s.t, 200)["access_token"].(string)}
	u.id = u.do("GET", "/api/users/me", "", u.bearer).object(s.t, 200)["id"].(string)
	return u
}

// ask sends JSON as the user.
func (u user) ask(method, path, body string) answer {
	u.t.Helper()
	return u.do(method, path, body, u.bearer, jsonType)
}

// root is a superuser, made behind the program's back.
func (s *site) root(email string) user {
	s.t.Helper()
	u := s.person(email)
	u.change(`UPDATE users SET is_superuser = true, is_verified = true WHERE id = $1`, u.id)
	return u
}

// change writes something about a user, and has all caches forget them.
func (u user) change(statement string, args ...any) {
	u.t.Helper()
	if err := u.app.Execute(u.t.Context(), statement, args...); err != nil {
		u.t.Fatal(err)
	}
	if err := u.app.Announce(u.t.Context(), uuid.MustParse(u.id)); err != nil {
		u.t.Fatal(err)
	}
}

// cheap is a site whose passwords cost nothing.
func cheap(t *testing.T, changes ...func(*config.Config)) *site {
	t.Helper()
	return serve(t, settings(t, dbtest.URL(t), newUpstream(t), changes...), app.Options{Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}})
}

func TestOnlySuperusersAdministerAccounts(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, root := s.person("ada@example.com"), s.root("root@example.com")
	key := root.ask("POST", "/api/keys", `{"name":"w","scopes":["write"]}`).object(t, 201)["key"].(string)
	for _, c := range []struct{ method, path string }{
		{"GET", "/api/admin/users"}, {"GET", "/api/admin/users/"}, {"POST", "/api/admin/users"},
		{"GET", "/api/admin/users/" + ada.id}, {"PATCH", "/api/admin/users/" + ada.id}, {"DELETE", "/api/admin/users/" + ada.id},
		{"POST", "/api/admin/users/" + ada.id + "/suspend"}, {"POST", "/api/admin/users/" + ada.id + "/reactivate"},
		{"POST", "/api/admin/users/" + ada.id + "/verify"}, {"POST", "/api/admin/users/" + ada.id + "/setup-link"},
		{"POST", "/api/admin/teams/" + ada.id + "/enter"}, {"DELETE", "/api/admin/teams/" + ada.id + "/enter"},
		{"GET", "/api/admin/users/nobody"}, {"DELETE", "/api/admin/users/" + root.id},
	} {
		s.do(c.method, c.path, `{}`, jsonType).want(t, c.method+" "+c.path+" by a stranger", 401, `{"detail":"Unauthorized"}`)
		ada.ask(c.method, c.path, `{}`).want(t, c.method+" "+c.path+" by a user", 403, `{"detail":"Forbidden"}`)
		s.do(c.method, c.path, `{}`, jsonType, "X-Session-API-Key: "+key).want(t, c.method+" "+c.path+" with a lesser key", 403, `{"detail":"Forbidden"}`)
	}
	for _, path := range []string{"/api/admin/users/nobody", "/api/admin/users/00000000-0000-4000-8000-000000000000"} {
		root.ask("GET", path, "").want(t, path, 404, notFound)
	}
	s.do("GET", "/api/admin/nothing", "").want(t, "no route", 404, notFound)
}

func TestASuperuserAdministersAccountsThroughTheAPI(t *testing.T) {
	t.Parallel()
	s := cheap(t, func(c *config.Config) { c.Registration = config.RegistrationOpen })
	root := s.root("root@example.com")
	made := root.ask("POST", "/api/admin/users", `{"email":"bob@example.com","name":"Bob"}`)
	bob := made.object(t, 201)
	link, _ := bob["setup_link"].(string)
	if made.Header.Get("Cache-Control") != "no-store" || !strings.Contains(link, "/account/reset/") || bob["setup_link_expires_at"] == nil {
		t.Fatalf("%v %s", made.Header, made.body)
	}
	token := link[strings.LastIndexByte(link, '/')+1:]
	if res := s.do("POST", "/api/auth/reset-password", `{"token":"`+token+`","password":"`+password+`"}`, jsonType); res.StatusCode != 200 {
		t.Fatal(res.StatusCode, res.body)
	}
	signedIn := s.signedIn("bob@example.com")
	path := "/api/admin/users/" + signedIn.id
	if got := root.ask("GET", path, "").object(t, 200); got["email"] != "bob@example.com" || got["has_password"] != true || got["created_at"] == nil {
		t.Error(got)
	}
	if got := root.ask("POST", path+"/verify", "").object(t, 200); got["is_verified"] != true {
		t.Error(got)
	}
	if got := root.ask("PATCH", path, `{"name":"Robert","is_superuser":false}`).object(t, 200); got["name"] != "Robert" {
		t.Error(got)
	}
	list := root.ask("GET", "/api/admin/users?q=ROB&status=active&limit=1", "").object(t, 200)
	if items := list["items"].([]any); len(items) != 1 || list["next_page_id"] != nil {
		t.Error(list)
	}
	for _, query := range []string{"?status=x", "?limit=0", "?limit=x", "?page_id=x"} {
		if res := root.ask("GET", "/api/admin/users"+query, ""); res.StatusCode != 422 {
			t.Errorf("%s: %d %s", query, res.StatusCode, res.body)
		}
	}
	if got := root.ask("POST", path+"/suspend", "").object(t, 200); got["is_active"] != false {
		t.Error(got)
	}
	signedIn.ask("GET", "/api/users/me", "").want(t, "suspended", 401, `{"detail":"Unauthorized"}`)
	root.ask("POST", path+"/reactivate", "").object(t, 200)
	if res := root.ask("DELETE", path, ""); res.StatusCode != 204 || res.body != "" {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	root.ask("DELETE", path, "").want(t, "again", 404, notFound)
	if res := root.ask("DELETE", "/api/admin/users/"+root.id, ""); res.StatusCode != 409 {
		t.Errorf("the last one: %d %s", res.StatusCode, res.body)
	}
}

func TestWhatCannotBeTakenBackAsksForAFreshProof(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, root := s.person("ada@example.com"), s.root("root@example.com")
	if err := s.app.Execute(t.Context(), `UPDATE sessions SET proved_at = now() - interval '11 minutes' WHERE user_id = $1`, root.id); err != nil {
		t.Fatal(err)
	}
	root.change(`SELECT $1::text`, root.id)
	team := ada.ask("POST", "/api/teams/", `{"name":"Ours"}`).object(t, 201)["id"].(string)
	const stale = `{"detail":"STEP_UP_REQUIRED"}`
	root.ask("DELETE", "/api/admin/users/"+ada.id, "").want(t, "delete", 403, stale)
	root.ask("PATCH", "/api/admin/users/"+ada.id, `{"is_superuser":true}`).want(t, "grant", 403, stale)
	root.ask("POST", "/api/admin/users", `{"email":"x@example.com","is_superuser":true}`).want(t, "create", 403, stale)
	root.ask("POST", "/api/admin/teams/"+team+"/enter", `{"reason":"to look at it"}`).want(t, "enter", 403, stale)
	root.ask("POST", "/api/admin/users/"+ada.id+"/verify", "").object(t, 200)
	again := s.signedIn(root.email)
	again.ask("POST", "/api/admin/teams/"+team+"/enter", `{"reason":"to look at it"}`).object(t, 201)
	key := again.ask("POST", "/api/keys", `{"name":"a","scopes":["admin"]}`).object(t, 201)["key"].(string)
	s.do("DELETE", "/api/admin/users/"+ada.id, "", "X-Session-API-Key: "+key).want(t, "a key", 403, stale)
	if res := s.do("GET", "/api/admin/users", "", "X-Session-API-Key: "+key); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

func TestASuperuserSeesATeamOnlyWhileInsideAndTheTeamSeesIt(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, root := s.person("ada@example.com"), s.root("root@example.com")
	team := ada.ask("POST", "/api/teams/", `{"name":"Ours"}`).object(t, 201)["id"].(string)
	enter := "/api/admin/teams/" + team + "/enter"
	const hidden = `{"detail":"Team not found"}`
	root.ask("GET", "/api/teams/"+team, "").want(t, "before", 404, hidden)
	if res := root.ask("POST", enter, `{"reason":"why"}`); res.StatusCode != 422 {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	root.ask("POST", "/api/admin/teams/"+ada.id+"/enter", `{"reason":"there is none"}`).want(t, "no team", 404, hidden)
	root.ask("POST", enter, `{"reason":"ticket 4711"}`).object(t, 201)
	if got := root.ask("GET", "/api/teams/"+team, "").object(t, 200); got["role"] != "admin" {
		t.Error(got)
	}
	if res := root.do("GET", "/api/users/me", "", root.bearer, "X-Team-Id: "+team); res.StatusCode != 200 {
		t.Errorf("the header: %d %s", res.StatusCode, res.body)
	}
	s.signedIn(root.email).ask("GET", "/api/teams/"+team, "").want(t, "another session", 404, hidden)
	items := ada.ask("GET", "/api/teams/"+team+"/entries", "").object(t, 200)["items"].([]any)
	if entry := items[0].(map[string]any); len(items) != 1 || entry["reason"] != "ticket 4711" || entry["user_email"] != root.email || entry["left_at"] != nil {
		t.Error(items)
	}
	cookie := s.do("POST", "/api/auth/cookie/login", "username="+ada.email+"&password="+strings.ReplaceAll(password, " ", "+"), formType).Cookies()[0]
	page := func(team string) string {
		return s.do("GET", "/account/", "", "Cookie: "+cookie.Name+"="+cookie.Value, "X-Team-Id: "+team).body
	}
	if text := page(team); !strings.Contains(text, "ticket 4711") || !strings.Contains(text, root.email) {
		t.Errorf("the page of a member's account does not show it: %s", text)
	}
	for range 2 {
		if res := root.ask("DELETE", enter, ""); res.StatusCode != 204 {
			t.Errorf("%d %s", res.StatusCode, res.body)
		}
	}
	root.ask("GET", "/api/teams/"+team, "").want(t, "after", 404, hidden)
	root.ask("GET", "/api/teams/"+team+"/entries", "").want(t, "after", 404, hidden)
}

// A suspension at one replica; everything that the user is signed in with is worth nothing at another within two seconds.
func TestASuspensionCutsEverythingOnEveryReplica(t *testing.T) {
	t.Parallel()
	url, up := dbtest.URL(t), newUpstream(t)
	options := app.Options{Hash: auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}}
	here, there := serve(t, settings(t, url, up), options), serve(t, settings(t, url, up), options)
	ada := here.person("ada@example.com")
	offline := here.offline(ada.email)
	cookie := here.do("POST", "/api/auth/cookie/login", "username="+ada.email+"&password="+strings.ReplaceAll(password, " ", "+"), formType).Cookies()[0]
	key := ada.ask("POST", "/api/keys", `{"name":"k","scopes":["write"]}`).object(t, 201)["key"].(string)
	credentials := map[string]string{
		"token": ada.bearer, "offline token": "Authorization: Bearer " + offline.Access, "cookie": "Cookie: " + cookie.Name + "=" + cookie.Value, "key": "X-Session-API-Key: " + key,
	}
	for what, header := range credentials {
		if res := there.do("GET", "/api/users/me", "", header); res.StatusCode != 200 {
			t.Fatalf("%s: %d %s", what, res.StatusCode, res.body)
		}
	}
	root := here.root("root@example.com")
	root.ask("POST", "/api/admin/users/"+ada.id+"/suspend", "").object(t, 200)
	deadline := time.Now().Add(2 * time.Second)
	for what, header := range credentials {
		here.do("GET", "/api/users/me", "", header).want(t, what, http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
		until(t, what, func() bool { return there.do("GET", "/api/users/me", "", header).StatusCode == 401 })
	}
	if late := time.Since(deadline); late > 0 {
		t.Errorf("it took %s too long", late)
	}
	refresh := func(s *site) int {
		return s.do("POST", "/api/auth/jwt/refresh", `{"refresh_token":"`+offline.Refresh+`"}`, jsonType).StatusCode
	}
	if a, b := refresh(here), refresh(there); a < 400 || b < 400 {
		t.Errorf("refreshed: %d, %d", a, b)
	}
	root.ask("POST", "/api/admin/users/"+ada.id+"/reactivate", "").object(t, 200)
	for what, header := range credentials {
		if res := here.do("GET", "/api/users/me", "", header); res.StatusCode != 401 {
			t.Errorf("%s came back: %d", what, res.StatusCode)
		}
	}
	if got := refresh(here); got < 400 {
		t.Errorf("the refresh token came back: %d", got)
	}
}
