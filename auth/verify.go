package auth

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// CheckVerify says whether the token could be used now.
func (s *Service) CheckVerify(ctx context.Context, token string) error {
	o, err := peekOneTime(ctx, s.db, purposeVerify, token, s.cfg.Now())
	if err != nil {
		return orBadToken(err, errBadVerify)
	}
	a, err := accountByID(ctx, s.db, o.User, "")
	if err != nil {
		return postgres.Problem(err)
	}
	return verifiable(a, o)
}

// Verify takes a mailed token as the proof that the user's address is theirs. It works while the address is the one that the mail
// went to, for inactive users, too; once the address is proved, the token only says so.
func (s *Service) Verify(ctx context.Context, token string, from Client) (User, error) {
	if err := s.admit(ctx, actVerify, "", from); err != nil {
		return User{}, err
	}
	o, err := peekOneTime(ctx, s.db, purposeVerify, token, s.cfg.Now())
	if err != nil {
		return User{}, orBadToken(err, errBadVerify)
	}
	var u User
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := accountByID(ctx, tx, o.User, forUpdate)
		if err != nil {
			return err
		}
		if err := verifiable(a, o); err != nil {
			return err
		}
		u = a.User
		u.IsVerified = true
		return s.proveAddress(ctx, tx, u)
	})
	return u, err
}

// verifiable judges a token against the account as it is now.
func verifiable(a account, o oneTime) error {
	switch {
	case a.ID == uuid.Nil || emailKey(a.Email) != emailKey(o.Email):
		return errBadVerify
	case a.IsVerified:
		return errAlreadyVerified
	}
	return nil
}

// proveAddress also ends what an earlier address, that was never proved, could still undo.
func (s *Service) proveAddress(ctx context.Context, tx *postgres.Tx, u User) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET is_verified = true WHERE id = $1`, u.ID); err != nil {
		return fmt.Errorf("note that an address is proved: %w", err)
	}
	if err := dropUnprovedReverts(ctx, tx, u.ID); err != nil {
		return err
	}
	entry := audit.Entry{ActorID: u.ID, Actor: u.Email, Action: "user.verify", Object: u.ID.String()}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, u.ID)
}
