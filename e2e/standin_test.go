package e2e_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// standIn takes the upstream's place. Once asks is set, it passes nothing on that is asked in a user's name: it says what the
// upstream would have made of it, refuses it, and remembers.
type standIn struct {
	url  string
	asks atomic.Bool

	router *router
	mu     sync.Mutex
	seen   map[string][]verdict
}

func standInFor(t testing.TB, router *router) *standIn {
	t.Helper()
	target, err := url.Parse(world.upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
	s := &standIn{router: router, seen: map[string][]verdict{}}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0), // callers hang up
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		user := in.Header.Get(askedFor)
		if user == "" || !s.asks.Load() {
			proxy.ServeHTTP(w, in)
			return
		}
		s.note(user, in)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"detail":"This is only a test."}`))
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *standIn) note(user string, in *http.Request) {
	method := in.Method
	if in.Header.Get("Upgrade") != "" {
		method = "WS"
	}
	v, err := s.router.ask(method, in.RequestURI)
	if err != nil {
		v = verdict{Operation: "unreadable: " + err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[user] = append(s.seen[user], v)
}

func (s *standIn) of(user string) []verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[user]
}

func (s *standIn) forget(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, user)
}
