package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// turnstile is an upstream whose answers wait until it is opened. It counts who waits.
type turnstile struct {
	waiting atomic.Int64
	open    chan struct{}
	held    sync.WaitGroup
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newTurnstile() *turnstile { return &turnstile{open: make(chan struct{})} }

func (g *turnstile) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	g.waiting.Add(1)
	defer g.waiting.Add(-1)
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case <-g.open:
	case <-r.Context().Done():
	}
}

// release lets all go, now and from now on, and waits for their end.
func (g *turnstile) release() {
	close(g.open)
	g.held.Wait()
}

// creating adds an operation that starts conversations.
func creating(limits proxy.Limits) func(*proxy.Config) {
	return func(c *proxy.Config) {
		c.Limits = limits
		c.Operations = append(c.Operations, proxy.Operation{Method: "POST", Path: "/api/conversations", Permission: access.ConversationCreate,
			Treatment: proxy.Create, Handle: start})
	}
}

// start counts what is not refused for its body.
func start(x *proxy.Exchange) error {
	if _, err := x.ReadJSON(); err != nil {
		return err
	}
	if err := x.Begin(); err != nil {
		return err
	}
	return x.Forward(proxy.Outgoing{Body: []byte("{}")})
}

// hold has n requests wait in the upstream. They must all be let in.
func (g *turnstile) hold(t *testing.T, s *stand, n int, method, path, token string, adapt ...func(*http.Request)) {
	t.Helper()
	before := g.waiting.Load()
	for range n {
		g.held.Go(func() {
			if a := s.ask(t, method, path, token, adapt...); a.StatusCode != 200 {
				t.Errorf("one that was let in got %d", a.StatusCode)
			}
		})
	}
	testtime.Eventually(t, 10*time.Second, "all wait", func() bool { return g.waiting.Load() == before+int64(n) })
}

// limited checks a refusal: 429 that says when to come back and which limit it was.
func limited(t *testing.T, a answer, text string) {
	t.Helper()
	has(t, a, 429, text)
	if n, err := strconv.Atoi(a.Header.Get("Retry-After")); err != nil || n < 1 || n > 60 {
		t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
	}
}

func TestRequestsInFlightAreBoundedForEachUserAndTeam(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, creating(proxy.Limits{RequestsByUser: 3, RequestsByTeam: 5}))
	s.people["dev2"] = person("dev2@example.com", red, access.Developer)
	s.people["dev3"] = person("dev3@example.com", red, access.Developer)
	g.hold(t, s, 3, "GET", "/api/models", "dev")
	limited(t, s.ask(t, "GET", "/api/models", "dev"), "you have 3")
	limited(t, s.ask(t, "GET", "/api/conversations/"+foreign.String(), "dev"), "you have 3") // before anything is asked for
	g.hold(t, s, 2, "GET", "/api/conversations/"+ours.String(), "dev2")
	limited(t, s.ask(t, "GET", "/api/models", "dev3"), "your team has 5")
	limited(t, s.ask(t, "GET", "/api/conversations/"+ours.String(), "dev3"), "your team has 5")
	has(t, s.ask(t, "GET", "/api/conversations/"+foreign.String(), "dev3"), 404, "Not Found") // costs that team nothing
	g.hold(t, s, 3, "GET", "/api/models", "other")
	g.release()
	for range 8 { // what is over, refused or not, counts no more
		has(t, s.ask(t, "GET", "/api/off", "dev"), 403, "not available")
		has(t, s.ask(t, "GET", "/api/conversations/"+unknown.String(), "dev"), 404, "Not Found")
	}
}

