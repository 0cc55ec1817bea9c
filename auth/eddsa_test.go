package auth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func signingKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func withKeys(keys ...ed25519.PrivateKey) func(*auth.Config) {
	return func(c *auth.Config) { c.SigningKeys = keys }
}

func bearer(token string) access.Credential {
	return access.Credential{Form: access.FormBearer, Token: token}
}

func TestAKeyCanBeBroughtInAndReplacedWithoutSigningAnybodyOut(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	first, second := signingKey(t), signingKey(t)
	before := serve(t, db, nil)
	register(t, before, "ann@example.com")
	bySecret := login(t, before, "ann@example.com")
	with := serve(t, db, withKeys(first))
	identify(t, with, bySecret)
	byFirst := login(t, with, "ann@example.com")
	identify(t, with, byFirst)
	replaced := serve(t, db, withKeys(second, first))
	bySecond := login(t, replaced, "ann@example.com")
	for _, token := range []access.Credential{bySecret, byFirst, bySecond} {
		identify(t, replaced, token)
	}
	after := serve(t, db, withKeys(second))
	identify(t, after, bySecond)
	for name, refusing := range map[string]*auth.Service{"the key is gone": after, "there are no keys": before} {
		if _, err := refusing.Authenticate(t.Context(), byFirst); err == nil {
			t.Error(name + ", and its token is taken")
		}
	}
}

func TestAnybodyCanCheckATokenWithThePublishedKey(t *testing.T) {
	t.Parallel()
	first, second := signingKey(t), signingKey(t)
	_, s := fresh(t, withKeys(first, second))
	ann := register(t, s, "ann@example.com")
	published, err := json.Marshal(s.PublicKeys())
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(published, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s, %v", published, err)
	}
	for _, key := range set.Keys {
		if key["kty"] != "OKP" || key["crv"] != "Ed25519" || key["alg"] != "EdDSA" || key["use"] != "sig" || len(key) != 6 {
			t.Errorf("got %v", key)
		}
	}
	parsed, err := jwt.Parse(login(t, s, "ann@example.com").Token, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != set.Keys[0]["kid"] {
			t.Errorf("the token names the key %v", token.Header["kid"])
		}
		x, err := base64.RawURLEncoding.DecodeString(set.Keys[0]["x"])
		return ed25519.PublicKey(x), err
	}, jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithAudience("fastapi-users:auth"))
	if err != nil {
		t.Fatal(err)
	}
	if subject, _ := parsed.Claims.GetSubject(); subject != ann.ID.String() {
		t.Errorf("whose is it? %s", subject)
	}
}

// The key of RFC 8037, appendix A, and its thumbprint there.
func TestAKeyIsNamedByItsThumbprint(t *testing.T) {
	t.Parallel()
	seed, err := base64.RawURLEncoding.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	if err != nil {
		t.Fatal(err)
	}
	_, s := fresh(t, withKeys(ed25519.NewKeyFromSeed(seed)))
	key := s.PublicKeys().Keys[0]
	if key.X != "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" || key.ID != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Errorf("got %+v", key)
	}
}

func TestWithoutAKeyNothingIsPublished(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	if published, err := json.Marshal(s.PublicKeys()); string(published) != `{"keys":[]}` || err != nil {
		t.Errorf("%s, %v", published, err)
	}
}

// forger makes tokens for a session that lives, so that each is refused for its one fault only.
type forger struct {
	t      *testing.T
	claims jwt.MapClaims
}

func newForger(t *testing.T, s *auth.Service) forger {
	t.Helper()
	ann := register(t, s, "ann@example.com")
	session := identify(t, s, login(t, s, "ann@example.com")).Session
	return forger{t, jwt.MapClaims{
		"sub": ann.ID.String(), "aud": []string{"fastapi-users:auth"}, "sid": session.String(), "exp": time.Now().Add(time.Hour).Unix(),
	}}
}

func (f forger) sign(method jwt.SigningMethod, key any, header, claims map[string]any) access.Credential {
	f.t.Helper()
	all := jwt.MapClaims{}
	for _, from := range []map[string]any{f.claims, claims} {
		for name, value := range from {
			all[name] = value
		}
	}
	token := jwt.NewWithClaims(method, all)
	for name, value := range header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(key)
	if err != nil {
		f.t.Fatal(err)
	}
	return bearer(signed)
}

