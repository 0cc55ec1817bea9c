package authhttp_test

import (
	"net/http"
	"strings"
	"testing"
)

// key makes an API key with scopes and an optional rest of the request, and returns the header that sends it.
func (s *server) key(t *testing.T, bearer, rest string) string {
	t.Helper()
	_, secret := made(t, s.do("POST", "/api/keys", `{"name":"k",`+rest+`}`, jsonType, bearer))
	return "X-Session-API-Key: " + secret
}

func TestAKeyChangesOfTheAccountWhatItsScopeAllows(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	if _, err := s.db.ExecContext(t.Context(), `UPDATE users SET is_superuser = true`); err != nil {
		t.Fatal(err)
	}
	bearer := s.login(t, "ann@example.com")
	read, write := s.key(t, bearer, `"scopes":["read"]`), s.key(t, bearer, `"scopes":["read","write"]`)
	admin := s.key(t, bearer, `"scopes":["admin"]`)
	bound := s.key(t, bearer, `"scopes":["admin"],"team_id":"`+team.String()+`"`)
	const profile, email, password = `{"name":"Ann"}`, `{"email":"nan@example.com"}`, `{"password":"battery staple","name":"x"}`
	for _, c := range []struct{ what, key, sent, detail string }{
		{"read, a name", read, profile, "scope"},
		{"read, an address", read, email, "scope"},
		{"read, a password", read, password, "scope"},
		{"write, an address", write, email, "what its owner signs in with"},
		{"write, a password", write, password, "what its owner signs in with"},
		{"admin, an address", admin, email, "what its owner signs in with"},
		{"admin, a password", admin, password, "what its owner signs in with"},
		{"bound, a name", bound, profile, "bound"},
		{"bound, a password", bound, password, "bound"},
	} {
		w := s.do("PATCH", "/api/users/me", c.sent, jsonType, c.key)
		if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), c.detail) {
			t.Errorf("%s: %d %s", c.what, w.Code, w.Body)
		}
	}
	for what, key := range map[string]string{"read": read, "write": write, "bound": bound} {
		expect(t, s.do("GET", "/api/users/"+idOf(t, s, bearer), "", key), 403, `{"detail":"Forbidden"}`)
		if w := s.do("GET", "/api/users/me", "", key); w.Code != http.StatusOK {
			t.Errorf("%s does not see its owner: %d", what, w.Code)
		}
	}
	for what, sent := range map[string][2]string{"a name": {write, profile}, "a user": {admin, profile}} {
		path := "/api/users/me"
		if what == "a user" {
			path = "/api/users/" + idOf(t, s, bearer)
		}
		if w := s.do("PATCH", path, sent[1], jsonType, sent[0]); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
}

func idOf(t *testing.T, s *server, bearer string) string {
	t.Helper()
	_, after, _ := strings.Cut(s.do("GET", "/api/users/me", "", bearer).Body.String(), `"id":"`)
	id, _, found := strings.Cut(after, `"`)
	if !found {
		t.Fatal("no id")
	}
	return id
}
