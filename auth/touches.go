package auth

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// touches writes down, behind the requests' back, that sessions were used. It is bounded: when the database is slow, uses are
// lost rather than kept waiting, and the next use tells again a minute later.
type touches struct {
	db    *postgres.DB
	keys  Keys
	now   func() time.Time
	log   *slog.Logger
	used  chan touch
	stop  context.CancelFunc
	ended sync.WaitGroup
}

const (
	touchQueue = 1024
	touchBatch = 256
)

// touch is one use, of a session or of an API key.
type touch struct {
	id  uuid.UUID
	key bool
}

func startTouches(cfg Config) *touches {
	ctx, stop := context.WithCancel(context.Background())
	t := &touches{db: cfg.DB, keys: cfg.Keys, now: cfg.Now, log: cfg.Log, used: make(chan touch, touchQueue), stop: stop}
	t.ended.Go(func() { t.run(ctx) })
	return t
}

func (t *touches) close() {
	t.stop()
	t.ended.Wait()
}

func (t *touches) add(use touch) {
	select {
	case t.used <- use:
	default:
	}
}

func (t *touches) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-t.used:
			sessions, keys := t.batch(first)
			t.write(ctx, sessions, keys)
		}
	}
}

// batch takes what else is waiting.
func (t *touches) batch(next touch) (sessions, keys []uuid.UUID) {
	for {
		if next.key {
			keys = append(keys, next.id)
		} else {
			sessions = append(sessions, next.id)
		}
		if len(sessions)+len(keys) == touchBatch {
			return sessions, keys
		}
		select {
		case next = <-t.used:
		default:
			return sessions, keys
		}
	}
}

func (t *touches) write(ctx context.Context, sessions, keys []uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := touchSessions(ctx, t.db, sessions, t.now())
	if len(keys) > 0 {
		err = errors.Join(err, t.keys.Touch(ctx, keys, t.now()))
	}
	if err != nil && ctx.Err() == nil {
		t.log.WarnContext(ctx, "the use of sessions and keys was not noted", "sessions", len(sessions), "keys", len(keys), "error", err)
	}
}
