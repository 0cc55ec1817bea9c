package factor

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

var errLastWay = problem.New(http.StatusConflict,
	"This is the only way by which you can sign in. Set a password, add another passkey or link an identity first, then remove it.")

// HasPasskey says whether a user has a passkey for this host, by which they could sign in.
func (v *Verifier) HasPasskey(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (has bool, err error) {
	if v.passkeys == nil {
		return false, nil
	}
	err = tx.GetContext(ctx, &has, `
		SELECT EXISTS (
			SELECT FROM passkeys
			WHERE user_id = $1 AND rp_id = $2)`, user, v.passkeys.id)
	if err != nil {
		return false, fmt.Errorf("look for a passkey: %w", err)
	}
	return has, nil
}

// keepAWay answers errLastWay when nothing is left by which the user could sign in. It holds the account, so that two ways cannot go
// at the same time.
func (s *Service) keepAWay(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	held, _, err := s.users.HoldByID(ctx, tx, user)
	if err != nil || held.Password {
		return err
	}
	if has, err := s.HasPasskey(ctx, tx, user); err != nil || has {
		return err
	}
	if s.OtherWay != nil {
		if other, err := s.OtherWay(ctx, tx, user); err != nil || other {
			return err
		}
	}
	return errLastWay
}
