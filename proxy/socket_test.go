package proxy_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

var (
	live   = "/sockets/events/" + ours.String()
	theirs = "/sockets/events/" + foreign.String()
	nobody = "/sockets/events/" + unknown.String()
)

func quick(c *proxy.Config) {
	c.Socket.AuthTimeout, c.Socket.AnonymousGrace = 300*time.Millisecond, 100*time.Millisecond
}

func TestAWebSocketIsRelayedWithTheRealKeyAndNothingOfTheClients(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, nil)
	h := bearer("dev")
	h.Set("X_Forwarded_User", "evil")
	h.Set("Cookie", "a=b")
	c := s.open(t, "/sockets/events/"+strings.ToUpper(strings.ReplaceAll(ours.String(), "-", ""))+"?resend_mode=all&session_api_key=&cid=1", h)
	say(t, c, `{"role":"user","content":"hi"}`)
	if got := hear(t, c); got != `{"role":"user","content":"hi"}` {
		t.Errorf("got %s", got)
	}
	r := up.last.Load()
	if r.RequestURI != live+"?resend_mode=all" || r.Header.Get("X-Session-API-Key") != key || r.Header.Get("X-OpenHands-Team-Id") != red.String() {
		t.Errorf("the upstream got %s %v", r.RequestURI, r.Header)
	}
	for _, n := range []string{"Authorization", "Cookie", "X_forwarded_user", "Sec-Websocket-Extensions", "Origin"} {
		if r.Header[http.CanonicalHeaderKey(n)] != nil {
			t.Errorf("%s reached the upstream", n)
		}
	}
	if s.engine.Live().Len() != 1 {
		t.Errorf("%d are registered", s.engine.Live().Len())
	}
	_ = c.Close(4321, "bye")
	if err := <-up.closed; websocket.CloseStatus(err) != 4321 {
		t.Errorf("the upstream saw %v", err)
	}
	testtime.Eventually(t, 2*time.Second, "the registry is empty", func() bool { return s.engine.Live().Len() == 0 })
}

func TestLargeAndBinaryMessagesPassWhole(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	c := s.open(t, live, bearer("dev"))
	for _, n := range []int{0, 1, 125, 126, 1023, 1024, 32<<10 - 14, 32 << 10, 65535, 65536, 1 << 20} {
		want := strings.Repeat("0123456789abcdef", n/16+1)[:n]
		if err := c.Write(t.Context(), websocket.MessageBinary, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got := hear(t, c); got != want {
			t.Errorf("%d bytes came back as %d", n, len(got))
		}
	}
}

func TestTheFirstFrameMayBringTheKeyAndTheUpstreamIsNotAskedBefore(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, nil)
	c := s.open(t, live, nil)
	if up.opened.Load() != 0 {
		t.Error("the upstream was contacted before authentication")
	}
	say(t, c, auth("dev"))
	say(t, c, auth("dev")) // swallowed
	say(t, c, `{"session\u005fapi_key":"dev","type":"auth","x":1}`)
	say(t, c, "hello")
	if got := hear(t, c); got != "hello" {
		t.Errorf("got %s", got)
	}
}

