package auth

import (
	"context"
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
	now   func() time.Time
	log   *slog.Logger
	used  chan uuid.UUID
	stop  context.CancelFunc
	ended sync.WaitGroup
}

const (
	touchQueue = 1024
	touchBatch = 256
)

func startTouches(db *postgres.DB, now func() time.Time, log *slog.Logger) *touches {
	ctx, stop := context.WithCancel(context.Background())
	t := &touches{db: db, now: now, log: log, used: make(chan uuid.UUID, touchQueue), stop: stop}
	t.ended.Go(func() { t.run(ctx) })
	return t
}

func (t *touches) close() {
	t.stop()
	t.ended.Wait()
}

func (t *touches) add(session uuid.UUID) {
	select {
	case t.used <- session:
	default:
	}
}

func (t *touches) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case first := <-t.used:
			t.write(ctx, t.batch(first))
		}
	}
}

// batch takes what else is waiting.
func (t *touches) batch(first uuid.UUID) []uuid.UUID {
	sessions := []uuid.UUID{first}
	for len(sessions) < touchBatch {
		select {
		case next := <-t.used:
			sessions = append(sessions, next)
		default:
			return sessions
		}
	}
	return sessions
}

func (t *touches) write(ctx context.Context, sessions []uuid.UUID) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := touchSessions(ctx, t.db, sessions, t.now()); err != nil && ctx.Err() == nil {
		t.log.WarnContext(ctx, "the use of sessions was not noted", "sessions", len(sessions), "error", err)
	}
}
