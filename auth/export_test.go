package auth

import (
	"context"

	"github.com/openhands-saas/openhands-saas/internal/argon"
)

// NewGate gives tests the bounded worker without passwords.
func NewGate(workers, queue int) (run func(context.Context, func()) error, waiting func() int64) {
	h := newHasher(argon.Here{}, HashParams{Memory: 8, Passes: 1, Lanes: 1}, workers, queue)
	return h.run, h.waiting.Load
}

// Prove gives tests a sign-in at the moment before it gets a session.
func Prove(ctx context.Context, s *Service, email, password string) (SignIn, error) {
	return s.prove(ctx, email, password, Client{})
}
