package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// idleTimeout is below the five seconds after which uvicorn closes an idle connection, so that we do not write into one that
// is being closed.
const idleTimeout = 3 * time.Second

// upstream owns the connections to the upstream. What only reads has a transport of its own, because a transport has one
// patience.
type upstream struct {
	url       *url.URL
	transport *http.Transport
	reads     *http.Transport
	buffers   buffers
}

func newUpstream(cfg Config) *upstream {
	return &upstream{url: cfg.Upstream, transport: newTransport(cfg, cfg.HeaderTimeout), reads: newTransport(cfg, cfg.ReadTimeout)}
}

// RoundTrip implements http.RoundTripper.
func (u *upstream) RoundTrip(r *http.Request) (*http.Response, error) {
	if reads(r.Method) {
		return u.reads.RoundTrip(r)
	}
	return u.transport.RoundTrip(r)
}

func reads(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func (u *upstream) closeIdle() {
	u.transport.CloseIdleConnections()
	u.reads.CloseIdleConnections()
}

// patience is how long the whole of a short answer may take.
func (c Config) patience(method string) time.Duration {
	if reads(method) {
		return c.ReadTimeout + c.DialTimeout
	}
	return c.HeaderTimeout + c.DialTimeout
}

func newTransport(cfg Config, header time.Duration) *http.Transport {
	return &http.Transport{
		DialContext:            (&net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout:    cfg.DialTimeout,
		ResponseHeaderTimeout:  header,
		DisableCompression:     true, // bodies must be readable to be masked
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    256,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: 256 << 10,
		// An empty map keeps HTTP/2 out: the upstream speaks HTTP/1.1 only.
		Protocols: http1(),
	}
}

func http1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// buffers are reused between copies of bodies.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return make([]byte, bufferSize)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(p []byte) {
	if len(p) == bufferSize {
		b.pool.Put((*[bufferSize]byte)(p))
	}
}

// unreachable turns a failure to get an answer into the problem that the client sees.
func unreachable(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge
	}
	if _, ok := errors.AsType[*problem.Error](err); ok {
		return err
	}
	status, text := http.StatusBadGateway, "The OpenHands backend does not answer. Try again in a moment."
	if late, ok := errors.AsType[net.Error](err); (ok && late.Timeout()) || errors.Is(err, context.DeadlineExceeded) {
		status, text = http.StatusGatewayTimeout, "The OpenHands backend took too long to answer. Try again in a moment."
	}
	p := problem.New(status, text).Because(err)
	p.RetryAfter = 2 * time.Second
	return p
}

// failed is the problem for an answer of the upstream that must not be shown.
func failed(status int) *problem.Error {
	p := problem.New(status, "The OpenHands backend failed on this request; it was logged. Try again.")
	p.Cause = &UpstreamError{Status: status}
	if status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout {
		p.RetryAfter = 2 * time.Second
	}
	return p
}

var tooLarge = problem.New(http.StatusRequestEntityTooLarge, "The body is larger than this server takes: send less.")
