package authhttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// Whatever a body holds, it is answered in the contract's form, and never with a failure of ours.
func FuzzBodiesOfAccounts(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `"x"`, `{`, `{}`, `{"email":"a@example.com","password":"correct horse"}`, `{"email":null}`,
		`{"email":NaN,"password":-Infinity}`, `{"password":"\ud800........"}`, `{"email":"\ud83d\ude00@example.com"}`, `{"token":"\u0000"}`,
		`{"is_active":1e400,"is_superuser":-0.0,"is_verified":"\u212a"}`,
		`{"email":"a@example.com\r\nBcc: b@example.com"}`, `{"name":"<b>\r\n","avatar_url":"https://[::1]:99999/%zz"}`, "{\"email\":\"\xff\"}",
		`{"email":"` + strings.Repeat("x", 320) + `@example.com"}`, strings.Repeat(`[`, 2000), `{"a":` + strings.Repeat(`{"a":`, 1000),
		`{"email":{"password":"x"}}`,
		`{"token":"` + strings.Repeat("A", 52) + `","password":"correct horse"}`, `{"name":null,"avatar_url":null,"is_active":null}`,
	} {
		f.Add(seed, "application/json")
		f.Add(seed, "")
	}
	s := serve(f, dbtest.New(f), nil)
	root := auth.Registration{Email: "root@example.com", Password: goodPassword}
	user, err := s.auth.CreateUser(f.Context(), root, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body, contentType string) {
		if strings.ContainsAny(contentType, "\r\n\x00") {
			return
		}
		token, err := s.auth.GrantToken(t.Context(), auth.SignIn{User: user.ID, Method: "password"})
		if err != nil {
			t.Fatal(err)
		}
		bearer := "Authorization: Bearer " + token.AccessToken
		for _, route := range []string{
			"POST /api/auth/register", "POST /api/auth/register-with-team", "POST /api/auth/forgot-password", "POST /api/auth/reset-password",
			"POST /api/auth/request-verify-token", "POST /api/auth/verify", "PATCH /api/users/me", "PATCH /api/users/" + user.ID.String(),
		} {
			method, path, _ := strings.Cut(route, " ")
			w := s.do(method, path, body, "Content-Type: "+contentType, bearer)
			var answer map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil && w.Body.String() != "null" {
				t.Fatalf("%s: %d %s", route, w.Code, w.Body)
			}
			if w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable || w.Code >= 400 && answer["detail"] == nil {
				t.Fatalf("%s: %d %s", route, w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "correct horse") {
				t.Fatalf("%s shows a password: %s", route, w.Body)
			}
		}
	})
}
