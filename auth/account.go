package auth

import (
	"context"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// DeleteOwn deletes the account of whoever asks, for good. The password proves who that is, or a fresh proof in the session; those
// who have a second factor need the latter. It is refused to who would leave others without their owner (Hooks.MayLeave).
func (s *Service) DeleteOwn(ctx context.Context, id Identity, password string, from Client) error {
	if err := s.proveOwner(ctx, id, password, from); err != nil {
		return err
	}
	return s.remove(ctx, id.Actor(), id.User.ID, func(ctx context.Context, tx *postgres.Tx, u User) error {
		if s.cfg.Hooks.MayLeave == nil {
			return nil
		}
		return s.cfg.Hooks.MayLeave(ctx, tx, u)
	})
}

func (s *Service) proveOwner(ctx context.Context, id Identity, password string, from Client) error {
	if password == "" || id.HasFactor {
		return s.RequireFresh(id)
	}
	proved, err := s.prove(ctx, id.User.Email, password, from)
	if err == nil && proved.User != id.User.ID { // the address went to somebody else meanwhile
		err = errBadCredentials
	}
	return err
}
