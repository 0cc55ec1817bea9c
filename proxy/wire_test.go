package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// rawSocket is a client that writes frames by hand.
type rawSocket struct {
	net.Conn
	in *bufio.Reader
}

func raw(t *testing.T, s *stand) rawSocket {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "GET "+live+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != 101 || res.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || len(res.Header) != 3 {
		t.Fatalf("got %v, %v", res, err)
	}
	return rawSocket{conn, in}
}

// closeOf reads frames until the close frame and returns its code; 0 when the connection ended without.
func (r rawSocket) closeOf(t *testing.T) int {
	t.Helper()
	for {
		var h [2]byte
		if _, err := io.ReadFull(r.in, h[:]); err != nil {
			return 0
		}
		payload := make([]byte, h[1]&0x7f)
		_, _ = io.ReadFull(r.in, payload)
		if h[0] == 0x88 && len(payload) >= 2 {
			return int(payload[0])<<8 | int(payload[1])
		}
	}
}

func TestAClientThatBreaksTheProtocolIs1002(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	mask := "\x00\x00\x00\x00"
	for name, frames := range map[string]string{
		"an unmasked frame":         "\x81\x01x",
		"a reserved bit":            "\xc1\x81" + mask + "x",
		"an unknown opcode":         "\x83\x81" + mask + "x",
		"an unknown control opcode": "\x8b\x80" + mask,
		"a fragmented ping":         "\x09\x80" + mask,
		"a long ping":               "\x89\xfe\x00\x7e" + mask,
		"a length in a longer form": "\x81\xfe\x00\x01" + mask + "x",
		"a negative length":         "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff" + mask,
		"a lone continuation":       "\x80\x81" + mask + "x",
		"an interrupted message":    "\x01\x81" + mask + "x\x81\x81" + mask + "x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := raw(t, s)
			_, _ = io.WriteString(c, frames)
			if code := c.closeOf(t); code != 1002 {
				t.Errorf("got %d", code)
			}
		})
	}
}

func TestControlFramesMayComeBetweenFragments(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	c := raw(t, s)
	key := "\x01\x02\x03\x04"
	_, _ = io.WriteString(c, "\x01\x82"+key+"`i"+"\x89\x82"+"\x00\x00\x00\x00hi"+"\x80\x81"+"\x00\x00\x00\x00c")
	got := make([]byte, 4+5)
	if _, err := io.ReadFull(c.in, got); err != nil || string(got) != "\x8a\x02hi\x81\x03akc" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAFrameSentTogetherWithTheHandshakeIsNotLost(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(conn, "GET "+live+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer dev\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x82\x00\x00\x00\x00hi")
	in := bufio.NewReader(conn)
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	if _, err := io.ReadFull(in, got); err != nil || string(got) != "\x81\x02hi" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestAPeerThatGivesNoSignOfLifeIsGivenUp(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, func(c *proxy.Config) { c.Socket.Ping = 100 * time.Millisecond })
	c := raw(t, s)
	var h [2]byte
	if _, err := io.ReadFull(c.in, h[:]); err != nil || h != [2]byte{0x89, 0} {
		t.Fatalf("got %x, %v; want a ping", h, err)
	}
	testtime.Eventually(t, 5*time.Second, "the tunnel ended", func() bool { return s.engine.Live().Len() == 0 })
	t.Logf("the upstream's side ended: %v", <-up.closed)
}

func TestAPeerThatAnswersPingsLivesOn(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { c.Socket.Ping = 150 * time.Millisecond })
	c := raw(t, s)
	for range 5 {
		var h [2]byte
		if _, err := io.ReadFull(c.in, h[:]); err != nil || h != [2]byte{0x89, 0} {
			t.Fatalf("got %x, %v; want a ping", h, err)
		}
		_, _ = io.WriteString(c, "\x8a\x80\x00\x00\x00\x00")
	}
	if s.engine.Live().Len() != 1 {
		t.Error("the tunnel ended")
	}
}

func TestAClientThatVanishesEndsTheUpstreamsSide(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, nil)
	c := raw(t, s)
	testtime.Eventually(t, 5*time.Second, "both are joined", func() bool { return s.engine.Live().Len() == 1 })
	_ = c.Close()
	t.Logf("the upstream's side ended: %v", <-up.closed)
	testtime.Eventually(t, 5*time.Second, "the tunnel ended", func() bool { return s.engine.Live().Len() == 0 })
}

// FuzzAuthFrame: a first message authenticates only when it is an object with exactly those names.
func FuzzAuthFrame(f *testing.F) {
	for _, s := range []string{auth("k"), auth("cookie"), `{}`, `[]`, `{"type":"auth"}`, `{"type":"auth","session_api\u005fkey":"k"}`, `{"type":"AUTH","session_api_key":"k"}`, "\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, ok := proxy.AuthFrame(b)
		if ok && (!strings.Contains(strings.TrimSpace(string(b)), "{") || k == "cookie") {
			t.Fatalf("%q was taken with key %q", b, k)
		}
		if !ok && k != "" {
			t.Fatalf("%q is no such frame and gave the key %q", b, k)
		}
		if ok && len(b) <= 16<<10 && !proxy.IsAuthFrame(b) {
			t.Fatalf("%q holds a credential and would go on to the upstream", b)
		}
	})
}
