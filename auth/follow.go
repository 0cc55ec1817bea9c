package auth

import (
	"cmp"
	"context"
	"fmt"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// follow does what a change of an account brings with it, in its transaction.
func (s *Service) follow(ctx context.Context, tx *postgres.Tx, u updating, before, after User) error {
	if u.hash != "" {
		if err := s.newPassword(ctx, tx, u, after); err != nil {
			return err
		}
	}
	if before.Email != after.Email {
		if err := s.emailChanged(ctx, tx, u.by, before, after); err != nil {
			return err
		}
	}
	if err := s.rightsChanged(ctx, tx, before, after); err != nil {
		return err
	}
	if err := audit.Record(ctx, tx, u.entry(before, after)); err != nil {
		return err
	}
	return tx.Notify(postgres.TopicUser, after.ID)
}

func (s *Service) newPassword(ctx context.Context, tx *postgres.Tx, u updating, user User) error {
	if err := setHash(ctx, tx, user.ID, u.hash); err != nil {
		return err
	}
	return s.passwordChanged(ctx, tx, user, u.keep)
}

// rightsChanged ends for good what a deactivated user was signed in with, and keeps the books of superusers.
func (s *Service) rightsChanged(ctx context.Context, tx *postgres.Tx, before, after User) error {
	if before.IsActive && !after.IsActive {
		if err := s.endAll(ctx, tx, after.ID); err != nil {
			return err
		}
	}
	return s.checkSuperusers(ctx, tx, before, after)
}

// entry is the line of the audit log: which fields changed, and of addresses and rights also how. No password is among it.
func (u updating) entry(before, after User) audit.Entry {
	detail := map[string]any{}
	if before.Email != after.Email {
		detail["email"] = map[string]string{"old": before.Email, "new": after.Email}
	}
	for name, flag := range map[string][2]bool{
		"is_active":    {before.IsActive, after.IsActive},
		"is_superuser": {before.IsSuperuser, after.IsSuperuser},
		"is_verified":  {before.IsVerified, after.IsVerified},
	} {
		if flag[0] != flag[1] {
			detail[name] = flag[1]
		}
	}
	if u.hash != "" {
		detail["password"] = "changed"
	}
	if !sameText(before.Name, after.Name) || !sameText(before.AvatarURL, after.AvatarURL) {
		detail["profile"] = "changed"
	}
	return audit.Entry{ActorID: u.by.ID, Actor: u.by.Name, Action: cmp.Or(u.action, "user.update"), Object: after.ID.String(), Detail: detail}
}

func saveUser(ctx context.Context, tx *postgres.Tx, u User) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE users
		SET email = $2, email_key = $3, name = $4, avatar_url = $5, is_active = $6, is_superuser = $7, is_verified = $8
		WHERE id = $1`, u.ID, u.Email, emailKey(u.Email), u.Name, u.AvatarURL, u.IsActive, u.IsSuperuser, u.IsVerified)
	if err != nil {
		return fmt.Errorf("change a user: %w", err)
	}
	return nil
}
