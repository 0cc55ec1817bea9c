package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestWhatTellsOfTheInsideIsScrubbedFromAnswers(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, n := range []string{"Set-Cookie", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Server", "X-Archive-Repo-Root",
			"X-Archive-Base", "Location", "Link", "X-OpenHands-ServerConversation-ID", "Accept-Ranges", "X-Of-A-Next-Version", "X-Note", "Cross-Origin-Opener-Policy",
			"X-Robots-Tag", "Expires", "Age", "Pragma", "Vary", "Report-To", "Nel", "Origin-Agent-Cluster", "Content-Security-Policy", "Sourcemap"} {
			w.Header().Set(n, "inside")
		}
		w.Header().Set("Etag", `"1"`)
		w.Header().Set("Cache-Control", "public, max-age=86400, immutable")
		w.Header().Set("Content-Disposition", "attachment; filename="+key)
		w.Header().Set("Trailer", "X-Trailing")
		_, _ = w.Write([]byte("ok"))
		w.Header().Set("X-Trailing", key)
	}, nil)
	a := s.ask(t, "GET", "/api/models", "dev")
	has(t, a, 200, "ok")
	want := map[string]string{"Etag": `"1"`, "Content-Disposition": "attachment; filename=" + strings.Repeat("*", len(key)), "X-Content-Type-Options": "nosniff",
		"Cache-Control": "private, no-cache", "Content-Security-Policy": "default-src 'none'; sandbox",
		"Content-Type": "", "Content-Length": "", "Date": "", "Connection": ""}
	for name, values := range a.Header {
		w, known := want[name]
		if !known || (w != "" && values[0] != w) {
			t.Errorf("%s: %q came through", name, values)
		}
	}
	for name, w := range want {
		if w != "" && a.Header.Get(name) != w {
			t.Errorf("%s is %q, want %q", name, a.Header.Get(name), w)
		}
	}
	if len(a.Trailer) != 0 {
		t.Errorf("trailers came through: %v", a.Trailer)
	}
}

func TestAnAnswerIsNotKeptAndIsNoPageOfOurs(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "public, max-age=86400")
		w.Header().Set("Content-Security-Policy", "default-src *")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "<script>alert(1)</script>")
	}, nil)
	for _, c := range []struct {
		method, path, who string
		status            int
	}{
		{"GET", "/api/models", "dev", 200}, {"POST", "/api/models", "dev", 404}, {"GET", "/api/none", "dev", 404}, {"GET", "/api/models", "", 401},
	} {
		a := s.ask(t, c.method, c.path, c.who)
		page := strings.Contains(a.body, "<script>")
		if got := a.Header.Values("Cache-Control"); a.StatusCode != c.status || len(got) != 1 || got[0] != "no-store" {
			t.Errorf("%s %s: %d, Cache-Control %q", c.method, c.path, a.StatusCode, got)
		}
		if got := a.Header.Values("Content-Security-Policy"); page && (len(got) != 1 || got[0] != "default-src 'none'; sandbox") {
			t.Errorf("%s %s: Content-Security-Policy %q", c.method, c.path, got)
		}
	}
}

func TestAnswersThatMustNotBeShownAreReplaced(t *testing.T) {
	t.Parallel()
	status, extra := 0, ""
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://10.0.0.1/inside")
		if extra != "" {
			w.Header().Set("Content-Encoding", extra)
		}
		w.WriteHeader(status)
		if status != 304 {
			_, _ = io.WriteString(w, `{"detail":"Internal Server Error","exception":"/srv/inside.py"}`)
		}
	}, nil)
	for _, c := range []struct {
		status, want int
		encoding     string
		text         string
	}{
		{500, 500, "", "backend failed"}, {501, 501, "", "backend failed"}, {503, 503, "", "backend failed"}, {307, 404, "", `{"detail":"Not Found"}`},
		{302, 404, "", `{"detail":"Not Found"}`}, {304, 304, "", ""}, {401, 502, "", "backend failed"}, {404, 404, "", "inside"}, {422, 422, "", "inside"},
		{200, 502, "gzip", "backend failed"}, {200, 200, "identity", "inside"},
	} {
		status, extra = c.status, c.encoding
		a := s.ask(t, "GET", "/api/models", "dev")
		has(t, a, c.want, c.text)
		if c.want >= 500 && strings.Contains(a.body, "inside") || a.Header.Get("Location") != "" {
			t.Errorf("%d: the inside is shown: %s %v", c.status, a.body, a.Header)
		}
	}
}

func TestInformationalResponsesDoNotPass(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "<"+key+">")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(http.StatusTeapot)
	}, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET /api/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nConnection: close\r\n\r\n")
	all, _ := io.ReadAll(conn)
	if !strings.HasPrefix(string(all), "HTTP/1.1 418") || strings.Contains(string(all), "103") || strings.Contains(string(all), key) {
		t.Errorf("got %s", all)
	}
}

