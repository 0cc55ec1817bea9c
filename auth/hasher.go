package auth

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// hasher bounds what passwords cost. Each hash takes much memory and time on purpose, so only a few run at the same time, a few
// more wait a moment, and all others are told to come back: many logins cannot starve what else runs here.
type hasher struct {
	maker   argon.Maker
	params  HashParams
	dummy   string        // what an unknown address is compared with
	slots   chan struct{} // holds one entry for each hash in progress
	queue   int64
	waiting atomic.Int64
}

// maxWait is how long a caller may stand in the queue.
const maxWait = 5 * time.Second

func newHasher(maker argon.Maker, params HashParams, workers, queue int) *hasher {
	return &hasher{
		maker: maker, params: params, dummy: dummyPHC(params).String(),
		slots: make(chan struct{}, workers), queue: int64(queue),
	}
}

func (h *hasher) hash(ctx context.Context, password string) (encoded string, err error) {
	var made phc
	busy := h.run(ctx, func() { made, err = newPHC(ctx, h.maker, h.params, password) })
	if err = cmp.Or(busy, broken(err)); err != nil {
		return "", err
	}
	return made.String(), nil
}

func (h *hasher) verify(ctx context.Context, encoded, password string) (ok, stale bool, err error) {
	busy := h.run(ctx, func() { ok, stale, err = verify(ctx, h.maker, h.params, encoded, password) })
	if busy != nil {
		return false, false, busy
	}
	return ok, stale, broken(err)
}

// broken turns what kept a hash from being made, which is no fault of the password or of the stored hash, into a problem.
func broken(err error) error {
	if err == nil || errors.Is(err, errHashFormat) || errors.Is(err, context.Canceled) {
		return err
	}
	return problem.Unavailable("The password could not be looked at. Try again in a few seconds.", err)
}

// run does the work in the caller's goroutine once there is a place.
func (h *hasher) run(ctx context.Context, work func()) error {
	if err := h.enter(ctx); err != nil {
		return err
	}
	defer func() { <-h.slots }()
	work()
	return nil
}

func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	defer h.waiting.Add(-1)
	if h.waiting.Add(1) > h.queue {
		return busy(nil)
	}
	patience, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-patience.Done():
		return busy(patience.Err())
	}
}

func busy(cause error) error {
	return problem.Unavailable("Too many people sign in at this moment. Try again in a few seconds.", cause)
}
