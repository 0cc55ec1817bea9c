package proxy_test

import (
	"net/http"
	"testing"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// reachedBy asks by a name that leads to the server, as a browser does whose user a site led there by its DNS.
func reachedBy(host string) func(*http.Request) { return func(r *http.Request) { r.Host = host } }

func letAnonymousIn(s *stand) {
	p := person("", red, access.Developer)
	p.Anonymous = true
	s.change(func() { s.anonymous = p })
}

func TestWhoeverComesWithoutACredentialIsServedOnlyByANameThatIsOurs(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) {
		c.Origins = []string{"https://Hands.example.com:8443", "http://[fd00::7]", "nonsense"}
		c.Fallback = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("the page")) })
	})
	letAnonymousIn(s)
	for host, want := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:3001": 200, "10.1.2.3:80": 200, "[::1]:3001": 200, "[::1]": 200, "[fe80::1]:80": 200,
		"localhost": 200, "LocalHost:3001": 200, "localhost.:3001": 200, "app.localhost:3001": 200, "a.b.localhost.": 200,
		"hands.example.com": 200, "HANDS.example.com.:8443": 200, "hands.example.com:1": 200, "[fd00::7]:99": 200,
		"evil.example": 421, "evil.example:3001": 421, "127.0.0.1.evil.example": 421, "xlocalhost": 421, "localhost.evil.example": 421,
		"hands.example.com.evil.example": 421, "x.hands.example.com": 421, "127.1": 421, "2130706433": 421, "0x7f.0.0.1": 421,
		"nonsense": 421, "localhost..": 421,
	} {
		from := "http://" + host
		for what, ask := range map[string]func() answer{
			"a safe request":    func() answer { return s.ask(t, "GET", "/api/models", "", reachedBy(host)) },
			"an unsafe request": func() answer { return s.ask(t, "POST", "/api/models", "", reachedBy(host)) },
			"one from its pages": func() answer {
				return s.ask(t, "POST", "/api/models", "", reachedBy(host), header("Sec-Fetch-Site", "same-origin"))
			},
			"one with its origin":  func() answer { return s.ask(t, "POST", "/api/models", "", reachedBy(host), header("Origin", from)) },
			"the page":             func() answer { return s.ask(t, "GET", "/", "", reachedBy(host)) },
			"an unknown operation": func() answer { return s.ask(t, "GET", "/api/nothing", "", reachedBy(host)) },
		} {
			expected := want
			if what == "an unknown operation" && want == 200 {
				expected = 404
			}
			a := ask()
			if a.StatusCode != expected {
				t.Errorf("%s to %q: got %d %s, want %d", what, host, a.StatusCode, a.body, expected)
			}
			if expected == 421 {
				has(t, a, 421, "PUBLIC_URL")
			}
		}
		if a := s.ask(t, "POST", "/api/models", "", cookie("dev"), reachedBy(host), header("Origin", from)); a.StatusCode != 200 {
			t.Errorf("a cookie of %q: got %d", host, a.StatusCode)
		}
		if a := s.ask(t, "POST", "/api/models", "dev", reachedBy(host), header("Origin", from)); a.StatusCode != 200 {
			t.Errorf("a key sent to %q: got %d", host, a.StatusCode)
		}
	}
}

func TestWhereAnonymousIsOffTheNameChangesNothing(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	has(t, s.ask(t, "GET", "/api/models", "", reachedBy("evil.example")), 401, "Unauthorized")
	if a := s.ask(t, "GET", "/", "", reachedBy("evil.example"), header("Accept", "text/html")); a.StatusCode != 302 {
		t.Errorf("got %d", a.StatusCode)
	}
}

func TestASocketByAStrangeNameIsNotAnonymousButMayBringAKey(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, quick)
	letAnonymousIn(s)
	by := func(origin string) *websocket.Conn {
		h := http.Header{}
		if origin != "" {
			h.Set("Origin", origin)
		}
		c, _, err := websocket.Dial(t.Context(), s.url+live, &websocket.DialOptions{HTTPHeader: h, Host: "evil.example:3001"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.CloseNow() })
		return c
	}
	for _, origin := range []string{"", "http://evil.example:3001"} {
		if got := ends(t, by(origin), promise); got.Code != 4001 {
			t.Errorf("from %q: got %v", origin, got)
		}
	}
	if up.opened.Load() != 0 {
		t.Error("the upstream was contacted")
	}
	c := by("http://evil.example:3001")
	say(t, c, auth("dev"))
	say(t, c, "hello")
	if got := hear(t, c); got != "hello" {
		t.Errorf("got %q", got)
	}
}

func TestHandlersBesideTheEngineAskAboutTheNameToo(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	r, _ := http.NewRequest("GET", "http://evil.example/api/teams", nil)
	if s.engine.CheckHost(r) == nil {
		t.Error("a strange name passed")
	}
	r.Host = "localhost:3001"
	if err := s.engine.CheckHost(r); err != nil {
		t.Error(err)
	}
}
