package proxy_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// sender is a client that sends a request's body at its own pace.
type sender struct {
	net.Conn
	in *bufio.Reader
}

func send(t *testing.T, s *stand, path, token, framing string) sender {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n%s\r\n\r\n", path, token, framing)
	return sender{c, bufio.NewReader(c)}
}

// trickle sends a byte now and then until somebody closes.
func (s sender) trickle(every time.Duration) {
	go func() {
		for tick := time.NewTicker(every); ; <-tick.C {
			if _, err := io.WriteString(s, "x"); err != nil {
				return
			}
		}
	}()
}

// answer reads the answer, and ends when the server closed the connection.
func (s sender) answer(t *testing.T) (status int, took, closed time.Duration) {
	t.Helper()
	began := time.Now()
	res, err := http.ReadResponse(s.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	took = time.Since(began)
	_, _ = io.Copy(io.Discard, s.in)
	return res.StatusCode, took, time.Since(began)
}

func brief(c *proxy.Config) {
	c.BodyTimeout = 300 * time.Millisecond
	c.Limits.UploadsByUser = -1
	c.Operations = append(c.Operations, proxy.Operation{Method: "POST", Path: "/api/read", Permission: access.TeamRead, Treatment: proxy.Virtual,
		Handle: func(x *proxy.Exchange) error {
			if _, err := x.ReadJSON(); err != nil {
				return err
			}
			return x.NoContent(204)
		}})
}

func TestARefusedBodyIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	var clients []func()
	for name, c := range map[string]struct {
		path, token string
		want        int
	}{
		"a bad credential":        {"/api/models", "wrong", 401},
		"a foreign conversation":  {"/api/conversations/" + foreign.String() + "/events", "dev", 404},
		"a missing permission":    {"/api/conversations/" + ours.String() + "/events", "viewer", 403},
		"an operation for nobody": {"/api/bash", "dev", 403},
		"an unknown operation":    {"/api/nothing", "dev", 404},
		"a path in a bad form":    {"//api/models", "dev", 400},
	} {
		for _, framing := range []string{"Content-Length: 100000", "Content-Length: 100000000", "Transfer-Encoding: chunked\r\n\r\n8000"} {
			client := send(t, s, c.path, c.token, framing)
			client.trickle(50 * time.Millisecond)
			clients = append(clients, func() {
				if status, _, closed := client.answer(t); status != c.want || closed > 5*time.Second {
					t.Errorf("%s, %.25s: got %d, and was cut after %s", name, framing, status, closed)
				}
			})
		}
	}
	for _, check := range clients {
		check()
	}
}

func TestARefusedBodyThatIsThereDoesNotCostTheConnection(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	client := send(t, s, "/api/models", "wrong", "Content-Length: 5")
	for range 3 {
		_, _ = io.WriteString(client, "12345")
		res, err := http.ReadResponse(client.in, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		if res.StatusCode != 401 || res.Close {
			t.Errorf("got %d, closed: %v", res.StatusCode, res.Close)
		}
		_, _ = io.WriteString(client, "POST /api/models HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer wrong\r\nContent-Length: 5\r\n\r\n")
	}
}

func TestABodyThatStopsComingIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, brief)
	var clients []func()
	for _, path := range []string{"/api/models", "/api/read"} {
		for _, framing := range []string{"Content-Length: 100", "Content-Length: 1000000", "Transfer-Encoding: chunked\r\n\r\n8000"} {
			for range 5 {
				client := send(t, s, path, "dev", framing)
				_, _ = io.WriteString(client, "xx")
				clients = append(clients, func() {
					if status, _, closed := client.answer(t); status != 408 || closed > 10*time.Second {
						t.Errorf("%s, %.25s: got %d, and was cut after %s", path, framing, status, closed)
					}
				})
			}
		}
	}
	for _, check := range clients {
		check()
	}
	testtime.Eventually(t, promise, "nothing is left", func() bool { return s.engine.Live().Len() == 0 })
}

// paced is a connection on which a byte comes now and then.
type paced struct {
	nothing
	every    time.Duration
	left     int
	deadline time.Time
}

func (p *paced) SetReadDeadline(t time.Time) error {
	p.deadline = t
	return nil
}

func (p *paced) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	if wait := time.Until(p.deadline); wait < p.every {
		<-time.After(wait)
		return 0, os.ErrDeadlineExceeded
	}
	<-time.After(p.every)
	p.left--
	b[0] = 'x'
	return 1, nil
}

func TestABodyMayTakeLongAsLongAsItComes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const patience = 30 * time.Second
		for _, c := range []struct {
			every time.Duration
			whole bool
		}{{time.Millisecond, true}, {patience / 20, true}, {patience * 9 / 10, true}, {patience * 11 / 10, false}} {
			p := &paced{every: c.every, left: 100}
			began := time.Now()
			got, err := io.ReadAll(proxy.NewIncoming(p, io.NopCloser(p), patience))
			if (err == nil) != c.whole || c.whole && len(got) != 100 {
				t.Errorf("a byte each %s: %d came in %s, %v", c.every, len(got), time.Since(began), err)
			}
		}
	})
}

