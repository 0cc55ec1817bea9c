package auth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// revertLifetime is how long the old mailbox can undo a change of the address.
const revertLifetime = 7 * 24 * time.Hour

var (
	errRevertGone = problem.New(http.StatusGone, "This link was used, has run out, or the change was undone already. "+
		"If you cannot sign in, ask an administrator.")
	errRevertTaken = problem.New(http.StatusConflict,
		"The address has another account by now, so it cannot be given back. Ask an administrator.")
)

// undo is what a revert token remembers.
type undo struct {
	Verified bool `json:"verified"` // the old address was proved
}

// emailChanged tells the old mailbox, which can undo it, and where only proved addresses may act, the new one how to prove itself.
func (s *Service) emailChanged(ctx context.Context, tx *postgres.Tx, before, after User) error {
	if s.cfg.Mail != nil {
		now := s.cfg.Now()
		token, err := issueOneTime(ctx, tx, purposeRevert, before.ID, before.Email, undo{before.IsVerified}, now, now.Add(revertLifetime))
		if err != nil {
			return err
		}
		data := map[string]string{"old": before.Email, "new": after.Email, "link": s.link("revert", token)}
		if err := s.mail(ctx, tx, before.Email, "email-changed", data); err != nil {
			return err
		}
	}
	if s.MustVerify(after) && after.IsActive {
		return s.sendVerify(ctx, tx, after)
	}
	return nil
}

// MustVerify says whether the user has to prove their address before they may do anything.
func (s *Service) MustVerify(u User) bool { return s.cfg.RequireVerified && !u.IsVerified }

// CheckRevert says whether the token could be used now.
func (s *Service) CheckRevert(ctx context.Context, token string) error {
	if _, err := peekOneTime(ctx, s.db, purposeRevert, token, s.cfg.Now()); err != nil {
		return orBadToken(err, errRevertGone)
	}
	return nil
}

// RevertEmail gives an account the address back that the token was mailed to, and everything that came of the change ends: the
// sessions, mailed tokens, and the right of newer addresses to undo this. The link was in that mailbox, so the address is proved;
// a new link to choose a password goes there.
func (s *Service) RevertEmail(ctx context.Context, token string) (User, error) {
	o, err := peekOneTime(ctx, s.db, purposeRevert, token, s.cfg.Now())
	if err != nil {
		return User{}, orBadToken(err, errRevertGone)
	}
	var u User
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		a, err := accountByID(ctx, tx, o.User, forUpdate)
		if err != nil {
			return err
		}
		if _, err := useOneTime(ctx, tx, purposeRevert, token, s.cfg.Now()); err != nil || a.ID == uuid.Nil {
			return orBadToken(err, errRevertGone)
		}
		u, err = s.revert(ctx, tx, a.User, o)
		return err
	})
	return u, err
}

func (s *Service) revert(ctx context.Context, tx *postgres.Tx, u User, o oneTime) (User, error) {
	changed := u.Email
	u.Email, u.IsVerified = o.Email, true
	if err := saveUser(ctx, tx, u); err != nil {
		if pq.As(err, pqerror.UniqueViolation) != nil {
			return u, errRevertTaken
		}
		return u, err
	}
	if err := s.endChanged(ctx, tx, u, o); err != nil {
		return u, err
	}
	entry := audit.Entry{
		ActorID: u.ID, Actor: u.Email, Action: "user.revert-email", Object: u.ID.String(),
		Detail: map[string]any{"email": map[string]string{"old": changed, "new": u.Email}},
	}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return u, err
	}
	if !u.IsActive {
		return u, nil
	}
	return u, s.sendReset(ctx, tx, u)
}

func (s *Service) endChanged(ctx context.Context, tx *postgres.Tx, u User, o oneTime) error {
	for _, purpose := range []string{purposeReset, purposeVerify} {
		if err := dropOneTime(ctx, tx, purpose, u.ID); err != nil {
			return err
		}
	}
	if err := dropRevertsSince(ctx, tx, u.ID, o.Created); err != nil {
		return err
	}
	return s.EndAll(ctx, tx, u.ID)
}

func dropRevertsSince(ctx context.Context, tx *postgres.Tx, user uuid.UUID, since time.Time) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM one_time_tokens
		WHERE user_id = $1 AND purpose = $2 AND created_at >= $3`, user, purposeRevert, since)
	if err != nil {
		return fmt.Errorf("drop newer revert tokens: %w", err)
	}
	return nil
}

// dropUnprovedReverts takes the right to undo from addresses that nobody had proved: whoever reads the mail of an address that was
// mistyped must not get the account once its owner has proved the right one.
func dropUnprovedReverts(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM one_time_tokens
		WHERE user_id = $1 AND purpose = $2 AND NOT (data ->> 'verified')::boolean`, user, purposeRevert)
	if err != nil {
		return fmt.Errorf("drop revert tokens of unproved addresses: %w", err)
	}
	return nil
}
