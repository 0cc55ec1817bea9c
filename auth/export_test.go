package auth

import "context"

// NewGate gives tests the bounded worker without passwords.
func NewGate(workers, queue int) (run func(context.Context, func()) error, waiting func() int64) {
	h := newHasher(HashParams{Memory: 8, Passes: 1, Lanes: 1}, workers, queue)
	return h.run, h.waiting.Load
}
