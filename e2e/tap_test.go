package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tap is a way to an instance on which everything is counted and every answer is kept: headers, bodies, what sockets carry.
// It passes on all that it gets, so the instance believes that it is itself called by the tap's name.
type tap struct {
	url string

	mu    sync.Mutex
	calls []call
	kept  bytes.Buffer
}

// call is one request and how it was answered.
type call struct {
	method, path string
	status       int
}

func (c call) String() string { return fmt.Sprintf("%s %s → %d", c.method, c.path, c.status) }

func newTap(t *testing.T, target string) *tap {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(address)
			r.Out.Host = r.In.Host
		},
		FlushInterval:  -1,
		ModifyResponse: p.keep,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, _ error) {
			p.count(r, 0)
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// keep remembers the answer's head now and its body as it passes.
func (p *tap) keep(r *http.Response) error {
	p.count(r.Request, r.StatusCode)
	overhear(r, p)
	return nil
}

// overhear writes an answer's head now and its body, or what a socket carries, as it passes.
func overhear(r *http.Response, to io.Writer) {
	_ = r.Header.Write(to)
	if both, ok := r.Body.(io.ReadWriteCloser); ok { // a socket
		r.Body = kept{io.TeeReader(both, to), both}
		return
	}
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(r.Body, to), r.Body}
}

// kept is a socket of which what arrives is kept.
type kept struct {
	io.Reader
	io.ReadWriteCloser
}

func (k kept) Read(p []byte) (int, error) { return k.Reader.Read(p) }

func (p *tap) count(r *http.Request, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, call{r.Method, r.URL.Path, status})
}

// Write keeps more of what was delivered.
func (p *tap) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept.Write(b)
}

// delivered is all that came so far.
func (p *tap) delivered() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept.String()
}

// seen are the calls so far.
func (p *tap) seen() []call {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// tally counts calls that are alike.
func tally(calls []call) map[call]int {
	counts := map[call]int{}
	for _, c := range calls {
		counts[c]++
	}
	return counts
}

// table is a tally for people to read.
func table(counts map[call]int) string {
	lines := []string{}
	for _, c := range slices.SortedFunc(maps.Keys(counts), func(a, b call) int { return strings.Compare(a.String(), b.String()) }) {
		lines = append(lines, fmt.Sprintf("%4d× %s", counts[c], c))
	}
	return strings.Join(lines, "\n")
}
