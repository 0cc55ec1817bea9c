package proxy_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// shouting edits messages that begin with "edit".
func shouting(c *proxy.Config) {
	edit := &proxy.FrameEdit{
		Wants: func(head []byte) bool { return bytes.HasPrefix(head, []byte("edit")) },
		Edit:  func(message []byte) []byte { return append(bytes.ToUpper(message), key...) },
	}
	c.Operations = []proxy.Operation{{
		Method: "GET", Path: "/sockets/events/{conversation_id}", Permission: access.ConversationRead, Treatment: proxy.Own, WebSocket: true,
		Handle: func(x *proxy.Exchange) error { return x.Tunnel(proxy.Outgoing{Frame: edit}) },
	}}
}

func TestWholeMessagesOfTheUpstreamMayBeEdited(t *testing.T) {
	t.Parallel()
	const least, most = 32<<10 - 14, 16<<20 - 100
	long := func(n int) string { return "edit" + strings.Repeat("x", n-4) }
	masked := strings.Repeat("*", len(key))
	said := []struct{ text, want string }{
		{"hello", "hello"},
		{"edit me", "EDIT ME" + masked},
		{"edit " + key, "EDIT " + strings.ToUpper(key) + masked},
		{"hello " + key, "hello " + masked},
		{long(least), strings.ToUpper(long(least)) + masked},
		{long(least + 1), strings.ToUpper(long(least+1)) + masked},
		{long(most), strings.ToUpper(long(most)) + masked},
		{"x" + long(100_000), "x" + long(100_000)},
		{"", ""},
	}
	up := newSpeaker()
	up.options.CompressionMode = websocket.CompressionDisabled
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		for _, s := range said {
			_ = c.Write(ctx, websocket.MessageText, []byte(s.text))
		}
		_ = c.Write(ctx, websocket.MessageBinary, []byte("edit me"))
		if w, err := c.Writer(ctx, websocket.MessageText); err == nil { // in fragments
			_, _ = w.Write([]byte("no edit "))
			_, _ = w.Write([]byte(strings.Repeat("y", 10_000)))
			_ = w.Close()
		}
	}
	s := newStand(t, up.ServeHTTP, shouting)
	c := s.open(t, live, bearer("dev"))
	for _, s := range said {
		if got := hear(t, c); got != s.want {
			t.Errorf("%.20q of %d bytes became %.20q of %d", s.text, len(s.text), got, len(got))
		}
	}
	if got := hear(t, c); got != "edit me" {
		t.Errorf("a binary message became %q", got)
	}
	if got := hear(t, c); got != "no edit "+strings.Repeat("y", 10_000) {
		t.Errorf("a message in fragments became %.20q", got)
	}
	say(t, c, "edit: what the client says is not touched on its way up, but its echo is")
	if got := hear(t, c); !strings.HasPrefix(got, "EDIT: ") {
		t.Errorf("got %q", got)
	}
}

// What should be edited and cannot be must not go on as it is.
func TestAMessageThatCannotBeEditedEndsTheTunnel(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(context.Context, *websocket.Conn){
		"too long": func(ctx context.Context, c *websocket.Conn) {
			_ = c.Write(ctx, websocket.MessageText, []byte("edit"+strings.Repeat("x", 16<<20)))
		},
		"in fragments": func(ctx context.Context, c *websocket.Conn) {
			if w, err := c.Writer(ctx, websocket.MessageText); err == nil {
				_, _ = w.Write([]byte("edit " + strings.Repeat("y", 10_000)))
				_, _ = w.Write([]byte("more"))
				_ = w.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := newSpeaker()
			up.options.CompressionMode = websocket.CompressionDisabled
			up.greet = send
			c := newStand(t, up.ServeHTTP, shouting).open(t, live, bearer("dev"))
			c.SetReadLimit(-1)
			if _, message, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
				t.Errorf("got %d bytes, %v", len(message), err)
			}
		})
	}
}

// What is not edited is seen in pieces, each message to its end.
func TestPiecesOfOtherMessagesMayBeChangedInPlace(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	up.options.CompressionMode = websocket.CompressionDisabled
	long := strings.Repeat("abc", 50_000)
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		for _, text := range []string{"ab", "", long, "a" + key} {
			_ = c.Write(ctx, websocket.MessageText, []byte(text))
		}
		if w, err := c.Writer(ctx, websocket.MessageText); err == nil {
			_, _ = w.Write([]byte(long))
			_, _ = w.Write([]byte(long))
			_ = w.Close()
		}
	}
	// The first letter of each message becomes a Z.
	inside := false
	edit := &proxy.FrameEdit{
		Wants: func([]byte) bool { return false },
		Pass: func(piece []byte, end bool) {
			if !inside && len(piece) > 0 {
				piece[0] = 'Z'
			}
			inside = !end && (inside || len(piece) > 0)
		},
	}
	s := newStand(t, up.ServeHTTP, func(c *proxy.Config) {
		c.Operations = []proxy.Operation{{
			Method: "GET", Path: "/sockets/events/{conversation_id}", Permission: access.ConversationRead, Treatment: proxy.Own, WebSocket: true,
			Handle: func(x *proxy.Exchange) error { return x.Tunnel(proxy.Outgoing{Frame: edit}) },
		}}
	})
	c := s.open(t, live, bearer("dev"))
	for n, want := range []string{"Zb", "", "Z" + long[1:], "Z" + strings.Repeat("*", len(key)), "Z" + long[1:] + long} {
		if got := hear(t, c); got != want {
			t.Errorf("message %d became %.20q of %d bytes, want %d", n, got, len(got), len(want))
		}
	}
}
