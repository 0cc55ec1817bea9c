// Package llm is a scripted language model behind an OpenAI-compatible API.
//
// It owns no intelligence: the last message of the user is the script, so a
// person at a keyboard and a test drive it in the same way, and the same
// conversation always takes the same course. It never answers a request that
// does not carry its own key.
//
// The key idea: it keeps no state of a conversation. The next step follows
// from the messages of the request alone: the script, and how many tool
// results came after it. So it serves any number of conversations at once.
//
// A message is read line by line:
//
//	run: COMMAND   the agent runs exactly this in its terminal; one after the other
//	call: TOOL {}  the agent calls this tool with these arguments, offered or not
//	say: TEXT      the agent answers with this text and stops
//	slow: N        what follows is held back for N seconds, or until Release("N")
//	slow: NAME     what follows is held back until Release("NAME")
//
// Other lines are only conversation. A message without a script makes the
// agent greet from its terminal and finish.
package llm

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Model is the name under which the model is listed; an OpenHands client calls
// it "openai/scripted".
const Model = "scripted"

// Options say how the server is started.
type Options struct {
	Address string // default: 127.0.0.1:0
	Key     string // the only key that opens it; default: a random one
}

// Request is one call that carried the right key, as it was received.
type Request struct {
	At           time.Time
	Path         string
	Conversation string // the agent-server's id of the conversation
	User         string // the last message of the user
	Tools        []string
	Body         json.RawMessage
}

// Server is a running scripted model.
type Server struct {
	key      string
	listener net.Listener
	server   *http.Server

	mu       sync.Mutex
	requests []Request
	refused  int
	answers  int
	released map[string]chan struct{}
	held     map[string]int
	changed  chan struct{} // closed and replaced whenever held changes
}

// Start starts a server on a free port with a key of its own.
func Start() (*Server, error) { return StartWith(Options{}) }

// StartWith starts a server as o says.
func StartWith(o Options) (*Server, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	if o.Key == "" {
		o.Key = "sk-scripted-" + rand.Text()
	}
	listener, err := net.Listen("tcp", o.Address)
	if err != nil {
		return nil, fmt.Errorf("start the scripted model: %w", err)
	}
	s := &Server{key: o.Key, listener: listener, released: map[string]chan struct{}{}, held: map[string]int{}, changed: make(chan struct{})}
	s.server = &http.Server{Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Address is where the server listens.
func (s *Server) Address() string { return s.listener.Addr().String() }

// URL is what an OpenAI client takes as its base URL.
func (s *Server) URL() string { return "http://" + s.Address() + "/v1" }

// Key is the key that opens the server.
func (s *Server) Key() string { return s.key }

// Model is the name by which OpenHands calls this model.
func (s *Server) Model() string { return "openai/" + Model }

// Close ends the server and all that it holds back.
func (s *Server) Close() {
	_ = s.server.Close()
	_ = s.listener.Close() // the server does not know it yet when it is closed right after its start
}

// Requests are all calls so far that carried the right key.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Refused counts the calls that carried another key or none.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

// Release lets everything go on that is held back under the name, now and later.
func (s *Server) Release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gate := s.gate(name)
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// AwaitHeld returns when a call is held back under the name.
func (s *Server) AwaitHeld(ctx context.Context, name string) error {
	for {
		s.mu.Lock()
		count, changed := s.held[name], s.changed
		s.mu.Unlock()
		if count > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("nothing is held back as %q: %w", name, ctx.Err())
		}
	}
}

// hold waits until the hold is released, its time is over or the caller left.
func (s *Server) hold(ctx context.Context, h hold) {
	s.mu.Lock()
	gate := s.gate(h.name)
	s.mu.Unlock()
	s.count(h.name, 1)
	defer s.count(h.name, -1)
	var over <-chan time.Time
	if h.most > 0 {
		over = time.After(h.most)
	}
	select {
	case <-gate:
	case <-over:
	case <-ctx.Done():
	}
}

func (s *Server) count(name string, by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[name] += by
	close(s.changed)
	s.changed = make(chan struct{})
}

// gate is called with mu held.
func (s *Server) gate(name string) chan struct{} {
	if s.released[name] == nil {
		s.released[name] = make(chan struct{})
	}
	return s.released[name]
}