func TestAnonymousCallersAreCountedByAddressAndAsOneTeam(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, func(c *proxy.Config) {
		creating(proxy.Limits{RequestsByUser: 2, RequestsByTeam: 3})(c)
		c.TrustedProxies = loopback
	})
	letAnonymousIn(s)
	from := func(a string) func(*http.Request) { return header("X-Forwarded-For", a) }
	g.hold(t, s, 2, "GET", "/api/models", "", from("2001:db8::1"))
	limited(t, s.ask(t, "GET", "/api/models", "", from("2001:db8::2")), "you have 2") // the same household
	g.hold(t, s, 1, "GET", "/api/models", "", from("192.0.2.1"))
	limited(t, s.ask(t, "GET", "/api/models", "", from("192.0.2.2")), "your team has 3")
	g.release()
}

func TestUploadsInFlightAreBoundedForEachUser(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, creating(proxy.Limits{UploadsByUser: 2}))
	large := body(strings.Repeat("x", 300<<10))
	endless := func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), -1 }
	g.hold(t, s, 1, "POST", "/api/models", "dev", large)
	g.hold(t, s, 1, "POST", "/api/models", "dev", endless)
	// Who sends a large body without asking first may lose the answer to the reset that ends it.
	limited(t, s.ask(t, "POST", "/api/models", "dev", large, header("Expect", "100-continue")), "uploads")
	limited(t, s.ask(t, "POST", "/api/models", "dev", endless), "uploads")
	g.release()
	has(t, s.ask(t, "POST", "/api/models", "dev", large), 200, "")
	has(t, s.ask(t, "POST", "/api/models", "dev", body("short")), 200, "")
}

func TestConversationsThatAreStartingAreBoundedForEachTeam(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, creating(proxy.Limits{StartsByTeam: 2}))
	s.people["dev2"] = person("dev2@example.com", red, access.Developer)
	g.hold(t, s, 2, "POST", "/api/conversations", "dev", body("{}"))
	limited(t, s.ask(t, "POST", "/api/conversations", "dev2", body("{}")), "conversations that are starting")
	g.release()
	has(t, s.ask(t, "POST", "/api/conversations", "dev2", body("{}")), 200, "")
}

func TestStartsOfConversationsAreBoundedWithinAMinuteForEachTeam(t *testing.T) {
	t.Parallel()
	var clock atomic.Int64
	clock.Store(1_700_000_000)
	s := newStand(t, nil, func(c *proxy.Config) {
		creating(proxy.Limits{StartsByMinute: 3})(c)
		c.Now = func() time.Time { return time.Unix(clock.Load(), 0) }
	})
	start := func(who string) answer { return s.ask(t, "POST", "/api/conversations", who, body("{}")) }
	for range 3 {
		has(t, start("dev"), 200, "")
		clock.Add(10)
	}
	for range 3 { // refusals do not put off the end
		a := start("dev")
		limited(t, a, "3 conversations within a minute")
		if a.Header.Get("Retry-After") != "30" {
			t.Errorf("Retry-After is %s", a.Header.Get("Retry-After"))
		}
	}
	has(t, start("other"), 200, "")
	clock.Add(30)
	has(t, start("dev"), 200, "")
	limited(t, start("dev"), "within a minute")
	clock.Add(10)
	has(t, start("dev"), 200, "")
	has(t, s.ask(t, "POST", "/api/conversations", "viewer", body("{}")), 403, "role in this team")
}

func TestRefusedBodiesCostNoStarts(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, creating(proxy.Limits{StartsByMinute: 2}))
	for range 10 {
		has(t, s.ask(t, "POST", "/api/conversations", "dev", body("[]")), 422, "")
	}
	for range 2 {
		has(t, s.ask(t, "POST", "/api/conversations", "dev", body("{}")), 200, "")
	}
	limited(t, s.ask(t, "POST", "/api/conversations", "dev", body("[]")), "within a minute") // before the body is read
}

func TestTeamsThatRestAreForgotten(t *testing.T) {
	t.Parallel()
	if kept := proxy.TeamsPaced(5000); kept > 1024 {
		t.Errorf("%d teams are kept", kept)
	}
}

