package app_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestWhoDeletesTheirAccountProvesWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada := s.person("ada@example.com")
	stale := func(u user) {
		if err := s.app.Execute(t.Context(), `UPDATE sessions SET proved_at = now() - interval '11 minutes' WHERE user_id = $1`, u.id); err != nil {
			t.Fatal(err)
		}
		u.change(`SELECT $1::text`, u.id)
	}
	stale(ada)
	const path = "/api/auth/account/delete"
	s.do("POST", path, `{}`, jsonType).want(t, "a stranger", 401, `{"detail":"Unauthorized"}`)
	ada.ask("POST", path, `{}`).want(t, "without a proof", 403, `{"detail":"STEP_UP_REQUIRED"}`)
	ada.ask("POST", path, `{"password":"wrong"}`).want(t, "a wrong password", 400, `{"detail":"LOGIN_BAD_CREDENTIALS"}`)
	if res := ada.ask("POST", path, `{"password":5}`); res.StatusCode != 422 {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	key := ada.ask("POST", "/api/keys", `{"name":"k","scopes":["write"]}`).object(t, 201)["key"].(string)
	if res := s.do("POST", path, `{"password":"`+password+`"}`, jsonType, "X-Session-API-Key: "+key); res.StatusCode != 403 {
		t.Errorf("a lesser key: %d %s", res.StatusCode, res.body)
	}
	if res := ada.ask("POST", path, `{"password":"`+password+`"}`); res.StatusCode != 204 || res.body != "" {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	ada.ask("GET", "/api/users/me", "").want(t, "gone", 401, `{"detail":"Unauthorized"}`)
	s.do("GET", "/api/users/me", "", "X-Session-API-Key: "+key).want(t, "its key", 401, `{"detail":"Unauthorized"}`)
	again := s.person("ada@example.com") // the address is free, and the session fresh
	if res := again.ask("POST", path, `{}`); res.StatusCode != 204 {
		t.Errorf("fresh: %d %s", res.StatusCode, res.body)
	}
}

func TestWhoOwnsASharedTeamGivesItAwayFirst(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, bob := s.person("ada@example.com"), s.person("bob@example.com")
	team := ada.ask("POST", "/api/teams/", `{"name":"Ours"}`).object(t, 201)["id"].(string)
	ada.ask("POST", "/api/teams/"+team+"/members", `{"email":"bob@example.com","role":"admin"}`).object(t, 201)
	res := ada.ask("POST", "/api/auth/account/delete", `{}`)
	if res.StatusCode != 409 || !strings.Contains(res.body, "Make another member its owner") {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	root := s.root("root@example.com")
	if res := root.ask("POST", "/api/auth/account/delete", `{}`); res.StatusCode != 409 {
		t.Errorf("the last superuser: %d %s", res.StatusCode, res.body)
	}
	if res := root.ask("DELETE", "/api/admin/users/"+ada.id, ""); res.StatusCode != 204 {
		t.Errorf("a superuser may: %d %s", res.StatusCode, res.body)
	}
	if got := bob.ask("GET", "/api/teams/"+team, "").object(t, 200); got["role"] != "owner" || got["owner_id"] != bob.id {
		t.Error(got)
	}
}

// What is left of a deleted account: conversations of teams that stay, and ids that nobody gets.
func TestADeletedAccountLeavesConversationsToTheTeamAndNoIdFree(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, bob, root := s.person("ada@example.com"), s.person("bob@example.com"), s.root("root@example.com")
	team := ada.ask("POST", "/api/teams/", `{"name":"Ours"}`).object(t, 201)["id"].(string)
	ada.ask("POST", "/api/teams/"+team+"/members", `{"email":"bob@example.com"}`).object(t, 201)
	personal := ""
	for _, entry := range decodeList(t, ada.ask("GET", "/api/teams/", "").body) {
		if entry["is_personal"] == true {
			personal = entry["id"].(string)
		}
	}
	shared, private, own := uuid.New(), uuid.New(), uuid.New()
	for id, where := range map[uuid.UUID][2]string{shared: {team, "team"}, private: {team, "private"}, own: {personal, "team"}} {
		err := s.app.Execute(t.Context(), `INSERT INTO conversations (id, team_id, starter_id, visibility, state, title) VALUES ($1, $2, $3, $4, 'live', 'a title')`, id, where[0], ada.id, where[1])
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.app.Execute(t.Context(), `INSERT INTO vault_documents (id, team_id, user_id, kind, name) VALUES ($1, $2, $3, 'secret', 'TOKEN'), ($4, $5, NULL, 'secret', 'TEAMS')`,
		uuid.New(), team, ada.id, uuid.New(), personal)
	if err != nil {
		t.Fatal(err)
	}
	root.ask("DELETE", "/api/users/"+ada.id, "") // the contract's own route
	want := map[uuid.UUID]string{shared: "live", private: "deleted", own: "deleted"}
	for id, state := range want {
		row := s.row(`SELECT concat(state, ' ', team_id, ' ', starter_id) FROM conversations WHERE id = $1`, id)
		if !strings.HasPrefix(row, state+" ") || strings.Contains(row, ada.id) || id == own && !strings.Contains(row, personal) {
			t.Errorf("%s: %s", id, row)
		}
	}
	if left := s.row(`SELECT count(*)::text FROM vault_documents`); left != "0" {
		t.Errorf("%s documents of the vault are left", left)
	}
	if row := s.row(`SELECT concat(name, ' ', deleted_at IS NOT NULL) FROM teams WHERE id = $1`, personal); row != "deleted t" {
		t.Errorf("the personal team is %q", row)
	}
	if res := bob.ask("GET", "/api/teams/"+team, ""); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
	until(t, "the upstream is told of what ended", func() bool {
		return s.row(`SELECT count(*)::text FROM conversations WHERE orphaned_at IS NOT NULL`) == "0"
	})
}

func decodeList(t *testing.T, text string) (list []map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatal(err, text)
	}
	return list
}

// row is one value of the database.
func (s *site) row(query string, args ...any) string {
	s.t.Helper()
	text, err := s.app.Value(s.t.Context(), query, args...)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}

func TestAnExportHoldsWhatIsHeldAndNoSecret(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ada, bob := s.person("ada@example.com"), s.person("bob@example.com")
	personal := decodeList(t, ada.ask("GET", "/api/teams/", "").body)[0]["id"].(string)
	key := ada.ask("POST", "/api/keys", `{"name":"laptop","scopes":["write"]}`).object(t, 201)["key"].(string)
	bob.ask("POST", "/api/keys", `{"name":"bobs","scopes":["write"]}`).object(t, 201)
	for n := range 450 { // more than two pages
		err := s.app.Execute(t.Context(), `INSERT INTO conversations (id, team_id, starter_id, state, title) VALUES ($1, $2, $3, 'live', $4)`, uuid.New(), personal, ada.id, fmt.Sprint("talk ", n))
		if err != nil {
			t.Fatal(err)
		}
	}
	err := s.app.Execute(t.Context(), `INSERT INTO vault_documents (id, team_id, user_id, kind, name, body, sealed, key_ids) VALUES ($1, $2, $3, 'secret', 'TOKEN', '{"description":"d"}', '{"value":"c2VhbGVk"}', '{1}')`,
		uuid.New(), personal, ada.id)
	if err != nil {
		t.Fatal(err)
	}
	s.do("GET", "/api/auth/account/export", "").want(t, "a stranger", 401, `{"detail":"Unauthorized"}`)
	if res := s.do("GET", "/api/auth/account/export", "", "X-Session-API-Key: "+key); res.StatusCode != 403 {
		t.Errorf("a lesser key: %d %s", res.StatusCode, res.body)
	}
	res := ada.ask("GET", "/api/auth/account/export", "")
	if !strings.HasPrefix(res.Header.Get("Content-Disposition"), `attachment; filename="openhands-account-`) || res.Header.Get("Cache-Control") != "no-store" {
		t.Error(res.Header)
	}
	got := res.object(t, 200)
	var members []string
	for name := range got {
		members = append(members, name)
	}
	slices.Sort(members)
	if want := []string{"api_keys", "audit", "conversations", "exported_at", "identities", "second_factors", "sessions", "teams", "user", "vault"}; !slices.Equal(members, want) {
		t.Errorf("%v", members)
	}
	for name, n := range map[string]int{"api_keys": 1, "conversations": 450, "identities": 0, "second_factors": 0, "sessions": 1, "teams": 1, "vault": 1} {
		if list := got[name].([]any); len(list) != n {
			t.Errorf("%s: %d, want %d", name, len(list), n)
		}
	}
	if got["user"].(map[string]any)["email"] != ada.email || len(got["audit"].([]any)) == 0 {
		t.Errorf("%v %v", got["user"], got["audit"])
	}
	for _, secret := range []string{key, "c2VhbGVk", "argon2", "bob@example.com", "bobs", strings.TrimPrefix(ada.bearer, "Authorization: Bearer ")} {
		if strings.Contains(res.body, secret) {
			t.Errorf("the export holds %q", secret)
		}
	}
}
