package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"syscall"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

var page = []byte(`{"items":[` + strings.Repeat(`{"id":"11111111-2222-4333-8444-55555555aaaa","title":"a conversation"},`, 60) + `{}]}`)

func answerPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(page)
}

// BenchmarkEngine and BenchmarkBareProxy are the two sides of the promise on the pass path.
func BenchmarkEngine(b *testing.B) {
	s := newStand(b, answerPage, func(c *proxy.Config) { c.Secrets = []string{"aSecondKeyOfTheUpstream"} })
	load(b, s.url+"/api/conversations/"+ours.String())
}

func BenchmarkBareProxy(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(answerPage))
	b.Cleanup(up.Close)
	at := mustURL(up.URL)
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(at) },
		Transport: &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true},
	})
	b.Cleanup(front.Close)
	load(b, front.URL+"/api/conversations/"+ours.String())
}

func load(b *testing.B, url string) {
	b.Helper()
	b.ReportAllocs()
	before := cpu()
	defer func() { b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op") }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r, _ := http.NewRequest("GET", url, nil)
			r.Header.Set("Authorization", "Bearer dev")
			res, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			n, _ := io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if n != int64(len(page)) {
				b.Errorf("got %d bytes, status %d", n, res.StatusCode)
			}
		}
	})
}

// cpu is what this process has used: on a busy machine it tells more than the clock.
func cpu() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// nothing is a response writer that costs nothing.
type nothing struct{ h http.Header }

func (n nothing) Header() http.Header         { return n.h }
func (n nothing) WriteHeader(int)             {}
func (n nothing) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkServed is the engine's own cost of a request that needs no upstream: parse, match, identify, authorise, count.
func BenchmarkServed(b *testing.B) {
	s := newStand(b, nil, serving)
	b.ReportAllocs()
	r := served()
	for b.Loop() {
		s.engine.ServeHTTP(nothing{http.Header{}}, r)
	}
}

// BenchmarkServedAtOnce is the same by many at a time, all of one team.
func BenchmarkServedAtOnce(b *testing.B) {
	s := newStand(b, nil, serving)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		r := served()
		for p.Next() {
			s.engine.ServeHTTP(nothing{http.Header{}}, r)
		}
	})
}

func serving(c *proxy.Config) {
	c.Operations = []proxy.Operation{{Method: "GET", Path: "/api/conversations/{conversation_id}", Permission: access.ConversationRead,
		Treatment: proxy.Virtual, Handle: func(x *proxy.Exchange) error { return x.NoContent(204) }}}
}

func served() *http.Request {
	r := httptest.NewRequest("GET", "/api/conversations/"+ours.String(), nil)
	r.Header.Set("Authorization", "Bearer dev")
	return r
}

// BenchmarkRefusal is the cost of what is hidden.
func BenchmarkRefusal(b *testing.B) {
	s := newStand(b, nil, nil)
	r := httptest.NewRequest("GET", "/api/conversations/"+foreign.String()+"/events?limit=50", nil)
	r.Header.Set("Authorization", "Bearer dev")
	b.ReportAllocs()
	for b.Loop() {
		s.engine.ServeHTTP(nothing{http.Header{}}, r)
	}
}

func BenchmarkMask(b *testing.B) {
	m := proxy.NewMasking(key, "aSecondKeyOfTheUpstream")
	for name, text := range map[string][]byte{"json": bytes.Repeat(page, 8), "hostile": bytes.Repeat([]byte(key[:30]), 1000)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				m.MaskInPlace(text)
			}
		})
	}
}