func TestAnUpgradeThatIsNotAskedForIsNoUpgrade(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			t.Error("the upgrade was forwarded")
		}
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Connection", "Upgrade")
		w.WriteHeader(http.StatusSwitchingProtocols)
	}, nil)
	for _, protocol := range []string{"websocket", "h2c", ""} {
		a := s.ask(t, "GET", "/api/models", "dev", func(r *http.Request) {
			if protocol != "" {
				r.Header.Set("Upgrade", protocol)
				r.Header.Set("Connection", "Upgrade")
			}
		})
		has(t, a, 502, "backend failed")
	}
}

func TestAnUpstreamThatIsDownIs502AndItRecoversByItself(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	s := newStand(t, nil, func(c *proxy.Config) { c.Upstream = mustURL("http://" + address) })
	a := s.ask(t, "GET", "/api/models", "dev")
	has(t, a, 502, "does not answer")
	if a.Header.Get("Retry-After") == "" || strings.Contains(a.body, address) {
		t.Errorf("got %v %s", a.Header, a.body)
	}
	l, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	has(t, s.ask(t, "GET", "/api/models", "dev"), 200, "/api/models")
}

func TestAnUpstreamThatIsSlowIs504(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	defer close(done)
	for name, patience := range map[string]func(*proxy.Config){
		"anything":        func(c *proxy.Config) { c.HeaderTimeout = 50 * time.Millisecond },
		"what only reads": func(c *proxy.Config) { c.ReadTimeout = 50 * time.Millisecond },
	} {
		s := newStand(t, func(http.ResponseWriter, *http.Request) { <-done }, patience)
		a := s.ask(t, "GET", "/api/models", "dev")
		has(t, a, 504, "too long")
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", name)
		}
	}
}

// A raw upstream closes its connection after each answer without saying so, as uvicorn does after an exception.
func TestAConnectionThatTheUpstreamResetIsNotFeltByTheNextRequest(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
				_ = conn.Close()
			}()
		}
	}()
	s := newStand(t, nil, func(c *proxy.Config) { c.Upstream = mustURL("http://" + l.Addr().String()) })
	for range 20 {
		has(t, s.ask(t, "GET", "/api/models", "dev"), 200, "ok")
	}
}

func TestABodyOverTheLimitIs413(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) { c.MaxBody = 1000 })
	has(t, s.ask(t, "POST", "/api/models", "dev", body(strings.Repeat("x", 1000))), 200, "xxx")
	has(t, s.ask(t, "POST", "/api/models", "dev", body(strings.Repeat("x", 1001))), 413, "larger")
	chunked := func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(strings.Repeat("x", 1001))), -1
	}
	has(t, s.ask(t, "POST", "/api/models", "dev", chunked), 413, "larger")
}

func TestAGETCarriesItsBody(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	got := s.echoed(t, "GET", "/api/conversations/"+ours.String()+"/events", "dev", body(`["1"]`))
	if got.Body != `["1"]` || got.Method != "GET" {
		t.Errorf("got %+v", got)
	}
}

func TestAStreamReachesTheClientAtOnce(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		<-next
	}, nil)
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/api/models", nil)
	r.Header.Set("Authorization", "Bearer dev")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	line, err := bufio.NewReader(res.Body).ReadString('\n')
	close(next)
	if line != "data: 1\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
}

func TestAHandlerForwardsWhatItChooses(t *testing.T) {
	t.Parallel()
	handle := func(x *proxy.Exchange) error {
		return x.Forward(proxy.Outgoing{Method: "PUT", Path: "/api/other/" + x.Param("name"), Query: map[string][]string{"a": {"b c"}}, Body: []byte(`{"x":1}`),
			Edit: func(res *http.Response) error { res.Header.Set("X-Edited", "yes "+key); return nil }})
	}
	s := newStand(t, nil, func(c *proxy.Config) {
		c.Operations = []proxy.Operation{{Method: "POST", Path: "/api/{name}", Permission: access.TeamRead, Treatment: proxy.Confine, Handle: handle}}
	})
	a := s.ask(t, "POST", "/api/x?cid=1", "dev", body(`{"secret":"of the client"}`))
	has(t, a, 200, `"Method":"PUT","Target":"/api/other/x?a=b+c","Body":"{\"x\":1}"`)
	if a.Header.Get("X-Edited") != "yes "+strings.Repeat("*", len(key)) {
		t.Errorf("got %q", a.Header.Get("X-Edited"))
	}
	has(t, s.ask(t, "POST", "/api/a%20b", "dev", body(`{}`)), 400, "canonical") // the handler did not escape it
}