func TestWhoIsRefusedIsToldByACloseCodeAndTheUpstreamIsNotAsked(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, quick)
	for name, c := range map[string]struct {
		target string
		header http.Header
		first  string
		code   websocket.StatusCode
	}{
		"a bad key in a header":        {live, bearer("wrong"), "", 4001},
		"a bad key in the query":       {live + "?session_api_key=wrong", nil, "", 4001},
		"a bad key in the first frame": {live, nil, auth("wrong"), 4001},
		"no frame in time":             {live, nil, "", 4001},
		"a frame that is no auth":      {live, nil, `{"role":"user"}`, 4001},
		"text that is no JSON":         {live, nil, "hello", 4001},
		"the placeholder alone":        {live, nil, auth("cookie"), 4001},
		"a null key":                   {live, nil, `{"type":"auth","session_api_key":null}`, 4001},
		"a key in another case":        {live, nil, `{"type":"auth","Session_Api_Key":"dev"}`, 4001},
		"a foreign conversation":       {theirs, bearer("dev"), "", 4004},
		"an unknown conversation":      {nobody, bearer("dev"), "", 4004},
		"a foreign one by frame":       {theirs, nil, auth("dev"), 4004},
		"an unknown one by frame":      {nobody, nil, auth("dev"), 4004},
		"a stale cookie":               {live, http.Header{"Cookie": {cookieName + "=old"}}, auth("cookie"), 4001},
		"a team one is not in":         {live, http.Header{"Authorization": {"Bearer dev"}, "X-Team-Id": {blue.String()}}, "", 4004},
		"a huge first frame":           {live, nil, auth(strings.Repeat("x", 17<<10)), 4001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := s.open(t, c.target, c.header)
			if c.first != "" {
				say(t, conn, c.first)
			}
			want := map[websocket.StatusCode]string{4001: "Authentication failed", 4004: "Conversation not found"}
			if got := ends(t, conn, 5*time.Second); got.Code != c.code || got.Reason != want[c.code] {
				t.Errorf("got %v", got)
			}
			if up.opened.Load() != 0 {
				t.Error("the upstream was contacted")
			}
		})
	}
}

func TestABinaryFirstFrameDoesNotAuthenticate(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, quick)
	c := s.open(t, live, nil)
	_ = c.Write(t.Context(), websocket.MessageBinary, []byte(auth("dev")))
	if got := ends(t, c, 5*time.Second); got.Code != 4001 {
		t.Errorf("got %v", got)
	}
}

func TestACookieOpensAWebSocketFromOurPagesOnly(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	h := func(origin string) http.Header {
		h := http.Header{"Cookie": {cookieName + "=dev"}}
		if origin != "" {
			h.Set("Origin", origin)
		}
		return h
	}
	for _, origin := range []string{"", "https://evil.example", "null", s.url + ".evil.example"} {
		if _, status := s.dial(t, live, h(origin)); status != http.StatusForbidden {
			t.Errorf("%q: got %d", origin, status)
		}
	}
	c := s.open(t, live, h(s.url))
	say(t, c, auth("cookie")) // the Canvas sends it; the cookie counts
	say(t, c, "hello")
	if got := hear(t, c); got != "hello" {
		t.Errorf("got %s", got)
	}
}

func TestWhereAnonymousIsOnAMissingCredentialIsAnonymousAndAKeyCountsInstead(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, quick)
	p := person("", red, access.Developer)
	p.Anonymous, p.Email = true, ""
	s.anonymous = p
	for name, first := range map[string]string{"at once a message": "hello", "the placeholder": auth("cookie"), "silence": ""} {
		c := s.open(t, live, nil)
		if first != "" {
			say(t, c, first)
		}
		if first != "hello" {
			testtime.Eventually(t, 2*time.Second, name, func() bool { return up.last.Load() != nil })
			say(t, c, "hello")
		}
		if got := hear(t, c); got != "hello" {
			t.Errorf("%s: got %s", name, got)
		}
		if who := up.last.Swap(nil).Header.Get("X-OpenHands-User-Id"); who != "anonymous" {
			t.Errorf("%s: the upstream saw %s", name, who)
		}
	}
	c := s.open(t, theirs, nil)
	say(t, c, auth("other"))
	say(t, c, "hello")
	if got := hear(t, c); got != "hello" {
		t.Errorf("got %s", got)
	}
	if got := ends(t, s.open(t, theirs, nil), 5*time.Second); got.Code != 4004 {
		t.Errorf("got %v", got)
	}
	// A page of another site is not the anonymous tenant.
	if got := ends(t, s.open(t, live, http.Header{"Origin": {"https://evil.example"}}), 5*time.Second); got.Code != 4001 {
		t.Errorf("got %v", got)
	}
}

