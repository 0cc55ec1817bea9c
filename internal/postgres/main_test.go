package postgres_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// eventually waits for a condition and fails the test when it does not come true in time.
func eventually(t *testing.T, within time.Duration, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}

// soon is a context for everything that should not take long.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// recorder keeps the events that a bus delivers.
type recorder struct {
	mu     sync.Mutex
	events []postgres.Event
}

func record(b *postgres.Bus) *recorder {
	r := &recorder{}
	b.Subscribe(func(e postgres.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e)
	})
	return r
}

func (r *recorder) count(e postgres.Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, seen := range r.events {
		if seen == e {
			n++
		}
	}
	return n
}

func (r *recorder) total() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.events)
}
