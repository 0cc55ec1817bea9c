package teamhttp_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestServiceAccountsAndTheirKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, ada := s.register("ada@example.com", "")
	_, bob := s.register("bob@example.com", "")
	team := s.create(ada, "Engines")
	path := "/api/teams/" + team + "/service-accounts"

	made := s.reads(s.call(ada, "POST", path, `{"name":" Deploy ","role":"viewer","id":"x"}`), http.StatusCreated).(map[string]any)
	want := map[string]any{"id": made["id"], "team_id": team, "name": "Deploy", "role": "viewer", "created_by": id, "created_at": made["created_at"]}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(any(map[string]any{"items": []any{want}, "next_page_id": nil}), s.reads(s.call(ada, "GET", path, ""), http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	account := path + "/" + made["id"].(string)
	w := s.call(ada, "POST", account+"/keys", `{"name":"ci"}`)
	key := s.reads(w, http.StatusCreated).(map[string]any)
	secret, _ := key["key"].(string)
	wantKey := map[string]any{
		"id": key["id"], "name": "ci", "prefix": secret[:10], "team_id": team, "scopes": []any{"read", "write"},
		"created_at": key["created_at"], "last_used_at": nil, "expires_at": nil, "key": secret,
	}
	if diff := cmp.Diff(wantKey, key); diff != "" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%v %s", w.Header(), diff)
	}
	delete(wantKey, "key")
	if diff := cmp.Diff(any(map[string]any{"items": []any{wantKey}, "next_page_id": nil}), s.reads(s.call(ada, "GET", account+"/keys", ""), http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	seen := s.reads(s.call(secret, "GET", "/api/teams/"+team, ""), http.StatusOK).(map[string]any)
	if seen["role"] != "viewer" {
		t.Errorf("it sees %v", seen)
	}
	rotated := s.reads(s.call(ada, "POST", account+"/keys/"+key["id"].(string)+"/rotate", `{"overlap_seconds":0}`), http.StatusCreated).(map[string]any)
	s.says(s.call(secret, "GET", "/api/teams/"+team, ""), http.StatusUnauthorized, "Unauthorized")
	next := rotated["key"].(string)
	s.reads(s.call(next, "GET", "/api/teams/"+team, ""), http.StatusOK)
	s.reads(s.call(ada, "DELETE", account+"/keys/"+rotated["id"].(string), ""), http.StatusOK)
	s.says(s.call(next, "GET", "/api/teams/"+team, ""), http.StatusUnauthorized, "Unauthorized")
	s.says(s.call(ada, "DELETE", account+"/keys/"+rotated["id"].(string), ""), http.StatusNotFound, "API key not found")

	for _, method := range []string{"GET", "POST"} {
		s.says(s.call(bob, method, path, `{}`), http.StatusNotFound, "Team not found")
		s.says(s.call(bob, method, account+"/keys", `{}`), http.StatusNotFound, "Team not found")
		s.says(s.call("", method, path, `{}`), http.StatusUnauthorized, "Unauthorized")
	}
	for _, unknown := range []string{uuid.NewString(), "nonsense", id} {
		s.says(s.call(ada, "DELETE", path+"/"+unknown, ""), http.StatusNotFound, "Service account not found")
		s.says(s.call(ada, "GET", path+"/"+unknown+"/keys", ""), http.StatusNotFound, "Service account not found")
	}
	s.reads(s.call(ada, "DELETE", account, ""), http.StatusOK)
	s.says(s.call(ada, "DELETE", account, ""), http.StatusNotFound, "Service account not found")
	if w := s.call(ada, "POST", path, `{"role":"owner"}`); w.Code != http.StatusUnprocessableEntity ||
		!strings.Contains(w.Body.String(), `"name"`) || !strings.Contains(w.Body.String(), `"role"`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAKeyCannotSwitchTheTeamOfASession(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "")
	team := s.create(ada, "Engines")
	account := s.reads(s.call(ada, "POST", "/api/teams/"+team+"/service-accounts", `{"name":"Deploy"}`), http.StatusCreated).(map[string]any)["id"].(string)
	key := s.reads(s.call(ada, "POST", "/api/teams/"+team+"/service-accounts/"+account+"/keys", `{"name":"ci"}`), http.StatusCreated).(map[string]any)["key"].(string)
	s.says(s.call(key, "POST", "/api/teams/"+team+"/switch", ""), http.StatusBadRequest,
		"An API key has no session that could remember a team. Send X-Team-Id with each request, or use a key that is bound to the team.")
}