func TestNoMethodIsTakenForAnother(t *testing.T) {
	t.Parallel()
	key, foreign := signingKey(t), signingKey(t)
	_, s := fresh(t, withKeys(key))
	f, kid := newForger(t, s), s.PublicKeys().Keys[0].ID
	public := []byte(key.Public().(ed25519.PublicKey))
	named := map[string]any{"kid": kid}
	identify(t, s, f.sign(jwt.SigningMethodEdDSA, key, named, nil))
	identify(t, s, f.sign(jwt.SigningMethodHS256, secret, nil, nil))
	identify(t, s, f.sign(jwt.SigningMethodHS256, secret, named, nil)) // the name of a key says nothing about a secret
	hs, ed := jwt.SigningMethodHS256, jwt.SigningMethodEdDSA
	for name, token := range map[string]access.Credential{
		"the public key as a secret":               f.sign(hs, public, nil, nil),
		"the public key as a secret, named":        f.sign(hs, public, named, nil),
		"the published form as a secret":           f.sign(hs, []byte(s.PublicKeys().Keys[0].X), named, nil),
		"an empty secret":                          f.sign(hs, []byte{}, nil, nil),
		"none":                                     f.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, nil),
		"none, named":                              f.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, named, nil),
		"None":                                     f.sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, map[string]any{"alg": "None"}, nil),
		"a longer hash":                            f.sign(jwt.SigningMethodHS512, secret, nil, nil),
		"a key without a name":                     f.sign(ed, key, nil, nil),
		"an unknown name":                          f.sign(ed, key, map[string]any{"kid": "another"}, nil),
		"an empty name":                            f.sign(ed, key, map[string]any{"kid": ""}, nil),
		"a name that is a number":                  f.sign(ed, key, map[string]any{"kid": 7}, nil),
		"a name that is a path":                    f.sign(ed, key, map[string]any{"kid": "../../dev/null"}, nil),
		"a foreign key under our name":             f.sign(ed, foreign, named, nil),
		"a foreign key that is sent along":         f.sign(ed, foreign, map[string]any{"kid": "its", "jwk": map[string]any{"kty": "OKP", "crv": "Ed25519"}}, nil),
		"a foreign key with an address":            f.sign(ed, foreign, map[string]any{"kid": kid, "jku": "https://example.com/jwks.json"}, nil),
		"a secret's token that says EdDSA":         f.sign(hs, secret, map[string]any{"kid": kid, "alg": "EdDSA"}, nil),
		"a key's token that says HS256":            f.sign(ed, key, map[string]any{"kid": kid, "alg": "HS256"}, nil),
		"a reset token":                            f.sign(ed, key, named, map[string]any{"aud": "fastapi-users:reset"}),
		"a verify token":                           f.sign(ed, key, named, map[string]any{"aud": "fastapi-users:verify"}),
		"an OAuth state":                           f.sign(ed, key, named, map[string]any{"aud": "fastapi-users:oauth-state"}),
		"a reset token of the secret":              f.sign(hs, secret, nil, map[string]any{"aud": "fastapi-users:reset"}),
		"a verify token of the secret":             f.sign(hs, secret, nil, map[string]any{"aud": []string{"fastapi-users:verify"}}),
		"an OAuth state of the secret":             f.sign(hs, secret, nil, map[string]any{"aud": "fastapi-users:oauth-state"}),
		"no audience":                              f.sign(ed, key, named, map[string]any{"aud": nil}),
		"an audience that begins alike":            f.sign(ed, key, named, map[string]any{"aud": "fastapi-users:auth2"}),
		"no session":                               f.sign(ed, key, named, map[string]any{"sid": nil}),
		"another user's session":                   f.sign(ed, key, named, map[string]any{"sub": "00000000-0000-4000-8000-000000000001"}),
		"a session that is a text with a quote in": f.sign(ed, key, named, map[string]any{"sid": "' OR true --"}),
	} {
		if _, err := s.Authenticate(t.Context(), token); err == nil {
			t.Errorf("%s: it is taken", name)
		} else {
			refused(t, err, 401, "Unauthorized")
		}
	}
}

func TestWithoutAKeyNoTokenOfOneIsRead(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	f := newForger(t, s)
	for _, header := range []map[string]any{nil, {"kid": ""}, {"kid": "x"}} {
		_, err := s.Authenticate(t.Context(), f.sign(jwt.SigningMethodEdDSA, signingKey(t), header, nil))
		refused(t, err, 401, "Unauthorized")
	}
}

// Clocks differ a little between replicas: a token from one that is ahead works at once. When it ends nobody is lenient.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	f := newForger(t, s)
	at := func(d time.Duration) int64 { return now.Now().Add(d).Unix() }
	identify(t, s, f.sign(jwt.SigningMethodHS256, secret, nil, map[string]any{"iat": at(time.Minute), "exp": at(time.Second)}))
	for name, claims := range map[string]map[string]any{
		"it ends now":            {"exp": at(0)},
		"it ended a second ago":  {"exp": at(-time.Second)},
		"it does not begin yet":  {"nbf": at(time.Second)},
		"its time has no number": {"exp": "soon"},
	} {
		if _, err := s.Authenticate(t.Context(), f.sign(jwt.SigningMethodHS256, secret, nil, claims)); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
