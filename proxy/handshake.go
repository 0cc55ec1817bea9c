package proxy

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6455 demands it; nothing rests on it
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

var (
	upgradeRequired = problem.New(http.StatusUpgradeRequired, "This is a WebSocket: connect with a WebSocket client.")
	badUpgrade      = problem.New(http.StatusBadRequest, "The WebSocket handshake is not one of version 13.")
)

// checkUpgrade says whether r is a handshake of RFC 6455; no other upgrade is known.
func checkUpgrade(r *http.Request) error {
	if !hasToken(r.Header["Connection"], "upgrade") || !hasToken(r.Header["Upgrade"], "websocket") {
		return upgradeRequired
	}
	keys := r.Header["Sec-Websocket-Key"]
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || r.ContentLength != 0 || len(keys) != 1 || r.Header.Get("Sec-Websocket-Version") != "13" {
		return badUpgrade
	}
	if raw, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(raw) != 16 {
		return badUpgrade
	}
	return nil
}

func hasToken(values []string, token string) bool {
	for _, v := range values {
		for part := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// acceptKey proves that the handshake was understood.
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see above
	return base64.StdEncoding.EncodeToString(sum[:])
}

// accept answers the handshake: no extensions, no subprotocol. From here on the request has no response any more.
func accept(w http.ResponseWriter, r *http.Request) (*wire, error) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("take over the connection: %w", err)
	}
	early := make([]byte, buffered.Reader.Buffered())
	_, _ = buffered.Read(early)
	_ = conn.SetDeadline(time.Time{})
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		acceptKey(r.Header.Get("Sec-Websocket-Key")) + "\r\n\r\n"
	_ = conn.SetWriteDeadline(time.Now().Add(writePatience))
	if _, err := conn.Write([]byte(answer)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("accept the WebSocket: %w", err)
	}
	return newWire(conn, early, false), nil
}

// handshakePatience is how long the upstream may take: it loads the conversation first.
const handshakePatience = 30 * time.Second

// dial opens a WebSocket to the upstream. Of the client's headers it sends none: what is not sent cannot mislead.
func (e *Engine) dial(ctx context.Context, a asker, o Outgoing, query string) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakePatience)
	defer cancel()
	req, err := e.request(ctx, a, Outgoing{Method: http.MethodGet, Path: o.Path}, query)
	if err != nil {
		return nil, err
	}
	conn, err := e.upstream.connect(ctx)
	if err != nil {
		return nil, unreachable(err)
	}
	_ = conn.SetDeadline(time.Now().Add(handshakePatience))
	w, err := greet(conn, req)
	if err != nil {
		_ = conn.Close()
		return nil, unreachable(err)
	}
	_ = conn.SetDeadline(time.Time{})
	return w, nil
}

// connect uses the transport's dialer, so that all connections are made alike.
func (u *upstream) connect(ctx context.Context) (net.Conn, error) {
	host, port := u.url.Hostname(), u.url.Port()
	secure := u.url.Scheme == "https"
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure]
	}
	conn, err := u.transport.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil || !secure {
		return conn, err
	}
	over := tls.Client(conn, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}})
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

var errHandshake = errors.New("the upstream's answer is no WebSocket handshake")

// greet does the client's part of the handshake.
func greet(conn net.Conn, req *http.Request) (*wire, error) {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	key := base64.StdEncoding.EncodeToString(nonce[:])
	h := req.Header
	delete(h, "Accept")
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-Websocket-Version", "13")
	h.Set("Sec-Websocket-Key", key)
	if err := req.Write(conn); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, readAhead)
	res, err := http.ReadResponse(in, req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusSwitchingProtocols {
		_ = res.Body.Close()
		return nil, failed(http.StatusBadGateway).Because(&UpstreamError{Status: res.StatusCode})
	}
	if !hasToken(res.Header["Upgrade"], "websocket") || res.Header.Get("Sec-Websocket-Accept") != acceptKey(key) ||
		res.Header.Get("Sec-Websocket-Extensions") != "" || res.Header.Get("Sec-Websocket-Protocol") != "" {
		return nil, failed(http.StatusBadGateway).Because(errHandshake)
	}
	early := make([]byte, in.Buffered())
	_, _ = in.Read(early)
	return newWire(conn, early, true), nil
}
