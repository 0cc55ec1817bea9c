package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// line is a connection on which a test writes what no client library would.
type line struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (s *site) dial() *line {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.app.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &line{s.t, conn, bufio.NewReader(conn)}
}

func (l *line) send(text string) *line {
	l.t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		l.t.Fatal(err)
	}
	return l
}

// next reads an answer.
func (l *line) next() answer {
	l.t.Helper()
	res, err := http.ReadResponse(l.in, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return read(l.t, res)
}

// unfinished begins a login whose body never comes. The answer 100 says that a handler waits for it.
const unfinished = "POST /api/auth/jwt/login HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\nContent-Length: 100\r\n" +
	"Content-Type: application/x-www-form-urlencoded\r\n\r\n"

func TestABodyThatDoesNotArriveIsNotWaitedForLong(t *testing.T) {
	t.Parallel()
	s := serve(t, settings(t, dbtest.URL(t), newUpstream(t)), app.Options{BodyTimeout: 50 * time.Millisecond})
	l := s.dial().send(unfinished)
	if res := l.next(); res.StatusCode != http.StatusContinue {
		t.Fatalf("the handler does not wait: %d", res.StatusCode)
	}
	l.next().want(t, "a login without an end", http.StatusRequestTimeout,
		`{"detail":"The body of this request took too long to arrive. Send it again."}`)
	if _, err := l.in.ReadByte(); err != io.EOF {
		t.Errorf("the connection stays open: %v", err)
	}
}

func TestAStopThatCutsRequestsIsNoFailureAndSaysHowMany(t *testing.T) {
	t.Parallel()
	s := serve(t, settings(t, dbtest.URL(t), newUpstream(t)), app.Options{ShutdownGrace: 50 * time.Millisecond})
	for range 2 {
		if res := s.dial().send(unfinished).next(); res.StatusCode != http.StatusContinue {
			t.Fatalf("the handler does not wait: %d", res.StatusCode)
		}
	}
	if err := s.stop(); err != nil {
		t.Errorf("the stop failed: %v", err)
	}
	if !s.logs.has("requests were cut") || !s.logs.has("count=2") {
		t.Error("the log does not say that two requests were cut")
	}
}

func TestAnOrdinaryStopIsQuietAndFreesThePort(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if res := s.do("GET", "/healthz", ""); res.StatusCode != http.StatusOK {
		t.Fatalf("not healthy: %d", res.StatusCode)
	}
	if err := s.stop(); err != nil || s.logs.has("requests were cut") {
		t.Errorf("the stop: %v", err)
	}
	for range 3 {
		if err := s.app.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
	}
	free(t, s.app.Addr().String())
}

func free(t *testing.T, address string) {
	t.Helper()
	again, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	_ = again.Close()
}

func TestWhatTheHTTPServerRefusesByItselfHasTheOneShape(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const malformed = `{"detail":"This is not a well-formed HTTP request."}`
	good := "GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
	large := "X-Large: " + strings.Repeat("x", 80<<10) + "\r\n"
	for what, c := range map[string]struct {
		request string
		status  int
		body    string
	}{
		"a large header": {"GET /healthz HTTP/1.1\r\nHost: here\r\n" + large + "\r\n", 431,
			`{"detail":"The header of this request is too large. Send fewer or shorter cookies and header fields, or a shorter URL."}`},
		"no request":           {"nonsense\r\n\r\n", 400, malformed},
		"no host":              {"GET /healthz HTTP/1.1\r\n\r\n", 400, malformed},
		"a broken header":      {"GET /healthz HTTP/1.1\r\nHost: here\r\nbro ken: x\r\n\r\n", 400, malformed},
		"an unknown encoding":  {"POST /healthz HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: x\r\n\r\n", 501, `{"detail":"Not Implemented"}`},
		"a version to come":    {"GET /healthz HTTP/3.0\r\nHost: here\r\n\r\n", 505, `{"detail":"HTTP Version Not Supported"}`},
		"another expectation":  {"GET /healthz HTTP/1.1\r\nHost: here\r\nExpect: cake\r\n\r\n", 417, `{"detail":"Expectation Failed"}`},
		"all options at once":  {"OPTIONS * HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n", 400, s.do("GET", "//", "").body},
		"no form of a request": {"GET nonsense HTTP/1.1\r\nHost: here\r\n\r\n", 400, malformed},
	} {
		s.dial().send(c.request).next().want(t, what, c.status, c.body)
		l := s.dial().send(good)
		if res := l.next(); res.StatusCode != http.StatusOK || res.body != "{\"status\":\"ok\"}\n" {
			t.Fatalf("a good request: %d %q", res.StatusCode, res.body)
		}
		l.send(c.request).next().want(t, what+", after a good request", c.status, c.body)
	}
}
