// Package relay is a TCP relay between clients and a server. It looks for secrets in every byte that the server delivers, and
// it can hold back either direction, as a slow or dead network would.
//
// It changes nothing: HTTP, WebSockets and downloads are all just bytes, so no form of delivery can be forgotten. All that it
// understands is what may stand in the middle of a secret: the end of a packet, of a chunk, of a frame. What is compressed
// cannot be looked into, so an answer that says it is counts as a find.
package relay

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// hearOut is how long a client may go on sending after the server has said its last word.
const hearOut = 2 * time.Second

// Relay relays one loopback port.
type Relay struct {
	Requests Valve // what clients send
	Answers  Valve // what the server sends
	Changes  Valve // of that, the answers to HTTP requests that are no GET

	listener net.Listener
	target   string
	needles  map[string][]byte
	words    []Word
	bytes    atomic.Int64
	down     atomic.Bool
	clients  sync.WaitGroup

	mu    sync.Mutex
	finds []string
	conns map[net.Conn]struct{}
}

// Word is something to look for that is a find only as what follows it makes it one.
type Word struct {
	Name     string
	Begins   string                 // the bytes that are looked for
	Harmless func(rest string) bool // judges what follows, up to a byte that cannot be part of a path
}

// Listen relays a free loopback port to target (host:port) and looks for the needles (name → secret) and the words.
func Listen(target string, needles map[string]string, words ...Word) (*Relay, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	r := &Relay{listener: listener, target: target, needles: map[string][]byte{}, words: words, conns: map[net.Conn]struct{}{}}
	for name, secret := range needles {
		r.needles[name] = []byte(secret)
	}
	r.clients.Go(r.accept)
	return r, nil
}

// Addr is the host:port that clients use.
func (r *Relay) Addr() string { return r.listener.Addr().String() }

// Down ends all connections and takes no new ones until Up: the server is gone.
func (r *Relay) Down() {
	r.down.Store(true)
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.conns {
		c.Close()
	}
}

// Up takes connections again.
func (r *Relay) Up() { r.down.Store(false) }

// Bytes counts what was delivered to clients.
func (r *Relay) Bytes() int64 { return r.bytes.Load() }

// Finds lists each secret found, with the bytes before it.
func (r *Relay) Finds() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.finds)
}

// Close ends the relay and all its connections.
func (r *Relay) Close() {
	r.listener.Close()
	r.Requests.Open()
	r.Answers.Open()
	r.Changes.Open()
	r.mu.Lock()
	for c := range r.conns {
		c.Close()
	}
	r.mu.Unlock()
	r.clients.Wait()
}

func (r *Relay) accept() {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		r.clients.Go(func() { r.relay(client) })
	}
}

func (r *Relay) relay(client net.Conn) {
	defer r.keep(client)()
	if r.down.Load() {
		return
	}
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		return
	}
	defer r.keep(server)()
	done := make(chan struct{})
	var changing atomic.Bool
	go func() {
		defer close(done)
		_, _ = io.Copy(server, io.TeeReader(&gated{client, &r.Requests}, methods{&changing}))
		_ = server.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, client)
	}()
	looking := r.scan()
	_, _ = io.Copy(client, io.TeeReader(&changes{gated{server, &r.Answers}, &changing, &r.Changes}, looking))
	looking.end()
	// A server may answer before it has read the whole request. To close now would destroy that answer on its way to a
	// client that still sends, so the client is heard out, for a moment.
	_ = client.(*net.TCPConn).CloseWrite()
	_ = client.SetReadDeadline(time.Now().Add(hearOut))
	server.Close()
	<-done
}

// keep remembers a connection until the returned function closes it.
func (r *Relay) keep(c net.Conn) func() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[c] = struct{}{}
	return func() {
		c.Close()
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, c)
	}
}

func (r *Relay) found(name string, before []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.finds = append(r.finds, fmt.Sprintf("%s, after %q", name, before))
}
