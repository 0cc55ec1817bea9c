package app_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
)

const otherSite = `{"detail":"This request came from a page of another site. Use the pages of this server, or an API key."}`

func TestOwnRoutesKnowOurPagesByTheRuleOfTheProxy(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.PublicURL = "https://agents.example.com" })
	for what, headers := range map[string][]string{
		"the public address behind a proxy with its own Host": {"Host: inner:3001", "Origin: https://agents.example.com"},
		"the same with its port":                              {"Origin: https://agents.example.com:443"},
		"the host that was asked":                             {"Host: inner:3001", "Origin: http://inner:3001"},
		"what the browser calls same-origin":                  {"Origin: https://elsewhere.example", "Sec-Fetch-Site: same-origin"},
		"a program":                                           {},
	} {
		if res := s.do("POST", "/api/auth/jwt/login", "", append(headers, formType)...); res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s was refused: %d %s", what, res.StatusCode, res.body)
		}
	}
	for what, headers := range map[string][]string{
		"another scheme":         {"Host: agents.example.com:443", "Origin: http://agents.example.com"},
		"the host's wrong one":   {"Host: inner:3001", "Origin: https://inner:3001"},
		"another site":           {"Origin: https://evil.example"},
		"no origin to speak of":  {"Origin: null"},
		"another site, fetching": {"Origin: https://agents.example.com", "Sec-Fetch-Site: cross-site"},
	} {
		s.do("POST", "/api/auth/jwt/login", "", append(headers, formType)...).want(t, what, http.StatusForbidden, otherSite)
	}
}

func TestMethodsThatAPathDoesNotHaveAreRefusedWithThoseItHas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct{ method, path, allow string }{
		{"OPTIONS", "/api/auth/register", "POST"}, {"GET", "/api/auth/register", "POST"}, {"PATCH", "/account/logout", "POST"},
		{"OPTIONS", "/healthz", "GET"}, {"OPTIONS", "/api/teams", "GET, POST"}, {"DELETE", "/api/teams/", "GET, POST"},
	} {
		res := s.do(c.method, c.path, "")
		res.want(t, c.method+" "+c.path, http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
		if got := res.Header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: allowed is %q, want %q", c.method, c.path, got, c.allow)
		}
	}
	s.do("OPTIONS", "/api/auth/nothing", "").want(t, "OPTIONS of no path", http.StatusNotFound, notFound)
}

