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

// emailChanged tells the old mailbox, and where only proved addresses may act, the new one how to prove itself.
func (s *Service) emailChanged(ctx context.Context, tx *postgres.Tx, by Actor, before, after User) error {
	if err := s.tellOldMailbox(ctx, tx, by, before, after); err != nil {
		return err
	}
	if s.MustVerify(after) && after.IsActive {
		return s.sendVerify(ctx, tx, after)
	}
	return nil
}

// tellOldMailbox lets it undo what the user did, or whoever had their session. What an administrator did stays: the old mailbox may be
// that of somebody who has left.
func (s *Service) tellOldMailbox(ctx context.Context, tx *postgres.Tx, by Actor, before, after User) error {
	if s.cfg.Mail == nil {
		return nil
	}
	data := map[string]string{"old": before.Email, "new": after.Email}
	if by.ID != before.ID {
		return s.mail(ctx, tx, before.Email, "email-changed-for-you", data)
	}
	now := s.cfg.Now()
	token, err := issueOneTime(ctx, tx, purposeRevert, before.ID, before.Email, undo{before.IsVerified}, now, now.Add(revertLifetime))
	if err != nil {
		return err
	}
	data["link"] = s.link("revert", token)
	return s.mail(ctx, tx, before.Email, "email-changed", data)
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

// RevertEmail gives an account the address back that the token was mailed to, and everything by which whoever changed it could come in
// again ends: the password, sessions, keys, what was linked since (Hooks.Reclaimed), mailed tokens, and the right of newer addresses to
// undo this. The link was in that mailbox, so the address is proved; a new link to choose a password goes there.
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
	if err := dropOneTime(ctx, tx, purposeVerify, u.ID); err != nil {
		return err
	}
	if err := dropRevertsSince(ctx, tx, u.ID, o.Created); err != nil {
		return err
	}
	if err := setHash(ctx, tx, u.ID, ""); err != nil { // whoever had the account may have chosen it, or know it
		return err
	}
	if err := s.endAll(ctx, tx, u.ID); err != nil {
		return err
	}
	return s.reclaimed(ctx, tx, u, o.Created)
}

func (s *Service) reclaimed(ctx context.Context, tx *postgres.Tx, u User, since time.Time) error {
	if s.cfg.Hooks.Reclaimed == nil {
		return nil
	}
	return s.cfg.Hooks.Reclaimed(ctx, tx, u, since)
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
