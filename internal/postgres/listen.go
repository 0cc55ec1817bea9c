package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lib/pq"
)

// start listens, sends heartbeats and waits for the first one to come back.
func (b *Bus) start(ctx context.Context) error {
	line := &line{}
	listener := pq.NewDialListener(line, b.dsn.listenString(b.name), 100*time.Millisecond, time.Second, b.connection)
	if err := b.hold(listener, line); err != nil {
		discard(listener)
		return err
	}
	for !b.Fresh() {
		if ctx.Err() != nil {
			b.close()
			return fmt.Errorf("listen to the database %s: no heartbeat came back: %w", b.dsn, ctx.Err())
		}
		pause(ctx, 2*time.Millisecond)
	}
	return nil
}

// hold starts what runs until close: one goroutine that reads, one that sends, and one that begins to listen, which may block
// for as long as there is no connection.
func (b *Bus) hold(listener *pq.Listener, line *line) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stop != nil {
		return errors.New("the bus was started before")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { b.read(ctx, listener, line) })
	running.Go(func() { b.pulse(ctx, b.dsn.pool("openhands-saas heartbeat", 1)) })
	go b.begin(listener)
	b.stop = func() {
		cancel()
		discard(listener)
		running.Wait()
	}
	return nil
}

// begin listens. It blocks while there is no connection, and ends with the listener.
func (b *Bus) begin(listener *pq.Listener) {
	switch err := listener.Listen(channel); {
	case err == nil:
		b.trustFrom(time.Since(b.born))
	case !errors.Is(err, net.ErrClosed):
		b.log.Error("the database refuses to LISTEN; use a direct connection to its primary server", "error", err)
	}
}

// discard closes the listener. In the middle of a dial it holds its lock: then it is left to end by itself.
func discard(listener *pq.Listener) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = listener.Close()
		for range listener.Notify {
			// What is still queued would keep the listener's goroutine.
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Second):
	}
}

// close ends the bus for good; it is not fresh any more.
func (b *Bus) close() {
	b.mu.Lock()
	stop := b.stop
	b.stop = func() {}
	b.mu.Unlock()
	if stop != nil {
		stop()
	}
	b.distrust()
}

// connection is told by the listener what becomes of its connection.
func (b *Bus) connection(event pq.ListenerEventType, err error) {
	switch event {
	case pq.ListenerEventDisconnected:
		b.distrust()
		b.log.Warn("the connection that listens for changes was lost; caches are not used until it is back", "error", err)
	case pq.ListenerEventReconnected:
		b.log.Info("listening for changes again")
	}
}

// read delivers what comes until ctx ends, and cuts a line that is connected but deaf: a lost peer is noticed by TCP only
// after many minutes.
func (b *Bus) read(ctx context.Context, listener *pq.Listener, line *line) {
	deaf := time.NewTimer(deafAfter)
	defer deaf.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case n, open := <-listener.Notify:
			if !open {
				return
			}
			b.receive(n)
		case <-deaf.C:
			line.cut()
		}
		deaf.Reset(deafAfter)
	}
}

// receive takes one notification; nil means that the listener had to connect anew.
func (b *Bus) receive(n *pq.Notification) {
	if n == nil {
		b.catchUp()
		return
	}
	beat, isBeat := strings.CutPrefix(n.Extra, "beat ")
	if !isBeat {
		b.dispatch(decode(n.Extra))
		return
	}
	if sent, own := strings.CutPrefix(beat, b.name+" "); own {
		if at, err := strconv.ParseInt(sent, 10, 64); err == nil {
			b.beat(time.Duration(at))
		}
	}
}

// line is the listener's network connection, kept so that it can be cut from outside.
type line struct {
	mu   sync.Mutex
	conn net.Conn
}

// Dial implements pq.Dialer.
func (l *line) Dial(network, address string) (net.Conn, error) {
	return l.DialTimeout(network, address, dialTimeout)
}

// DialTimeout implements pq.Dialer.
func (l *line) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conn = conn
	return conn, nil
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close()
	}
}