func TestEveryPathRefusesAnUpgradeWithoutACredential(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, quick)
	for _, o := range operations() {
		target := strings.NewReplacer("{conversation_id}", ours.String(), "{runtime_conversation_id}", ours.String(), "{name}", "x", "{file_path...}", "x").Replace(o.Path)
		if strings.HasPrefix(target, "/sockets/events/") {
			continue // accepted and closed with 4001: see above
		}
		if _, status := s.dial(t, target, nil); status != http.StatusUnauthorized && o.Method == "GET" {
			t.Errorf("%s: got %d", target, status)
		}
	}
	for _, target := range []string{"/", "/sockets/nothing", live + "/", "/sockets/events/search"} {
		if _, status := s.dial(t, target, nil); status != http.StatusUnauthorized {
			t.Errorf("%s: got %d", target, status)
		}
	}
	if up.opened.Load() != 0 {
		t.Error("the upstream was contacted")
	}
}

func TestWhatIsNoHandshakeIsSaidSo(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	upgrade := func(version, key string) func(*http.Request) {
		return func(r *http.Request) {
			r.Header = http.Header{"Authorization": {"Bearer dev"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"},
				"Sec-Websocket-Version": {version}, "Sec-Websocket-Key": {key}}
		}
	}
	has(t, s.ask(t, "GET", live, "dev"), 426, "WebSocket")
	has(t, s.ask(t, "GET", live, "dev", upgrade("12", "AAAAAAAAAAAAAAAAAAAAAA==")), 400, "version 13")
	has(t, s.ask(t, "GET", live, "dev", upgrade("13", "AAAA")), 400, "version 13")
	has(t, s.ask(t, "GET", live, ""), 401, "Unauthorized")
}

func TestSocketsThatWaitForACredentialAreBounded(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { c.Socket.WaitingByAddress = 2 })
	first := s.open(t, live, nil)
	s.open(t, live, nil)
	if _, status := s.dial(t, live, nil); status != http.StatusTooManyRequests {
		t.Errorf("the third got %d", status)
	}
	s.open(t, live, bearer("dev")) // those who bring a key do not wait
	say(t, first, auth("dev"))
	testtime.Eventually(t, 2*time.Second, "a place is free", func() bool { c, _ := s.dial(t, live, nil); return c != nil })
}

func TestAViewerOnlyListensUntilTheRoleChanges(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	c := s.open(t, live, bearer("viewer"))
	heard := make(chan string, 100)
	go func() {
		for {
			_, message, err := c.Read(t.Context())
			if err != nil {
				return
			}
			heard <- string(message)
		}
	}()
	say(t, c, "dropped")
	say(t, c, strings.Repeat("dropped", 10_000))
	s.change(func() { s.people["viewer"] = person("viewer@example.com", red, access.Developer) })
	testtime.Eventually(t, 2*time.Second, "the new role counts on the open socket", func() bool {
		say(t, c, "written")
		return len(heard) > 0
	})
	if got := <-heard; got != "written" {
		t.Errorf("the upstream got %.20q", got)
	}
}

func TestAHandlerTunnelsAndHearsOfMessages(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	sent := make(chan struct{}, 10)
	s := newStand(t, up.ServeHTTP, func(c *proxy.Config) {
		c.Operations = []proxy.Operation{
			{Method: "GET", Path: "/sockets/a/{conversation_id}", Permission: access.ConversationRead, Treatment: proxy.Own, WebSocket: true,
				Handle: func(x *proxy.Exchange) error {
					return x.Tunnel(proxy.Outgoing{Path: "/sockets/b/" + x.Param("conversation_id"), Query: map[string][]string{"x": {"1"}}, Sent: func() { sent <- struct{}{} }})
				}},
			{Method: "GET", Path: "/sockets/hidden", Permission: access.TeamRead, Treatment: proxy.Virtual, WebSocket: true,
				Handle: func(*proxy.Exchange) error { return access.ErrHidden }},
		}
	})
	c := s.open(t, "/sockets/a/"+ours.String(), bearer("dev"))
	say(t, c, "1")
	say(t, c, "2")
	hear(t, c)
	hear(t, c)
	<-sent
	if len(sent) != 0 {
		t.Error("two messages within a second were told")
	}
	if r := up.last.Load().RequestURI; r != "/sockets/b/"+ours.String()+"?x=1" {
		t.Errorf("the upstream got %s", r)
	}
	if got := ends(t, s.open(t, "/sockets/hidden", bearer("dev")), 5*time.Second); got.Code != 4004 {
		t.Errorf("got %v", got)
	}
}

