package proxy_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

var signingKey = []byte("a key for identity tokens, 32 bytes and more")

const tokenHeader = "X-Openhands-Identity"

// signing has the engine sign by a clock that the test moves.
func signing(clock *atomic.Int64) func(*proxy.Config) {
	return func(c *proxy.Config) {
		c.IdentityKey = signingKey
		c.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	}
}

// claimsOf verifies a token as the upstream would.
func claimsOf(t *testing.T, token string, now int64) jwt.MapClaims {
	t.Helper()
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(token, claims, func(*jwt.Token) (any, error) { return signingKey, nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithAudience("openhands-upstream"), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithTimeFunc(func() time.Time { return time.Unix(now, 0) }))
	if err != nil {
		t.Fatalf("%q: %v", token, err)
	}
	return claims
}

func TestTheUpstreamCanVerifyWhoAsks(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	s := newStand(t, nil, signing(&clock))
	got := s.echoed(t, "GET", "/api/models", "dev", header(tokenHeader, "forged"), header("x_openhands_identity", "forged"))
	if len(got.Header[tokenHeader]) != 1 || got.Header["X_openhands_identity"] != nil {
		t.Fatalf("got %v", got.Header)
	}
	token := got.Header.Get(tokenHeader)
	claims := claimsOf(t, token, clock.Load())
	for name, want := range map[string]any{
		"iss": "openhands-saas", "aud": "openhands-upstream", "sub": s.people["dev"].User.String(), "email": "dev+1@example.com",
		"team": red.String(), "role": "developer", "iat": 1_700_000_000.0, "exp": 1_700_000_120.0,
	} {
		if claims[name] != want {
			t.Errorf("%s is %v, want %v", name, claims[name], want)
		}
	}
	if len(claims) != 8 {
		t.Errorf("got %v", claims)
	}
}

func TestATokenIsMadeOnceAMinute(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	s := newStand(t, nil, signing(&clock))
	p := *s.people["dev"]
	p.Memberships = append(p.Memberships, access.Membership{Team: blue, Role: access.Developer})
	s.people["dev"] = &p
	s.objects[foreign] = access.Object{ID: foreign, Team: blue, State: access.StateLive}
	token := func() string { return s.echoed(t, "GET", "/api/models", "dev").Header.Get(tokenHeader) }
	first := token()
	if c := claimsOf(t, s.echoed(t, "GET", "/api/conversations/"+foreign.String(), "dev").Header.Get(tokenHeader), clock.Load()); c["team"] != blue.String() {
		t.Errorf("got %v", c)
	}
	clock.Add(59)
	if token() != first {
		t.Error("a second token was made within a minute")
	}
	clock.Add(1)
	second := token()
	if second == first {
		t.Error("the token is older than a minute")
	}
	claimsOf(t, second, clock.Load()+60)

	// A change counts at once.
	changed := p
	changed.Memberships = []access.Membership{{Team: red, Role: access.Viewer}, {Team: blue, Role: access.Viewer}}
	s.change(func() { s.people["dev"] = &changed })
	if role := claimsOf(t, token(), clock.Load())["role"]; role != "viewer" {
		t.Errorf("the role is %v", role)
	}
	other := changed
	other.CurrentTeam, other.Email = blue, "new@example.com"
	s.change(func() { s.people["dev"] = &other })
	if c := claimsOf(t, token(), clock.Load()); c["team"] != blue.String() || c["email"] != "new@example.com" {
		t.Errorf("got %v", c)
	}
	clock.Add(-30) // a clock that was set back must not make a token live longer
	if c := claimsOf(t, token(), clock.Load()); c["iat"] != float64(clock.Load()) {
		t.Errorf("got %v", c)
	}
}

func TestTheAnonymousTenantHasATokenToo(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	s := newStand(t, nil, func(c *proxy.Config) {
		signing(&clock)(c)
		c.Origins = []string{"https://hands.example.com"}
	})
	p := person("", red, access.Developer)
	p.Anonymous, p.Email = true, ""
	s.anonymous = p
	c := claimsOf(t, s.echoed(t, "GET", "/api/models", "").Header.Get(tokenHeader), clock.Load())
	if _, present := c["email"]; c["sub"] != "anonymous" || present || c["iss"] != "https://hands.example.com" {
		t.Errorf("got %v", c)
	}
}

func TestASocketBringsTheTokenTooAndNobodysCallsNone(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	up := newSpeaker()
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			up.last.Store(r)
			return
		}
		up.ServeHTTP(w, r)
	}, signing(&clock))
	c := s.open(t, live, bearer("dev"))
	say(t, c, "hello")
	hear(t, c)
	claimsOf(t, up.last.Load().Header.Get(tokenHeader), clock.Load())
	if _, err := s.engine.Call(t.Context(), nil, proxy.Outgoing{Path: "/api/models"}); err != nil {
		t.Fatal(err)
	}
	if r := up.last.Load(); r.Header.Get(tokenHeader) != "" {
		t.Error("a call in nobody's name brings a token")
	}
}

func TestIdentityHeadersHaveTheNamesThatTheOperatorChose(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) {
		c.IdentityKey = signingKey
		c.IdentityHeaders = proxy.IdentityHeaders{UserID: "remote-person", Token: "X-Jwt", Groups: "-"}
	})
	got := s.echoed(t, "GET", "/api/models", "dev", header("Remote_Person", "evil"), header("remote-person", "evil"), header("X-Jwt", "evil"), header("X_JWT", "evil"),
		header("X-Forwarded-Groups", "evil"), header("X-Openhands-User-Id", "evil"))
	if got.Header.Get("Remote-Person") != s.people["dev"].User.String() || strings.Count(got.Header.Get("X-Jwt"), ".") != 2 {
		t.Errorf("got %v", got.Header)
	}
	for name, values := range got.Header {
		if name == "X-Forwarded-Groups" || name == "X-Openhands-User-Id" || len(values) != 1 || values[0] == "evil" {
			t.Errorf("%s: %q", name, values)
		}
	}
}

func TestNamesAndKeysThatWouldDoHarmAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for name, c := range map[string]proxy.Config{
		"a name of HTTP":        {IdentityHeaders: proxy.IdentityHeaders{UserID: "Content_Length"}},
		"the upstream's key":    {IdentityHeaders: proxy.IdentityHeaders{UserID: "X-Session-Api-Key"}},
		"no name of a header":   {IdentityHeaders: proxy.IdentityHeaders{UserID: "a b"}},
		"the same name twice":   {IdentityHeaders: proxy.IdentityHeaders{UserID: "X-A", TeamID: "x_a"}},
		"the name of a default": {IdentityHeaders: proxy.IdentityHeaders{UserID: "X-Openhands-Team-Id"}},
		"a short key":           {IdentityKey: []byte("short")},
	} {
		c.Upstream, c.Key, c.Gate, c.Objects, c.Events = mustURL("http://localhost:1"), key, w, w, w
		if e, err := proxy.New(c); err == nil {
			e.Close()
			t.Errorf("%s was taken", name)
		}
	}
}

func TestKeptTokensAreBounded(t *testing.T) {
	t.Parallel()
	if n := proxy.TokensKept(signingKey, 10_000); n > 4096 {
		t.Errorf("%d are kept", n)
	}
}

func BenchmarkToken(b *testing.B) {
	token := proxy.TokenFor(signingKey, person("dev@example.com", red, access.Developer), red)
	b.ReportAllocs()
	for b.Loop() {
		token()
	}
}
