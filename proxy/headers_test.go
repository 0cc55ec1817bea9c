package proxy_test

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

func TestTheUpstreamLearnsWhoAsksFromUsOnly(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	names := []string{
		"X-Forwarded-User", "x_forwarded_user", "X_Forwarded_Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
		"X-OpenHands-User-Id", "x-openhands_user-id", "X_OPENHANDS_TEAM_ROLE", "X-Openhands-Team-Anything", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Proto", "X-Forwarded-Uri", "X-Forwarded-Prefix", "Forwarded", "X-Real-Ip", "X_Real_IP", "X-Team-Id", "X-Expose-Secrets",
		"X_Expose_Secrets", "X-Init-Api-Key", "X-Openhands-Serverconversation-Id", "X-Openhands-Observability-Tags", "X_Session_API_Key",
		"Cookie", "Proxy-Authorization", "Remote-User", "X-Original-Url", "X-Http-Method-Override", "Range", "If-Range",
		"Sec-Websocket-Key", "Upgrade", "Te",
	}
	got := s.echoed(t, "GET", "/api/models", "dev", func(r *http.Request) {
		for _, n := range names {
			r.Header[n] = []string{"evil"}
		}
		r.Header["X-Team-Id"] = []string{red.String()}
		r.Header["Connection"] = []string{"close, X-Forwarded-User, X-OpenHands-User-Id, X-Session-API-Key"}
		r.Header["X-Harmless"] = []string{"kept"}
		r.Header["Accept-Encoding"] = []string{"gzip"}
	})
	p := s.people["dev"]
	want := http.Header{
		"Session-Key-Was-Right":  {"yes"},
		"X-Openhands-User-Id":    {p.User.String()},
		"X-Openhands-User-Email": {"dev+1@example.com"},
		"X-Openhands-Team-Id":    {red.String()},
		"X-Openhands-Team-Role":  {"developer"},
		"X-Forwarded-User":       {p.User.String()},
		"X-Forwarded-Email":      {"dev+1@example.com"},
		"X-Forwarded-Groups":     {red.String()},
		"X-Forwarded-For":        {"127.0.0.1"},
		"X-Forwarded-Host":       {strings.TrimPrefix(s.url, "http://")},
		"X-Forwarded-Proto":      {"http"},
		"X-Harmless":             {"kept"},
		"User-Agent":             {"Go-http-client/1.1"},
		"Host":                   {strings.TrimPrefix(s.upstream.URL, "http://")},
	}
	for name, values := range got.Header {
		if !slices.Equal(values, want[name]) {
			t.Errorf("%s: the upstream got %q, want %q", name, values, want[name])
		}
	}
	for name := range want {
		if got.Header[name] == nil {
			t.Errorf("%s did not arrive", name)
		}
	}
}

func TestAnAddressIsPercentEncodedInHeaders(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	s.people["dev"] = person("jörg x\r\n@example.com", red, access.Developer)
	got := s.echoed(t, "GET", "/api/models", "dev")
	if h := got.Header.Get("X-OpenHands-User-Email"); h != "j%C3%B6rg%20x%0D%0A@example.com" {
		t.Errorf("got %q", h)
	}
}

func TestForwardingHeadersOfTrustedProxiesAreReadFromTheRight(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	got := s.echoed(t, "GET", "/api/models", "dev", header("X-Forwarded-For", "6.6.6.6, 8.8.8.8"), header("X-Forwarded-For", "10.1.1.1"),
		header("X-Forwarded-Proto", "https"))
	if got.Header.Get("X-Forwarded-For") != "8.8.8.8" || got.Header.Get("X-Forwarded-Proto") != "https" {
		t.Errorf("got %q, %q", got.Header.Get("X-Forwarded-For"), got.Header.Get("X-Forwarded-Proto"))
	}
}

// FuzzHeaderNames: a name that reads like one of ours to a backend that folds case and underscores never gets through.
func FuzzHeaderNames(f *testing.F) {
	for _, s := range []string{"X-Forwarded-User", "x_forwarded-USER", "Cookie", "X-Harmless", "x_session_api_key"} {
		f.Add(s)
	}
	guarded := []string{"x-forwarded-", "x-openhands-user-", "x-openhands-team-", "x-session-api-key", "cookie", "authorization", "x-expose-secrets", "x-real-ip", "forwarded"}
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{name: {"evil"}}
		proxy.Strip(h)
		folded := strings.Map(func(r rune) rune {
			if r < 0x80 {
				return r
			}
			return 'é'
		}, name)
		folded = strings.ReplaceAll(strings.ToLower(folded), "_", "-")
		for _, g := range guarded {
			hit := folded == g || (strings.HasSuffix(g, "-") && strings.HasPrefix(folded, g))
			if hit && len(h) != 0 {
				t.Fatalf("%q got through", name)
			}
		}
		if strings.HasPrefix(name, "X-Harmless") && len(h) == 0 {
			t.Fatalf("%q was stripped", name)
		}
	})
}