func TestOpenWebSocketsAreBoundedForEachUserAndTeam(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, creating(proxy.Limits{SocketsByUser: 2, SocketsByTeam: 3}))
	s.people["dev2"] = person("dev2@example.com", red, access.Developer)
	s.people["dev3"] = person("dev3@example.com", red, access.Developer)
	refused := func(token, text string) {
		t.Helper()
		h := bearer(token)
		limited(t, s.ask(t, "GET", live, token, func(r *http.Request) {
			r.Header = http.Header{"Authorization": h["Authorization"], "Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
				"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}
		}), text)
		c := s.open(t, live, nil)
		say(t, c, auth(token))
		if got := ends(t, c, promise); got.Code != 1013 || !strings.Contains(got.Reason, text) {
			t.Errorf("got %v", got)
		}
	}
	first := s.open(t, live, bearer("dev"))
	s.open(t, live, bearer("dev"))
	refused("dev", "you have 2")
	s.open(t, live, bearer("dev2"))
	refused("dev3", "your team has 3")
	if got := ends(t, s.open(t, nobody, bearer("dev3")), promise); got.Code != 4004 {
		t.Errorf("got %v", got)
	}
	_ = first.Close(1000, "")
	testtime.Eventually(t, promise, "a place is free", func() bool {
		c, _, err := websocket.Dial(t.Context(), s.url+live, &websocket.DialOptions{HTTPHeader: bearer("dev3")})
		if err == nil {
			t.Cleanup(func() { _ = c.CloseNow() })
		}
		return err == nil
	})
}

func TestASocketThatTheUpstreamRefusesGivesItsPlacesBack(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, creating(proxy.Limits{SocketsByUser: 1, SubscribersByUser: 1}))
	for range 5 {
		if got := ends(t, s.open(t, live, bearer("dev")), promise); got.Code != 1013 || strings.Contains(got.Reason, "limit") {
			t.Errorf("got %v", got)
		}
	}
}

func TestSubscribersOfAConversationAreBoundedForEachUserAndInAll(t *testing.T) {
	t.Parallel()
	second := uuid.New()
	s := newStand(t, newSpeaker().ServeHTTP, creating(proxy.Limits{SubscribersByUser: 2, SubscribersByConversation: 3}))
	s.objects[second] = access.Object{ID: second, Team: red, State: access.StateLive}
	s.people["dev2"] = person("dev2@example.com", red, access.Developer)
	works := func(target, token string) *websocket.Conn {
		t.Helper()
		c := s.open(t, target, bearer(token))
		say(t, c, "hello")
		hear(t, c)
		return c
	}
	full := func(token, text string) {
		t.Helper()
		if got := ends(t, s.open(t, live, bearer(token)), promise); got.Code != 1013 || !strings.Contains(got.Reason, text) {
			t.Errorf("got %v", got)
		}
	}
	first := works(live, "dev")
	works(live, "dev")
	full("dev", "you have 2")
	works(live, "dev2")
	full("dev2", "there are 3")
	works("/sockets/events/"+second.String(), "dev")
	_ = first.Close(1000, "")
	testtime.Eventually(t, promise, "a place is free", func() bool {
		c := s.open(t, live, bearer("dev2"))
		_ = c.Write(t.Context(), websocket.MessageText, []byte("hello"))
		ctx, cancel := context.WithTimeout(t.Context(), promise)
		defer cancel()
		_, message, err := c.Read(ctx)
		return err == nil && string(message) == "hello"
	})
}

func TestALimitThatIsNegativeIsNone(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, unlimited)
	g.hold(t, s, 70, "GET", "/api/models", "dev")
	g.release()
}

func TestTheLimitsHoldUnlessOthersAreGiven(t *testing.T) {
	t.Parallel()
	g := newTurnstile()
	s := newStand(t, g.ServeHTTP, creating(proxy.Limits{}))
	g.hold(t, s, 64, "GET", "/api/models", "dev")
	limited(t, s.ask(t, "GET", "/api/models", "dev"), "you have 64")
	g.release()
}
