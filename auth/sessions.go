package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
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

// Stands answers problem.Unauthorized when the session that asks has ended meanwhile. It is for what a session leaves behind, such as a
// key, in the transaction that makes it and holds the account: nothing must come after all of the account's sessions were ended.
func (s *Service) Stands(ctx context.Context, tx *postgres.Tx, session uuid.UUID) error {
	var stands bool
	err := tx.GetContext(ctx, &stands, `SELECT EXISTS (SELECT FROM sessions WHERE id = $1 AND ended_at IS NULL)`, session)
	if err != nil {
		return fmt.Errorf("look whether a session stands: %w", err)
	}
	if !stands {
		return problem.Unauthorized
	}
	return nil
}

// nextEpoch makes worthless what was proved before.
func nextEpoch(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET sign_in_epoch = sign_in_epoch + 1 WHERE id = $1`, user); err != nil {
		return fmt.Errorf("end the sign-ins under way: %w", err)
	}
	return nil
}
