package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// CheckReset says whether the token could be used now.
func (s *Service) CheckReset(ctx context.Context, token string) error {
	_, err := s.resetting(ctx, token)
	return err
}

// ResetPassword uses a mailed token up and sets the password. The token is judged before the password, and a password that is
// refused leaves the token good. Everything that the account was signed in with ends; where its address was never proved, so do its keys
// and what is linked to it.
func (s *Service) ResetPassword(ctx context.Context, token, password string, from Client) error {
	if err := s.admit(ctx, actReset, "", from); err != nil {
		return err
	}
	a, err := s.resetting(ctx, token)
	if err != nil {
		return err
	}
	if err := s.checkPassword(ctx, "RESET_PASSWORD_INVALID_PASSWORD", password, a.Email); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.db.InTx(ctx, func(tx *postgres.Tx) error { return s.reset(ctx, tx, a.ID, token, hash) }); err != nil {
		return err
	}
	s.succeeded(ctx, actLogin, a.Email, from) // who reads the mailbox need not wait for others' guesses
	return nil
}

// resetting returns whose password the token would set.
func (s *Service) resetting(ctx context.Context, token string) (account, error) {
	o, err := peekOneTime(ctx, s.db, purposeReset, token, s.cfg.Now())
	if err != nil {
		return account{}, orBadToken(err, errBadReset)
	}
	a, err := accountByID(ctx, s.db, o.User, "")
	if err != nil {
		return account{}, postgres.Problem(err)
	}
	if !a.IsActive {
		return account{}, errBadReset
	}
	return a, nil
}

// reset locks the account before the token, as every change of a password does: nobody waits in a circle.
func (s *Service) reset(ctx context.Context, tx *postgres.Tx, user uuid.UUID, token, hash string) error {
	a, err := accountByID(ctx, tx, user, forUpdate)
	if err != nil {
		return err
	}
	if _, err := useOneTime(ctx, tx, purposeReset, token, s.cfg.Now()); err != nil || !a.IsActive {
		return orBadToken(err, errBadReset)
	}
	if err := setHash(ctx, tx, user, hash); err != nil {
		return err
	}
	entry := audit.Entry{ActorID: user, Actor: a.Email, Action: "user.reset-password", Object: user.String()}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	if err := s.passwordChanged(ctx, tx, a.User, uuid.Nil); err != nil || a.IsVerified {
		return err
	}
	return s.dispossess(ctx, tx, a.User)
}

// dispossess is for an account whose address nobody had proved: somebody may have made it to wait for the owner of the address, who is
// here now. What they left there to come in again ends; second factors are for Hooks.Reclaimed to keep.
func (s *Service) dispossess(ctx context.Context, tx *postgres.Tx, u User) error {
	if err := s.endAll(ctx, tx, u.ID); err != nil {
		return err
	}
	return s.reclaimed(ctx, tx, u, time.Time{})
}

// passwordChanged is what follows a new password: the other sessions and the reset tokens end, and the user is told.
func (s *Service) passwordChanged(ctx context.Context, tx *postgres.Tx, u User, keep uuid.UUID) error {
	if err := dropOneTime(ctx, tx, purposeReset, u.ID); err != nil {
		return err
	}
	if err := s.EndOthers(ctx, tx, u.ID, keep); err != nil {
		return err
	}
	return s.mail(ctx, tx, u.Email, "password-changed", map[string]string{"time": s.cfg.Now().UTC().Format("2 January 2006, 15:04 UTC")})
}

func setHash(ctx context.Context, tx *postgres.Tx, user uuid.UUID, hash string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = $2 WHERE id = $1`, user, hash); err != nil {
		return fmt.Errorf("set a password: %w", err)
	}
	return nil
}

// orBadToken answers for a token that is none, and passes on what is wrong with the database. nil means that the token was good
// and what it stands for is not.
func orBadToken(err, bad error) error {
	if err == nil || errors.Is(err, errNoOneTime) {
		return bad
	}
	return postgres.Problem(err)
}
