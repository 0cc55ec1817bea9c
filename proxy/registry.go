package proxy

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// The close codes. At the first two, and at no other, the clients of OpenHands stop for good.
const (
	closeGoingAway   = 1001
	closeProtocol    = 1002
	closeTooBig      = 1009
	closeInternal    = 1011
	closeTryLater    = 1013
	closeBadGateway  = 1014
	closeCredentials = 4001
	closeHidden      = 4004
)

// Live is one thing that lives longer than its request: a WebSocket, a stream, a download.
type Live struct {
	Caller     access.Caller
	Object     access.Object // the conversation it is about; the zero Object when it is about Team
	Team       uuid.UUID
	Permission access.Permission

	End func(code int, reason string) // ends it soon and must not block; called at most once

	// Renew is told after each good check of the principal, and of the conversation as it is now; may be nil.
	Renew func(*access.Principal, access.Object)
}

// Registry knows what lives long, and ends what lost its right. It asks again about everything at short intervals and at every
// event: asking costs two look-ups in memory, and so an expiry, a missed event and a revocation need no different treatment.
type Registry struct {
	gate    Gate
	objects Objects
	log     *slog.Logger
	lease   time.Duration
	every   time.Duration
	now     func() time.Time
	fresh   func() bool
	slots   chan struct{} // for those who ask

	mu      sync.Mutex
	entries map[*entry]struct{}
	closed  bool
	living  sync.WaitGroup
	stop    chan struct{}
	done    chan struct{}
	kick    chan struct{}
}

type entry struct {
	Live
	good atomic.Int64 // when the last good check began, Unix nanoseconds

	mu    sync.Mutex
	ended bool
}

func newRegistry(cfg Config) *Registry {
	r := &Registry{
		gate: cfg.Gate, objects: cfg.Objects, log: cfg.Log, lease: cfg.Lease, every: cfg.Recheck,
		now: cfg.Now, fresh: cfg.Events.Fresh, entries: map[*entry]struct{}{}, slots: make(chan struct{}, checkWorkers),
		stop: make(chan struct{}), done: make(chan struct{}), kick: make(chan struct{}, 1),
	}
	cfg.Events.Subscribe(func(postgres.Event) { r.wake() })
	go r.run()
	go r.watchLeases()
	return r
}

// Add registers l until remove is called; after remove returned, End is not called any more. End must not call remove before
// it returned. In a registry that is closed, l ends at once.
func (r *Registry) Add(l Live) (remove func()) {
	e := &entry{Live: l}
	e.good.Store(r.now().UnixNano())
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.entries[e] = struct{}{}
		r.living.Add(1)
	}
	r.mu.Unlock()
	if closed {
		e.end(closeGoingAway, "the server is going away")
	}
	return func() { r.remove(e) }
}

func (r *Registry) remove(e *entry) {
	r.mu.Lock()
	if _, known := r.entries[e]; known {
		delete(r.entries, e)
		r.living.Done()
	}
	r.mu.Unlock()
	e.mu.Lock()
	e.ended = true
	e.mu.Unlock()
}

// Len is how many things live.
func (r *Registry) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}

// end ends the entry once, and says whether it was this time.
func (e *entry) end(code int, reason string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended {
		return false
	}
	e.ended = true
	e.End(code, reason)
	return true
}

// close ends everything, and waits a while for it to be over.
func (r *Registry) close() {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return
	}
	r.closed = true
	all := r.snapshot()
	r.mu.Unlock()
	close(r.stop)
	<-r.done
	for _, e := range all {
		e.end(closeGoingAway, "the server is going away")
	}
	over := make(chan struct{})
	go func() { r.living.Wait(); close(over) }()
	select {
	case <-over:
	case <-time.After(goodbye):
	}
}

// goodbye is how long close waits: as long as a peer has to answer a close frame, and a little more.
const goodbye = linger + 500*time.Millisecond

// snapshot is called under the lock.
func (r *Registry) snapshot() []*entry {
	all := make([]*entry, 0, len(r.entries))
	for e := range r.entries {
		all = append(all, e)
	}
	return all
}

// wake asks for a check now.
func (r *Registry) wake() {
	select {
	case r.kick <- struct{}{}:
	default:
	}
}