func TestADatabaseThatIsAwayRefusesTheUpgrade(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	s.away = problem.Unavailable("The database does not answer.", nil)
	if _, status := s.dial(t, live, bearer("dev")); status != http.StatusServiceUnavailable {
		t.Errorf("got %d", status)
	}
}

func TestKeysAreMaskedInFramesAlsoWhenFragmentsCutThem(t *testing.T) {
	t.Parallel()
	text, _ := json.Marshal(map[string]string{"out": "x" + key + strings.Repeat("y", 40_000) + key + key[:10]})
	up := newSpeaker()
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		_ = c.Write(ctx, websocket.MessageText, text)
		w, _ := c.Writer(ctx, websocket.MessageText)
		for _, part := range []string{"a" + key[:10], key[10:20], key[20:] + "b" + key[:4]} {
			_, _ = w.Write([]byte(part))
		}
		_ = w.Close()
		_ = c.Write(ctx, websocket.MessageText, []byte(key[4:]))
		_ = c.Close(4004, "no "+key)
	}
	s := newStand(t, up.ServeHTTP, nil)
	c := s.open(t, live, bearer("dev"))
	for i, want := range []string{strings.ReplaceAll(string(text), key, stars), "a" + stars + "b" + key[:4], key[4:]} {
		if got := hear(t, c); got != want {
			t.Errorf("message %d: got %d bytes %.80q", i, len(got), got)
		}
	}
	if got := ends(t, c, 5*time.Second); got.Code != 4004 || got.Reason != "no "+stars {
		t.Errorf("got %v", got)
	}
}

func TestTheUpstreamsCloseCodesAreRelayed(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	for said, want := range map[string]websocket.CloseError{
		"close 4004 Conversation not found": {Code: 4004, Reason: "Conversation not found"},
		"close 1013 slow":                   {Code: 1013, Reason: "slow"},
		"close 1000 ":                       {Code: 1000},
		// The upstream refused our key: to say 4001 would sign the user out.
		"close 4001 Authentication failed": {Code: 1013, Reason: "the backend refused the connection; try again"},
	} {
		c := s.open(t, live, bearer("dev"))
		say(t, c, said)
		if got := ends(t, c, 5*time.Second); got != want {
			t.Errorf("%s: got %v", said, got)
		}
	}
}

func TestAnUpstreamThatRefusesTheWebSocketIsATryAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, key, http.StatusForbidden) }, nil)
	if got := ends(t, s.open(t, live, bearer("dev")), 5*time.Second); got.Code != 1013 || strings.Contains(got.Reason, key) {
		t.Errorf("got %v", got)
	}
	s.upstream.Close()
	if got := ends(t, s.open(t, live, bearer("dev")), 5*time.Second); got.Code != 1013 {
		t.Errorf("got %v", got)
	}
	if strings.Contains(s.log.String(), key) {
		t.Error("the key is in the log")
	}
}

func TestAMessageOverTheLimitIs1009(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { c.Socket.MaxMessage = 1000 })
	c := s.open(t, live, bearer("dev"))
	say(t, c, strings.Repeat("x", 1001))
	if got := ends(t, c, 5*time.Second); got.Code != 1009 {
		t.Errorf("got %v", got)
	}
}
