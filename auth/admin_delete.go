package auth

import (
	"context"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

var errSuspended = problem.New(http.StatusConflict, "This account is suspended. Reactivate it first.")

// Delete removes an account for good: what hangs on it alone goes, and what others share is theirs (Hooks.MayDelete says how). The
// address is free at once.
func (s *Service) Delete(ctx context.Context, by Actor, id uuid.UUID) error {
	return s.remove(ctx, by, id, func(context.Context, *postgres.Tx, User) error { return nil })
}

// remove is the one way in which an account goes. mayGo may refuse.
func (s *Service) remove(ctx context.Context, by Actor, id uuid.UUID, mayGo func(context.Context, *postgres.Tx, User) error) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := lockAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := mayGo(ctx, tx, a.User); err != nil {
			return err
		}
		if err := s.checkSuperusers(ctx, tx, a.User, User{}); err != nil {
			return err
		}
		if err := s.endAll(ctx, tx, id); err != nil {
			return err
		}
		if s.cfg.Hooks.MayDelete != nil {
			if err := s.cfg.Hooks.MayDelete(ctx, tx, a.User); err != nil {
				return err
			}
		}
		return deleteUser(ctx, tx, by, a.User)
	})
}

// deleteUser records the deletion without the address, which is gone with the account, and has every replica forget the user.
func deleteUser(ctx context.Context, tx *postgres.Tx, by Actor, u User) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, u.ID); err != nil {
		return fmt.Errorf("delete a user: %w", err)
	}
	entry := audit.Entry{ActorID: by.ID, Actor: by.Name, Action: "user.delete", Object: u.ID.String()}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, u.ID)
}
