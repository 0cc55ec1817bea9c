package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// The headers by which the product says for whom it asks, and by which a test marks its own requests.
const (
	askedFor = "X-Openhands-User-Id"
	markedBy = "X-Test-Caller"
)

// recorder stands between the product and the real upstream. It changes nothing and remembers in whose name it was asked.
type recorder struct {
	url string

	mu   sync.Mutex
	seen []sighting
}

// sighting is one request that reached the upstream.
type sighting struct{ user, marked, request string }

// record starts a recorder in front of the upstream of all tests.
func record(t *testing.T) *recorder {
	t.Helper()
	target, err := url.Parse(world.upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true}, // the upstream drops idle connections
		FlushInterval: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		r.note(in)
		proxy.ServeHTTP(w, in)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *recorder) note(in *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = append(r.seen, sighting{in.Header.Get(askedFor), in.Header.Get(markedBy), in.Method + " " + in.RequestURI})
}

// of lists what was asked in the name of a user, or by a request with the mark.
func (r *recorder) of(user, mark string) (requests []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.seen {
		if s.marked == mark || (user != "" && s.user == user) {
			requests = append(requests, s.request)
		}
	}
	return requests
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// strays lists what was asked in nobody's name, but for what the product asks for itself.
func (r *recorder) strays() (requests []string) {
	itself := []string{"GET /server_info", "GET /openapi.json", "GET /api/settings/agent-schema", "GET /api/settings/conversation-schema", "GET /api/conversations?ids="}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.seen {
		own := slices.ContainsFunc(itself, func(known string) bool { return strings.HasPrefix(s.request, known) })
		if s.user == "" && !own {
			requests = append(requests, s.request)
		}
	}
	return requests
}
