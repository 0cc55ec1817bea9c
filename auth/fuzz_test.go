package auth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Whatever the headers hold: a credential that came out of them was in them to the letter, what is malformed is an error, and
// nothing that was sent outside the cookie is ever taken for nothing.
func FuzzTheAuthorizationHeader(f *testing.F) {
	for _, header := range []string{
		"", "Bearer x", "bearer  x ", "BEARER\tx", "Bearer", "Bearer ", "Basic eA==", "Bearer a b", "Bearer a,b", "Bearer \"a\"", "Bearer a\x00",
		"Bearer a\r\nX-Other: b", "Bearer \xff", " Bearer x", "x", "Bearer:x", "Bearer oh_0123", "Bearer ä", "Bearer\u00a0x",
	} {
		f.Add(header, "", "")
		f.Add(header, "cookie", "x")
		f.Add("", header, "")
	}
	f.Add("Bearer x", "x", "y")
	f.Fuzz(func(t *testing.T, authorization, key, cookie string) {
		r := &http.Request{Header: http.Header{}}
		r.Header["Authorization"] = []string{authorization}
		r.Header["X-Session-Api-Key"] = []string{key}
		r.Header["Cookie"] = []string{"openhands_session=" + cookie}
		got, err := auth.CredentialFrom(r, "openhands_session")
		if err != nil {
			if status := problem.Of(err).Status; status != 400 && status != 401 {
				t.Fatalf("%v", err)
			}
			if got != (access.Credential{}) {
				t.Fatalf("an error comes with %v", got)
			}
			return
		}
		switch got.Form {
		case access.FormBearer:
			scheme, rest, blank := strings.Cut(authorization, " ")
			if !blank || !strings.EqualFold(scheme, "Bearer") || strings.Trim(rest, " ") != got.Token || key != "" && key != "cookie" && key != got.Token {
				t.Fatalf("%q and %q gave %q", authorization, key, got.Token)
			}
		case access.FormKey:
			if key != got.Token || authorization != "" {
				t.Fatalf("%q and %q gave %q", authorization, key, got.Token)
			}
		default:
			if authorization != "" || key != "" && key != "cookie" {
				t.Fatalf("%q and %q count for nothing", authorization, key)
			}
		}
	})
}

// Nobody guesses a session: of all texts only those that we gave out are taken, and none makes anything panic.
func FuzzTheCookie(f *testing.F) {
	for _, cookie := range []string{"", "x", strings.Repeat("A", 52), strings.Repeat("A", 53), strings.Repeat("é", 26), "\"" + strings.Repeat("A", 50) + "\"", "a; b=c"} {
		f.Add(cookie)
	}
	s, good := fuzzed(f)
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Cookie": {"openhands_session=" + value}}}
		c := auth.CookieFrom(r, "openhands_session")
		if c.Token == "" {
			return
		}
		if id, err := s.Authenticate(t.Context(), c); err == nil {
			t.Fatalf("%q is %v", value, id.User.ID)
		}
		for _, form := range []access.Form{access.FormCookie, access.FormSession, access.FormKey, access.FormBearer} {
			if _, err := s.Authenticate(t.Context(), access.Credential{Form: form, Token: value}); err == nil && value != good {
				t.Fatalf("%q is taken", value)
			}
		}
	})
}

// A token is taken only as it was given out: no change to any of its parts is.
func FuzzTheAccessToken(f *testing.F) {
	s, good := fuzzed(f)
	parts := strings.Split(good, ".")
	for _, token := range []string{
		good, good + ".", "." + good, parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2], strings.ToLower(good), good + "=", good + "\n",
		"eyJhbGciOiJub25lIn0." + parts[1] + ".", "eyJhbGciOiJFZERTQSJ9." + parts[1] + "." + parts[2], "..", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA", "W10.W10.",
	} {
		f.Add(token)
	}
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"exp": time.Now().Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(unsigned)
	f.Fuzz(func(t *testing.T, token string) {
		for _, form := range []access.Form{access.FormBearer, access.FormKey} {
			_, err := s.Authenticate(t.Context(), access.Credential{Form: form, Token: token})
			if token == good && err != nil || token != good && err == nil {
				t.Fatalf("%q: %v", token, err)
			}
		}
	})
}

// fuzzed is a service with somebody signed in, and their access token.
func fuzzed(f *testing.F) (*auth.Service, string) {
	f.Helper()
	s := auth.New(auth.Config{DB: dbtest.New(f), JWTSecret: secret, Registration: auth.RegistrationOpen, Hash: cheap, JWTLifetime: 24 * time.Hour})
	f.Cleanup(s.Close)
	if _, err := s.Register(f.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword}); err != nil {
		f.Fatal(err)
	}
	token, err := s.Login(f.Context(), "ann@example.com", goodPassword, auth.Client{})
	if err != nil {
		f.Fatal(err)
	}
	return s, token.AccessToken
}
