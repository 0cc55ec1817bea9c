package auth

import (
	"context"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// GetUser returns the account of a person. One that is not there is access.ErrHidden.
func (s *Service) GetUser(ctx context.Context, id uuid.UUID) (User, error) {
	a, err := accountByID(ctx, s.db, id, "")
	if err != nil {
		return User{}, postgres.Problem(err)
	}
	if a.ID == uuid.Nil {
		return User{}, access.ErrHidden
	}
	return a.User, nil
}