// bubble serves one connection within a synctest bubble, where waiting takes no time.
func bubble(t *testing.T, operation proxy.Operation) net.Conn {
	t.Helper()
	w := newWorld()
	engine, err := proxy.New(proxy.Config{
		Upstream: &url.URL{Scheme: "http", Host: "upstream.invalid"}, Key: key, Operations: []proxy.Operation{operation},
		Gate: w, Objects: w, Events: w, Log: slog.New(slog.DiscardHandler), BodyTimeout: 300 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	client, conn := net.Pipe()
	server := &http.Server{Handler: engine}
	one := &single{conns: make(chan net.Conn, 1)}
	one.conns <- conn
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(one) }()
	t.Cleanup(func() {
		_ = client.Close()
		_ = server.Close()
		<-done
		engine.Close()
	})
	return client
}

// single is a listener of one connection.
type single struct {
	conns chan net.Conn
	once  sync.Once
}

// Accept implements net.Listener.
func (s *single) Accept() (net.Conn, error) {
	if c, open := <-s.conns; open {
		return c, nil
	}
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (s *single) Close() error {
	s.once.Do(func() { close(s.conns) })
	return nil
}

// Addr implements net.Listener.
func (s *single) Addr() net.Addr { return &net.TCPAddr{} }

func TestAnAnswerMayTakeLongAfterTheBodyCame(t *testing.T) {
	t.Parallel()
	for _, framing := range []string{"Content-Length: 7\r\n\r\n{\"a\":1}", "Transfer-Encoding: chunked\r\n\r\n7\r\n{\"a\":1}\r\n0\r\n\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			client := bubble(t, proxy.Operation{Method: "POST", Path: "/api/slow", Permission: access.TeamRead, Treatment: proxy.Virtual,
				Handle: func(x *proxy.Exchange) error {
					if _, err := x.ReadJSON(); err != nil {
						return err
					}
					<-time.After(time.Minute) // many times the patience with a body
					if err := x.Request.Context().Err(); err != nil {
						return err
					}
					return x.NoContent(204)
				}})
			go func() {
				_, _ = io.WriteString(client, "POST /api/slow HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer dev\r\nContent-Type: application/json\r\n"+framing)
			}()
			res, err := http.ReadResponse(bufio.NewReader(client), nil)
			if err != nil || res.StatusCode != 204 {
				t.Errorf("got %v, %v", res, err)
			}
		})
	}
}

// wired is a connection that notes which read deadlines it was given.
type wired struct {
	nothing
	deadlines []time.Time
}

func (w *wired) SetReadDeadline(t time.Time) error {
	w.deadlines = append(w.deadlines, t)
	return nil
}

func TestTheConnectionIsLeftAloneOnceABodyIsOver(t *testing.T) {
	t.Parallel()
	for name, over := range map[string]func(proxy.Incoming){
		"it was read":         func(b proxy.Incoming) { _, _ = io.ReadAll(b) },
		"the request is over": func(b proxy.Incoming) { b.Stop() },
		"it was cut":          func(b proxy.Incoming) { b.Cut() },
	} {
		w := &wired{}
		b := proxy.NewIncoming(w, io.NopCloser(strings.NewReader("body")), time.Nanosecond)
		over(b)
		before := len(w.deadlines)
		if before == 0 {
			t.Errorf("%s: there was no deadline", name)
		}
		n, err := b.Read(make([]byte, 10)) // as a transport may do that was left behind
		if n != 0 || err == nil || len(w.deadlines) != before {
			t.Errorf("%s: read %d bytes, %v, and the deadline was moved %d times", name, n, err, len(w.deadlines)-before)
		}
	}
	w := &wired{}
	b := proxy.NewIncoming(w, io.NopCloser(strings.NewReader("body")), time.Minute)
	_, _ = io.ReadAll(b)
	before := len(w.deadlines)
	b.Stop()
	b.Cut()
	if len(w.deadlines) != before {
		t.Error("a body that was read whole still moves the deadline, which is the next request's")
	}
}

func TestADeadlineIsNotMovedForEveryFewBytes(t *testing.T) {
	t.Parallel()
	w := &wired{}
	b := proxy.NewIncoming(w, io.NopCloser(strings.NewReader(strings.Repeat("x", 1000))), time.Hour)
	for range 1000 {
		_, _ = b.Read(make([]byte, 1))
	}
	if len(w.deadlines) != 1 {
		t.Errorf("it was moved %d times", len(w.deadlines))
	}
}

func TestAnUploadThatKeepsComingBreaksOffWhenItsRightEnds(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	client := send(t, s, "/api/models", "dev", "Content-Length: 1000000")
	client.trickle(time.Millisecond)
	testtime.Eventually(t, promise, "the upload is registered", func() bool { return s.engine.Live().Len() == 1 })
	s.change(func() { delete(s.people, "dev") })
	began := time.Now()
	_, _ = io.Copy(io.Discard, client.in)
	if took := time.Since(began); took > promise {
		t.Errorf("it took %s", took)
	}
}
