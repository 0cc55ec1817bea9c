package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
)

// listener hands out connections on which net/http's own refusals (a header that is too large, a request that cannot be read)
// have the shape of all our errors. It writes them past every handler, as plain text.
type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok && err == nil {
		return &conn{TCPConn: tcp}, nil
	}
	return c, err
}

// conn keeps everything that a TCP connection can, and changes only what is written while no handler answers: nothing that a
// handler writes could ever be mistaken for a refusal.
type conn struct {
	*net.TCPConn
	answering atomic.Bool // from a handler's begin until its answer is out
}

type connKey struct{}

// remember lets answering find the connection of a request.
func remember(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// answering is called when a handler begins.
func answering(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(*conn); ok {
		c.answering.Store(true)
	}
}

// answered is called at each change of a connection: idle means that all of an answer was written.
func answered(c net.Conn, state http.ConnState) {
	if c, ok := c.(*conn); ok && state == http.StateIdle {
		c.answering.Store(false)
	}
}

// Write implements net.Conn.
func (c *conn) Write(p []byte) (int, error) {
	if c.answering.Load() {
		return c.TCPConn.Write(p)
	}
	if _, err := c.TCPConn.Write(refusal(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// texts say what to do about the refusals that people meet.
var texts = map[int]string{
	http.StatusBadRequest:                  "This is not a well-formed HTTP request.",
	http.StatusRequestHeaderFieldsTooLarge: "The header of this request is too large. Send fewer or shorter cookies and header fields, or a shorter URL.",
}

// refusal writes net/http's answer anew. What is no answer passes.
func refusal(p []byte) []byte {
	line, isAnswer := bytes.CutPrefix(p, []byte("HTTP/1.1 "))
	if !isAnswer {
		return p
	}
	status, err := strconv.Atoi(string(line[:min(3, len(line))]))
	if err != nil {
		return p
	}
	name := http.StatusText(status)
	body, _ := json.Marshal(map[string]string{"detail": cmp.Or(texts[status], name)})
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n%s",
		status, name, len(body), body)
}
