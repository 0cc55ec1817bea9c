package proxy_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// answering refuses what a Viewer says in words that count.
func answering(c *proxy.Config) { counting(new(atomic.Int64))(c) }

// counting is answering for a test that looks how often it was refused.
func counting(n *atomic.Int64) func(*proxy.Config) {
	return func(c *proxy.Config) { refusing(c, n) }
}

func refusing(c *proxy.Config, n *atomic.Int64) {
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
	testtime.Eventually(t, promise, "the new role counts on the open socket", func() bool {
		say(t, c, "written")
		return hear(t, c) == "written"
	})
	s.change(func() { s.people["viewer"] = person("viewer@example.com", red, access.Viewer) })
	testtime.Eventually(t, promise, "so does the old one", func() bool {
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
	var refused atomic.Int64
	s := newStand(t, up.ServeHTTP, counting(&refused))
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
	testtime.Eventually(t, 5*time.Second, "all were heard", func() bool { return refused.Load() == 20 })
	close(finish)
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
	ended := make(chan websocket.StatusCode, 1)
	go func() {
		_, _, err := c.Read(t.Context())
		ended <- websocket.CloseStatus(err)
	}()
	testtime.Eventually(t, 2*promise, "the message cannot go on", func() bool {
		_, err := w.Write([]byte(strings.Repeat("y", 1000)))
		return err != nil
	})
	if got := <-ended; got != 1013 {
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
	testtime.Eventually(t, promise, "the role in the new team counts", func() bool {
		say(t, c, "hello")
		return strings.HasPrefix(hear(t, c), "no ")
	})
}

// An upstream that talks to a client that does not read is held back: what is not read waits in buffers of a known size.
func TestASlowReaderCostsBoundedMemory(t *testing.T) {
	var sent atomic.Int64
	held := make(chan struct{}, 1)
	up := newSpeaker()
	up.options.CompressionMode = websocket.CompressionDisabled
	up.greet = func(ctx context.Context, c *websocket.Conn) {
		message := []byte(strings.Repeat("x", 256<<10))
		for sent.Load() < 1<<30 {
			waits := time.AfterFunc(500*time.Millisecond, func() { held <- struct{}{} })
			err := c.Write(ctx, websocket.MessageText, message)
			if !waits.Stop() || err != nil {
				return
			}
			sent.Add(int64(len(message)))
		}
	}
	s := newStand(t, up.ServeHTTP, answering)
	before := memory()
	c := s.open(t, live, bearer("viewer"))
	select {
	case <-held: // one message has been on its way for long
	case <-time.After(20 * time.Second):
		t.Fatal("the upstream is not held back")
	}
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
	testtime.Eventually(t, 5*time.Second, "the tunnel ends", func() bool { return s.engine.Live().Len() == 0 })
}

// An upstream's connection may be dead for as long as nothing is written: only a ping tells.
func TestTheUpstreamIsPingedTooAndGivenUpWhenItDoesNotAnswer(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var kept []net.Conn
	s := newStand(t, idle(&kept, &mu), func(c *proxy.Config) { c.Socket.Ping = 100 * time.Millisecond })
	c := s.open(t, live, bearer("dev"))
	ended := make(chan websocket.StatusCode, 1)
	go func() { // which answers the pings that it gets
		_, _, err := c.Read(t.Context())
		ended <- websocket.CloseStatus(err)
	}()
	var upstream net.Conn
	testtime.Eventually(t, promise, "both are joined", func() bool {
		mu.Lock()
		defer mu.Unlock()
		if len(kept) == 1 {
			upstream = kept[0]
		}
		return upstream != nil
	})
	ping := make([]byte, 6)
	_ = upstream.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(upstream, ping); err != nil || ping[0] != 0x89 || ping[1] != 0x80 {
		t.Fatalf("the upstream got %x, %v; want a masked ping", ping, err)
	}
	select {
	case code := <-ended:
		if code != 1013 {
			t.Errorf("the client was told %d, want 1013", code)
		}
	case <-time.After(10 * time.Second):
		t.Error("the client's side lives on")
	}
}
