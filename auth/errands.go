package auth

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// errands are done behind the backs of those who asked, so that the time of an answer tells nothing of what there was to do. They
// are bounded: when too many wait, the next is refused, whatever it would have been.
type errands struct {
	log   *slog.Logger
	queue chan errand
	stop  context.CancelFunc
	ended sync.WaitGroup
}

type errand struct {
	name string
	work func(ctx context.Context) error
}

const (
	errandQueue   = 256
	errandWorkers = 2
	errandTime    = 10 * time.Second
)

func startErrands(log *slog.Logger) *errands {
	ctx, stop := context.WithCancel(context.Background())
	e := &errands{log: log, queue: make(chan errand, errandQueue), stop: stop}
	for range errandWorkers {
		e.ended.Go(func() { e.run(ctx) })
	}
	return e
}

// close does what is waiting, and ends. It may be called again.
func (e *errands) close() {
	e.stop()
	e.ended.Wait()
}

func (e *errands) add(name string, work func(ctx context.Context) error) error {
	select {
	case e.queue <- errand{name, work}:
		return nil
	default:
		return problem.Unavailable("Too many people ask for this at this moment. Try again in a few seconds.", nil)
	}
}

func (e *errands) run(ctx context.Context) {
	for {
		select {
		case next := <-e.queue:
			e.do(next)
		case <-ctx.Done():
			e.finish()
			return
		}
	}
}

func (e *errands) finish() {
	for {
		select {
		case next := <-e.queue:
			e.do(next)
		default:
			return
		}
	}
}

func (e *errands) do(next errand) {
	ctx, cancel := context.WithTimeout(context.Background(), errandTime)
	defer cancel()
	if err := next.work(ctx); err != nil {
		e.log.WarnContext(ctx, "what was asked for was not done", "what", next.name, "error", err)
	}
}
