package app_test

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

// tokens is what a login for an offline session answers.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (s *site) offline(email string) (t tokens) {
	s.t.Helper()
	res := s.do("POST", "/api/auth/jwt/login", "username="+email+"&password="+strings.ReplaceAll(password, " ", "+")+"&scope=offline_access", formType)
	if err := json.Unmarshal([]byte(res.body), &t); err != nil || t.Refresh == "" {
		s.t.Fatalf("login: %d %s", res.StatusCode, res.body)
	}
	return t
}

func TestTheConfiguredKeySignsAndIsPublished(t *testing.T) {
	t.Parallel()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, func(cfg *config.Config) {
		cfg.JWTPrivateKey = config.Secret(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	})
	res := s.do("GET", "/.well-known/jwks.json", "")
	var set struct {
		Keys []struct{ Kid string }
	}
	if err := json.Unmarshal([]byte(res.body), &set); err != nil || res.StatusCode != 200 || len(set.Keys) != 1 || res.Header.Get("Cache-Control") != "public, max-age=300" {
		t.Fatalf("%d %v %s", res.StatusCode, res.Header, res.body)
	}
	access := s.offline(s.register("ada@example.com")).Access
	token, _, err := jwt.NewParser().ParseUnverified(access, jwt.MapClaims{})
	if err != nil || token.Header["alg"] != "EdDSA" || token.Header["kid"] != set.Keys[0].Kid {
		t.Errorf("%v, %v", token.Header, err)
	}
	if res := s.do("GET", "/api/users/me", "", "Authorization: Bearer "+access); res.StatusCode != 200 {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}

func TestOnlyTheKeySetIsOursOfWhatIsWellKnown(t *testing.T) {
	t.Parallel()
	if !app.IsOurs("/.well-known/jwks.json") {
		t.Error("the key set is not ours")
	}
	for _, path := range []string{"/.well-known/jwks.json/", "/.well-known/jwks.json/x", "/.well-known/jwks.jsonx", "/.well-known/", "/.well-known", "/.well-known/JWKS.json", "/x/.well-known/jwks.json"} {
		if app.IsOurs(path) {
			t.Errorf("%s is taken from the proxy", path)
		}
	}
}

func TestASessionThatIsEndedElsewhereIsWorthNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.register("ada@example.com")
	lost, kept := s.offline("ada@example.com"), s.offline("ada@example.com")
	bearer := "Authorization: Bearer " + kept.Access
	if res := s.do("DELETE", "/api/auth/sessions", "", bearer); res.StatusCode != http.StatusNoContent {
		t.Fatalf("%d %s", res.StatusCode, res.body)
	}
	for _, path := range []string{"/api/users/me", "/api/auth/sessions", "/api/conversations/search"} {
		s.do("GET", path, "", "Authorization: Bearer "+lost.Access).want(t, path, http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	}
	refresh := func(token string) answer {
		return s.do("POST", "/api/auth/jwt/refresh", `{"refresh_token":"`+token+`"}`, jsonType)
	}
	refresh(lost.Refresh).want(t, "its refresh token", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	if res := refresh(kept.Refresh); res.StatusCode != http.StatusOK {
		t.Errorf("the session that asked: %d %s", res.StatusCode, res.body)
	}
	res := s.do("GET", "/api/auth/sessions/?limit=1", "", bearer)
	if res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != "/api/auth/sessions?limit=1" {
		t.Errorf("%d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	s.do("DELETE", "/api/auth/sessions/none", "", bearer).want(t, "no session", http.StatusNotFound, notFound)
}
