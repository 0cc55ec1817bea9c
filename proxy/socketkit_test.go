package proxy_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// speaker is an upstream that takes WebSockets. It counts them, notes what each brought, echoes messages, and closes with the
// code that a message "close N reason" asks for.
type speaker struct {
	opened  atomic.Int64
	last    atomic.Pointer[http.Request]
	greet   func(context.Context, *websocket.Conn)
	closed  chan error
	options websocket.AcceptOptions
}

func newSpeaker() *speaker {
	return &speaker{closed: make(chan error, 100), options: websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover}}
}

func (s *speaker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.opened.Add(1)
	s.last.Store(r.Clone(context.Background()))
	c, err := websocket.Accept(w, r, &s.options)
	if err != nil {
		return
	}
	c.SetReadLimit(16 << 20)
	ctx := context.WithoutCancel(r.Context())
	if s.greet != nil {
		s.greet(ctx, c)
	}
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			s.closed <- err
			return
		}
		if text, ok := strings.CutPrefix(string(message), "close "); ok {
			_ = c.Close(closeCode(text[:4]), text[5:])
			s.closed <- nil
			return
		}
		_ = c.Write(ctx, kind, message)
	}
}

func closeCode(s string) (n websocket.StatusCode) {
	for _, d := range s {
		n = n*10 + websocket.StatusCode(d-'0')
	}
	return n
}

// dial opens a WebSocket through the engine. What is refused before the upgrade is the status.
func (s *stand) dial(t testing.TB, target string, h http.Header) (*websocket.Conn, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, res, err := websocket.Dial(ctx, s.url+target, &websocket.DialOptions{HTTPHeader: h, CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		if res == nil {
			t.Fatal(err)
		}
		return nil, res.StatusCode
	}
	c.SetReadLimit(16 << 20)
	t.Cleanup(func() { _ = c.CloseNow() })
	return c, http.StatusSwitchingProtocols
}

// open is dial that must succeed.
func (s *stand) open(t testing.TB, target string, h http.Header) *websocket.Conn {
	t.Helper()
	c, status := s.dial(t, target, h)
	if c == nil {
		t.Fatalf("refused with %d", status)
	}
	return c
}

func say(t testing.TB, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("write %.40q: %v", text, err)
	}
}

func hear(t testing.TB, c *websocket.Conn) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, message, err := c.Read(ctx)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return string(message)
}

// ends waits for the close frame, and is an error for messages that come first.
func ends(t testing.TB, c *websocket.Conn, limit time.Duration) websocket.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	_, message, err := c.Read(ctx)
	var closed websocket.CloseError
	if !errors.As(err, &closed) {
		t.Fatalf("got message %.60q, error %v; want a close frame within %s", message, err, limit)
	}
	return closed
}

func bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

func auth(k string) string { return `{"type":"auth","session_api_key":"` + k + `"}` }
