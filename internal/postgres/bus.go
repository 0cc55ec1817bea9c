package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	beatEvery = 500 * time.Millisecond  // how often a replica sends a heartbeat to itself
	freshFor  = 1500 * time.Millisecond // how long a heartbeat that came back is trusted, counted from its sending
	deafAfter = 5 * time.Second         // a connection that stays silent for so long is cut and dialled anew
)

// Bus tells what other replicas, and this one, have changed.
//
// It is fresh while a heartbeat that this replica sent within the last 1.5 s has come back on the channel of the events: then
// every event that was committed before that heartbeat has been dispatched. A heartbeat counts only if it was sent after the
// last reconnect was dealt with, so none from before a cut can vouch for what came after it.
type Bus struct {
	dsn  dsn
	log  *slog.Logger
	name string
	born time.Time // heartbeats carry the time since then, by the monotonic clock

	until atomic.Int64 // fresh until then, in nanoseconds since born

	mu        sync.Mutex
	validFrom time.Duration // heartbeats sent earlier count for nothing
	listeners []func(Event)
	stop      func()

	kick chan struct{} // asks for a heartbeat now
}

// never is later than every heartbeat.
const never = time.Duration(1<<63 - 1)

func newBus(d dsn, log *slog.Logger) *Bus {
	return &Bus{
		dsn: d, log: log, born: time.Now(), validFrom: never, kick: make(chan struct{}, 1),
		name: "openhands-saas listen " + uuid.NewString(),
	}
}

// Subscribe has every event delivered to f, which must be quick, must not block and may be called by several goroutines at
// once. The same event may come more than once.
func (b *Bus) Subscribe(f func(Event)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.listeners = append(slices.Clip(b.listeners), f)
}

// Fresh reports whether what was kept in memory may be trusted. It takes no lock.
func (b *Bus) Fresh() bool { return int64(time.Since(b.born)) < b.until.Load() }

// ListenerName is the application name of the listening connection in pg_stat_activity.
func (b *Bus) ListenerName() string { return b.name }

// dispatch calls the subscribers in the caller's goroutine: when it returns, they have dropped what they must drop.
func (b *Bus) dispatch(events ...Event) {
	b.mu.Lock()
	listeners := b.listeners
	b.mu.Unlock()
	for _, e := range events {
		for _, f := range listeners {
			f(e)
		}
	}
}

// distrust is called at the moment a connection is lost.
func (b *Bus) distrust() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.validFrom = never
	b.until.Store(0)
}

// catchUp is called when the connection listens again: whatever happened in between was missed.
func (b *Bus) catchUp() {
	b.dispatch(Event{})
	b.trustFrom(time.Since(b.born))
}

func (b *Bus) trustFrom(t time.Duration) {
	b.mu.Lock()
	b.validFrom = t
	b.mu.Unlock()
	select {
	case b.kick <- struct{}{}:
	default:
	}
}

// beat notes that a heartbeat came back.
func (b *Bus) beat(sent time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if sent >= b.validFrom {
		b.until.Store(int64(sent + freshFor))
	}
}

// pulse sends heartbeats over a connection of its own, so that a busy pool cannot make the bus look deaf.
func (b *Bus) pulse(ctx context.Context, pool *sql.DB) {
	defer func() { _ = pool.Close() }()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		b.send(ctx, pool)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-b.kick:
		}
	}
}

// send does not report a failure: the missing heartbeat is the report.
func (b *Bus) send(ctx context.Context, pool *sql.DB) {
	ctx, cancel := context.WithTimeout(ctx, freshFor)
	defer cancel()
	beat := fmt.Sprintf("beat %s %d", b.name, time.Since(b.born))
	if _, err := pool.ExecContext(ctx, `SELECT pg_notify($1, $2)`, channel, beat); err != nil && ctx.Err() == nil {
		b.log.Debug("a heartbeat could not be sent", "error", err)
	}
}
