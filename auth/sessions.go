package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// EndAll ends all sessions of a user, and every sign-in that is under way, in the transaction of what makes them end: a new
// password, a suspension. API keys stay. Replicas follow when the transaction commits.
func (s *Service) EndAll(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	return s.EndOthers(ctx, tx, user, uuid.Nil)
}

// EndOthers is EndAll, but one session stays: the one that asked for the change.
func (s *Service) EndOthers(ctx context.Context, tx *postgres.Tx, user, keep uuid.UUID) error {
	if err := nextEpoch(ctx, tx, user); err != nil { // first: it waits for whoever is just being signed in, and they are seen below
		return err
	}
	if err := dropOneTime(ctx, tx, purposeChallenge, user); err != nil {
		return err
	}
	if err := endSessions(ctx, tx, user, keep, s.cfg.Now()); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, user)
}

// nextEpoch makes worthless what was proved before.
func nextEpoch(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET sign_in_epoch = sign_in_epoch + 1 WHERE id = $1`, user); err != nil {
		return fmt.Errorf("end the sign-ins under way: %w", err)
	}
	return nil
}