func TestATrailingSlashLeadsOnlyToRoutesThatExist(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, to := range map[string]string{
		"/api/auth/jwt/login/": "/api/auth/jwt/login", "/api/users/me/?a=1&b=%2F": "/api/users/me?a=1&b=%2F",
		"/api/auth/register/": "/api/auth/register",
	} {
		res := s.do("POST", path, "")
		if res.StatusCode != http.StatusTemporaryRedirect || res.Header.Get("Location") != to {
			t.Errorf("%s: %d to %q", path, res.StatusCode, res.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/api/auth/", "/api/auth/nothing/", "/api/users/", "/api/auth/jwt/", "/account/login/", "/api/teams/x/y/"} {
		s.do("GET", path, "").want(t, path, http.StatusNotFound, notFound)
	}
}

func TestErrorsOfOwnRoutesHaveTheOneShape(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	large := strings.Repeat("x", 65<<10)
	tooLarge := `{"detail":"The request body is longer than 65536 bytes. Send less."}`
	s.do("GET", "/api/auth/nothing", "").want(t, "no route", http.StatusNotFound, notFound)
	s.do("POST", "/api/auth/jwt/login", large, formType).want(t, "a large body", http.StatusRequestEntityTooLarge, tooLarge)
	s.do("POST", "/api/auth/register", "{}", jsonType).want(t, "missing fields", http.StatusUnprocessableEntity,
		`{"detail":[{"type":"missing","loc":["body","email"],"msg":"Field required","input":{}},{"type":"missing","loc":["body","password"],"msg":"Field required","input":{}}]}`)
	s.do("GET", "/api/auth/users/me", "").want(t, "nobody", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	s.do("GET", "/api/auth//users/me", "").want(t, "a doubled slash", http.StatusBadRequest, s.do("GET", "/api//conversations", "").body)

	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/api/auth/jwt/login", &chunked{strings.NewReader(large)})
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	read(t, res).want(t, "a large body of unknown length", http.StatusRequestEntityTooLarge, tooLarge)
}

// chunked hides a body's length.
type chunked struct{ *strings.Reader }

func (c *chunked) Len() {}

func TestWithoutAUIThereIsNothingOutsideTheAPIAndSigningInLandsOnAPageThatIsThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	email := s.register("ada@example.com")
	for _, path := range []string{"/", "/index.html", "/conversations", "/settings/llm", "/assets/x.js"} {
		for _, accept := range []string{"Accept: text/html", "Accept: */*"} {
			s.do("GET", path, "", accept).want(t, path+" "+accept, http.StatusNotFound, notFound)
		}
	}
	s.do("GET", "/api/conversations/search", "").want(t, "the API", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	form := url.Values{"email": {email}, "password": {password}}.Encode()
	res := s.do("POST", "/account/login", form, formType)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/account/" || len(res.Cookies()) != 1 {
		t.Fatalf("signing in: %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	page := s.do("GET", res.Header.Get("Location"), "", "Cookie: "+res.Cookies()[0].Name+"="+res.Cookies()[0].Value)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, email) {
		t.Errorf("the page: %d %s", page.StatusCode, page.body)
	}
	res = s.do("POST", "/account/login", form+"&return=%2Fapi%2Fusers%2Fme", formType)
	if got := res.Header.Get("Location"); got != "/api/users/me" {
		t.Errorf("another way back was changed to %q", got)
	}
}

func TestPathsAreDividedBetweenUsAndTheProxy(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/api/auth": true, "/api/auth/": true, "/api/auth/jwt/login": true, "/api/auth/nothing": true, "/api/users/me": true,
		"/api/teams": true, "/api/teams/": true, "/api/keys": true, "/api/keys/x/y": true, "/api/teams/1/members": true, "/account": true, "/account/login": true,
		"/healthz": true, "/readyz": true, "/alive": true, "/health": true, "/ready": true, "/health/deep": true,
		"/api/auth/workspace-session/": true,

		"/api/auth/workspace-session": false, "/api/authority": false, "/api/teamsters": false, "/api/keyset": false, "/accounts": false, "/healthzz": false,
		"/": false, "": false, "/api": false, "/api/conversations": false, "/API/auth": false, "/api/%61uth/login": false, "//api/auth": false,
		"/sockets/events/1": false, "/server_info": false,
	} {
		if got := app.IsOurs(path); got != want {
			t.Errorf("%q: ours is %v", path, got)
		}
	}
}

func TestTheWorkspaceSessionIsTheProxysAffair(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.do("POST", "/api/auth/workspace-session", "").want(t, "a stranger", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	s = newSite(t, anonymous)
	if res := s.do("POST", "/api/auth/workspace-session", ""); res.StatusCode != http.StatusNoContent {
		t.Errorf("anonymous: %d %s", res.StatusCode, res.body)
	}
}

func TestAccountsSeeTheAddressThatTrustedProxiesVouchFor(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) {
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	})
	for _, c := range []struct{ what, peer, forwarded, want string }{
		{"no proxy", "203.0.113.9:1", "", "203.0.113.9"},
		{"a stranger's word", "203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"a proxy's word", "10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"what was made up further left", "10.0.0.1:1", "6.6.6.6, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"a trusted address that was made up", "10.0.0.1:1", "10.9.9.9, 198.51.100.1", "198.51.100.1"},
		{"nonsense", "10.0.0.1:1", "6.6.6.6, nonsense", "10.0.0.1"},
		{"a proxy without a word", "10.0.0.1:1", "", "10.0.0.1"},
		{"two lines and IPv6", "[fd00::1]:1", "2001:db8::7", "2001:db8::7"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"no address", "pipe", "198.51.100.1", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := s.app.ClientIP(r); got != c.want {
			t.Errorf("%s: got %q, want %q", c.what, got, c.want)
		}
	}
}
