package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func (a answer) field(t *testing.T, name string) string {
	t.Helper()
	var object map[string]any
	_ = json.Unmarshal([]byte(a.body), &object)
	value, isText := object[name].(string)
	if !isText {
		t.Fatalf("there is no %s in %d %s", name, a.StatusCode, a.body)
	}
	return value
}

func TestAKeyOpensWhatItsScopeAndItsBindingLeaveOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ann, bob := s.bearer("ann@example.com"), s.bearer("bob@example.com")
	team := s.do("POST", "/api/teams/", `{"name":"Engines"}`, ann, jsonType).field(t, "id")
	foreign := s.do("POST", "/api/teams", `{"name":"Bob's"}`, bob, jsonType).field(t, "id")
	made := func(body string) string {
		return "X-Session-API-Key: " + s.do("POST", "/api/keys/", body, ann, jsonType).field(t, "key")
	}
	s.do("POST", "/api/keys", `{"name":"a","team_id":"`+foreign+`"}`, ann, jsonType).want(t, "a foreign team", http.StatusNotFound, `{"detail":"Team not found"}`)
	reads, writes := made(`{"name":"r","scopes":["read"]}`), made(`{"name":"w"}`)
	bound, administers := made(`{"name":"b","team_id":"`+team+`","scopes":["admin"]}`), made(`{"name":"a","scopes":["admin"]}`)

	const scope, elsewhere = `{"detail":"The scope of this API key does not allow this. Use a key with a higher scope."}`,
		`{"detail":"This API key is bound to another team. Use a key of this team, or one that is bound to none."}`
	for _, key := range []string{reads, writes} {
		s.do("POST", "/api/teams/", `{"name":"New"}`, key, jsonType).want(t, "making a team", http.StatusForbidden, scope)
		s.do("POST", "/api/teams/"+team+"/members", `{"email":"bob@example.com"}`, key, jsonType).want(t, "adding a member", http.StatusForbidden, scope)
		s.do("GET", "/api/teams/"+team+"/service-accounts", "", key).want(t, "service accounts", http.StatusForbidden, scope)
		s.do("PUT", "/api/teams/"+team+"/secrets", `{"name":"A","value":"b"}`, key, jsonType).want(t, "the team's secrets", http.StatusForbidden, scope)
	}
	s.do("PATCH", "/api/users/me", `{"name":"Eve"}`, reads, jsonType).want(t, "renaming oneself", http.StatusForbidden, scope)
	s.do("POST", "/api/keys", `{"name":"more"}`, reads, jsonType).want(t, "making a key", http.StatusForbidden, scope)
	s.do("POST", "/api/teams", `{"name":"New"}`, bound, jsonType).want(t, "making a team elsewhere", http.StatusForbidden, elsewhere)
	s.do("GET", "/api/keys", "", bound).want(t, "the owner's keys", http.StatusForbidden, elsewhere)
	s.do("GET", "/api/users/me", "", bound, "X-Team-Id: "+foreign).want(t, "a foreign team", http.StatusNotFound, notFound)
	s.do("GET", "/api/teams/"+foreign, "", bound).want(t, "a foreign team", http.StatusNotFound, `{"detail":"Team not found"}`)
	if list := s.do("GET", "/api/teams", "", bound); strings.Count(list.body, `"role"`) != 1 || !strings.Contains(list.body, team) {
		t.Errorf("a bound key sees %s", list.body)
	}
	for _, key := range []string{reads, writes, bound, administers} {
		if res := s.do("GET", "/api/keys/current/", "", key); res.StatusCode != http.StatusOK {
			t.Errorf("its own object: %d %s", res.StatusCode, res.body)
		}
	}
	if res := s.do("POST", "/api/teams", `{"name":"New"}`, administers, jsonType); res.StatusCode != http.StatusCreated {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	carol := s.person("carol@example.com")
	if res := s.do("POST", "/api/teams/"+team+"/members", `{"email":"carol@example.com"}`, ann, jsonType); res.StatusCode != http.StatusCreated {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	hers := "X-Session-API-Key: " + carol.ask("POST", "/api/keys", `{"name":"c","team_id":"`+team+`"}`).field(t, "key")
	s.row(`DELETE FROM team_members WHERE user_id = $1 AND team_id = $2 RETURNING pg_notify('openhands_saas', 'user:' || user_id)::text`, carol.id, team)
	for _, path := range []string{"/api/keys/current", "/api/users/me", "/api/teams"} {
		until(t, path+" knows the key of who left no more", func() bool { return s.do("GET", path, "", hers).StatusCode == http.StatusUnauthorized })
	}
	s.do("GET", "/api/keys/x/y", "").want(t, "no route of ours", http.StatusNotFound, notFound)
	s.do("GET", "/api/keys", "").want(t, "nobody's keys", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
}

func TestTheKeysOfWhoIsSuspendedEndForGood(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	root, ann := s.root("root@example.com"), s.person("ann@example.com")
	key := "X-Session-API-Key: " + ann.ask("POST", "/api/keys", `{"name":"laptop"}`).field(t, "key")
	if res := s.do("GET", "/api/users/me", "", key); res.StatusCode != http.StatusOK {
		t.Fatalf("before: %d %s", res.StatusCode, res.body)
	}
	for _, what := range []string{"suspend", "reactivate"} {
		if res := root.ask("POST", "/api/admin/users/"+ann.id+"/"+what, ""); res.StatusCode >= 300 {
			t.Fatalf("%s: %d %s", what, res.StatusCode, res.body)
		}
		s.do("GET", "/api/users/me", "", key).want(t, "after "+what, http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	}
	if made := s.signedIn("ann@example.com").ask("POST", "/api/keys", `{"name":"laptop"}`); made.StatusCode != http.StatusCreated {
		t.Errorf("a new key: %d %s", made.StatusCode, made.body)
	}
}
