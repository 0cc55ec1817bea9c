package proxy_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestWhatIsDecidedOnIsForwardedToTheByte(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	c := "/api/conversations/" + ours.String()
	for target, want := range map[string]string{
		"/api/models":                "/api/models",
		"/api/models?b=2&a=1&a=%23":  "/api/models?b=2&a=1&a=%23",
		"/api/tools/":                "/api/tools/",
		"/api/items/a%20%C3%A4%2525": "/api/items/a%20%C3%A4%2525",
		"/api/conversations/search":  "/api/conversations/search",
		c:                            c,
		strings.ToUpper(c)[:0] + "/api/conversations/" + strings.ToUpper(ours.String()): c,
		"/api/conversations/" + strings.ReplaceAll(ours.String(), "-", "") + "/events":  c + "/events",
		c + "/workspace/a/b%23c%3Bd.txt":                                                c + "/workspace/a/b%23c%3Bd.txt",
		c + "/workspace/":                                                               c + "/workspace/",
		"/api/models?session_api_key=dev&cid=x&a=1":                                     "/api/models?a=1",
		"/api/models?session%5Fapi_key=dev":                                             "/api/models",
	} {
		if got := s.echoed(t, "GET", target, "dev"); got.Target != want {
			t.Errorf("%s: the upstream got %s, want %s", target, got.Target, want)
		}
	}
}

func TestWhatNoRowNamesIs404ForThoseSignedInAnd401ForOthers(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) { c.Digest = 50 * time.Millisecond })
	for _, target := range []string{
		"GET /api/nothing", "GET /api/models/", "GET /api/tools", "DELETE /api/models", "HEAD /api/models", "OPTIONS /api/models",
		"GET /api/conversations/" + "{" + ours.String() + "}", "GET /api/Models", "GET /sockets/nothing", "GET /server_info",
		"GET /v1/models", "POST /", "GET /", "PATCH /api/conversations/search", "GET /api/items/", "GET /api/conversations/search/events",
	} {
		method, path, _ := strings.Cut(target, " ")
		if strings.Contains(path, "{") {
			continue // braces are not canonical: 400
		}
		if a := s.ask(t, method, path, "dev"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s signed in: got %d", target, a.StatusCode)
		}
		if a := s.ask(t, method, path, ""); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a credential: got %d", target, a.StatusCode)
		}
	}
	testtime.Eventually(t, promise, "it is logged", func() bool { return strings.Contains(s.log.String(), "an unknown operation was refused") })
}

func TestAFileNameEscapeOutsideAFileTailIsRefused(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	for _, path := range []string{
		"/api/items/a%23b", "/api/items/a%3Bb", "/api%23/x", "/nothing%23", "/api/conversations/" + ours.String() + "%23/workspace/x",
		"/api/conversations/" + ours.String() + "/workspace/../events", "/api/conversations/" + ours.String() + "/workspace/%2e%2e/x",
		"/api/%6dodels", "/api/models%2f", "//api/models",
	} {
		has(t, s.ask(t, "GET", path, "dev"), http.StatusBadRequest, "canonical")
	}
}

func TestNavigationWithoutACredentialGoesToLoginAndBack(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	html := header("Accept", "text/html,*/*")
	for target, want := range map[string]string{
		"/conversations/1?x=1&y=2": "/account/login?return=%2Fconversations%2F1%3Fx%3D1%26y%3D2",
		"/api/nothing":             "/account/login?return=%2Fapi%2Fnothing",
		"/api/models":              "/account/login?return=%2Fapi%2Fmodels",
		"/x?session_api_key=s":     "/account/login?return=%2Fx",
	} {
		a := s.ask(t, "GET", target, "", html)
		if a.StatusCode != http.StatusFound || a.Header.Get("Location") != want {
			t.Errorf("%s: got %d %q, want %q", target, a.StatusCode, a.Header.Get("Location"), want)
		}
	}
	if a := s.ask(t, "GET", "/api/models", "", html, header("Sec-Fetch-Mode", "cors")); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a script was redirected: %d", a.StatusCode)
	}
	if a := s.ask(t, "POST", "/api/models", "", html); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a POST was redirected: %d", a.StatusCode)
	}
}

type pages struct{}

func (pages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, ok := proxy.CallerFrom(r.Context())
	if !ok {
		_, _ = w.Write([]byte("public"))
		return
	}
	_, _ = w.Write([]byte(c.Principal.Email))
}

func (pages) Public(r *http.Request) bool { return r.URL.Path == "/favicon.ico" }

func TestTheFallbackServesOnlyOutsideTheTableAndKnowsTheCaller(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) { c.Fallback = pages{} })
	has(t, s.ask(t, "GET", "/conversations/x", "dev"), 200, "dev+1@example.com")
	has(t, s.ask(t, "GET", "/conversations/x", ""), 401, "Unauthorized")
	has(t, s.ask(t, "GET", "/favicon.ico", ""), 200, "public")
	has(t, s.ask(t, "POST", "/conversations/x", "dev"), 404, "Not Found")
	has(t, s.ask(t, "GET", "/api/nothing", "dev"), 404, "Not Found")
	has(t, s.ask(t, "GET", "/api", "dev"), 404, "Not Found")
}

func TestATableWithMistakesIsRefused(t *testing.T) {
	t.Parallel()
	good := proxy.Operation{Method: "GET", Path: "/api/x", Permission: access.TeamRead, Treatment: proxy.Pass}
	for name, change := range map[string]func(*proxy.Operation){
		"no handler": func(o *proxy.Operation) { o.Treatment = proxy.Filter },
		"treatment":  func(o *proxy.Operation) { o.Treatment = "" },
		"permission": func(o *proxy.Operation) { o.Permission = "" },
		"tail":       func(o *proxy.Operation) { o.Path = "/api/{x...}/y" },
		"path":       func(o *proxy.Operation) { o.Path = "api" },
		"twice":      func(o *proxy.Operation) { *o = good },
	} {
		o := good
		o.Path = "/api/y"
		change(&o)
		w := newWorld()
		_, err := proxy.New(proxy.Config{Upstream: mustURL("http://127.0.0.1:1"), Key: key, Operations: []proxy.Operation{good, o}, Gate: w, Objects: w, Events: w})
		if err == nil {
			t.Errorf("%s: the table was taken", name)
		}
	}
}
