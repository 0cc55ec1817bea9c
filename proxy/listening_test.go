package proxy_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// answering refuses what a Viewer says in words that count.
func answering(c *proxy.Config) {
	var n atomic.Int64
	c.Operations = []proxy.Operation{{
		Method: "GET", Path: "/sockets/events/{conversation_id}", Permission: access.ConversationRead, Treatment: proxy.Own, WebSocket: true,
		Handle: func(x *proxy.Exchange) error {
			return x.Tunnel(proxy.Outgoing{Refused: func() []byte { return fmt.Appendf(nil, "no %d", n.Add(1)) }})
		},
	}}
}

func TestWhatAViewerSaysIsAnsweredAndNotSentOn(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, answering)
	c := s.open(t, live, bearer("viewer"))
	say(t, c, auth("cookie")) // brings a credential and says nothing
	say(t, c, "hello")
	say(t, c, strings.Repeat("long", 50_000))
	w, _ := c.Writer(t.Context(), websocket.MessageText)
	for range 3 {
		_, _ = w.Write([]byte("in fragments"))
	}
	_ = w.Close()
	_ = c.Write(t.Context(), websocket.MessageBinary, []byte("bytes"))
	for i := range 4 {
		if got, want := hear(t, c), fmt.Sprint("no ", i+1); got != want {
			t.Errorf("got %.40q, want %q", got, want)
		}
	}
	s.change(func() { s.people["viewer"] = person("viewer@example.com", red, access.Developer) })
	eventually(t, promise, "the new role counts on the open socket", func() bool {
		say(t, c, "written")
		return hear(t, c) == "written"
	})
	s.change(func() { s.people["viewer"] = person("viewer@example.com", red, access.Viewer) })
	eventually(t, promise, "so does the old one", func() bool {
		say(t, c, "written")
		return strings.HasPrefix(hear(t, c), "no ")
	})
}

func TestAMessageThatCameBeforeTheUpstreamWasReachedIsAnsweredToo(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, func(c *proxy.Config) { quick(c); answering(c) })
	p := person("", red, access.Viewer)
	p.Anonymous = true
	s.anonymous = p
	c := s.open(t, live, nil)
	say(t, c, "hello")
	if got := hear(t, c); got != "no 1" {
		t.Errorf("got %q", got)
	}
}

// Frames of two messages must not mix: the answer waits until the upstream's message is whole.
func TestAnAnswerDoesNotComeIntoTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	up.options.CompressionMode = websocket.CompressionDisabled
	finish := make(chan struct{})
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		w, _ := c.Writer(ctx, websocket.MessageText)
		_, _ = w.Write([]byte(strings.Repeat("a", 100_000)))
		<-finish
		_, _ = w.Write([]byte("b"))
		_ = w.Close()
	}
	s := newStand(t, up.ServeHTTP, answering)
	c := s.open(t, live, bearer("viewer"))
	_, r, err := c.Reader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		say(t, c, "hello")
	}
	time.AfterFunc(300*time.Millisecond, func() { close(finish) }) // until then all were heard
	if rest, err := io.ReadAll(r); string(rest) != strings.Repeat("a", 99_000)+"b" {
		t.Errorf("got %.20q of %d bytes, %v", rest, len(rest), err)
	}
	for i := range 8 { // no more are kept
		if got := hear(t, c); got != fmt.Sprint("no ", i+1) {
			t.Errorf("got %.20q", got)
		}
	}
	say(t, c, "hello")
	if got := hear(t, c); got != "no 21" {
		t.Errorf("got %.20q", got)
	}
}

func TestARoleThatIsLoweredInTheMiddleOfAMessageDoesNotFinishIt(t *testing.T) {
	t.Parallel()
	up := newSpeaker()
	s := newStand(t, up.ServeHTTP, answering)
	c, _, err := websocket.Dial(t.Context(), s.url+live, &websocket.DialOptions{HTTPHeader: bearer("dev")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	w, _ := c.Writer(t.Context(), websocket.MessageText)
	_, _ = w.Write([]byte(strings.Repeat("x", 100_000)))
	s.change(func() { s.people["dev"] = person("dev+1@example.com", red, access.Viewer) })
	go func() {
		for t.Context().Err() == nil {
			if _, err := w.Write([]byte(strings.Repeat("y", 10_000))); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond) // a message that goes on and on
		}
	}()
	if got := ends(t, c, 2*promise); got.Code != 1013 {
		t.Errorf("got %v", got)
	}
	if err := <-up.closed; err == nil {
		t.Error("the upstream got the message whole")
	}
}

func TestTheRightToWriteIsThatOnTheConversationAsItIsNow(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, answering)
	p := person("dev+1@example.com", red, access.Developer)
	p.Memberships = append(p.Memberships, access.Membership{Team: blue, Role: access.Viewer})
	s.people["dev"] = p
	c := s.open(t, live, bearer("dev"))
	say(t, c, "hello")
	hear(t, c)
	s.change(func() { s.objects[ours] = access.Object{ID: ours, Team: blue, State: access.StateLive} }) // moved
	eventually(t, promise, "the role in the new team counts", func() bool {
		say(t, c, "hello")
		return strings.HasPrefix(hear(t, c), "no ")
	})
}

// An upstream that talks to a client that does not read is held back: what is not read waits in buffers of a known size.
func TestASlowReaderCostsBoundedMemory(t *testing.T) {
	var sent atomic.Int64
	up := newSpeaker()
	up.options.CompressionMode = websocket.CompressionDisabled
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		message := []byte(strings.Repeat("x", 256<<10))
		for c.Write(ctx, websocket.MessageText, message) == nil && sent.Load() < 1<<30 {
			sent.Add(int64(len(message)))
		}
	}
	s := newStand(t, up.ServeHTTP, answering)
	before := memory()
	c := s.open(t, live, bearer("viewer"))
	eventually(t, 20*time.Second, "the upstream is held back", func() bool {
		was := sent.Load()
		time.Sleep(500 * time.Millisecond) // nothing else tells that nothing more comes
		return was > 0 && sent.Load() == was
	})
	if total := sent.Load(); total > 64<<20 {
		t.Errorf("%d MiB were taken from the upstream", total>>20) // the kernel's buffers, four of them
	}
	for range 10_000 { // nor does a client cost more that provokes answers
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		err := c.Write(ctx, websocket.MessageText, []byte("hello"))
		cancel()
		if err != nil {
			break
		}
	}
	if grown := int64(memory()) - int64(before); grown > 4<<20 {
		t.Errorf("it costs %d KiB", grown>>10)
	}
	_ = c.CloseNow()
	eventually(t, 5*time.Second, "the tunnel ends", func() bool { return s.engine.Live().Len() == 0 })
}
