package auth

import (
	"context"
	"net/url"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// How long what is mailed is good: the contract's hour.
const (
	resetLifetime  = time.Hour
	verifyLifetime = time.Hour
)

// ForgotPassword mails a link to choose a new password, to a known active user only. Whoever asks learns nothing of that, neither
// by the answer nor by its time.
func (s *Service) ForgotPassword(ctx context.Context, email string, from Client) error {
	return s.mailTo(ctx, actForgot, email, from, func(ctx context.Context, tx *postgres.Tx, a account) error {
		return s.sendReset(ctx, tx, a.User)
	})
}

// RequestVerify mails a link that proves the address, to a known active user who has not proved it yet. It tells as little as
// ForgotPassword.
func (s *Service) RequestVerify(ctx context.Context, email string, from Client) error {
	return s.mailTo(ctx, actVerify, email, from, func(ctx context.Context, tx *postgres.Tx, a account) error {
		if a.IsVerified {
			return nil
		}
		return s.sendVerify(ctx, tx, a.User)
	})
}

// sendMail sends what there is to send to an account that is known and active.
type sendMail func(ctx context.Context, tx *postgres.Tx, a account) error

// mailTo does the same, for those whose address is known and for others: the look into the database, too, comes after the answer.
func (s *Service) mailTo(ctx context.Context, action, email string, from Client, send sendMail) error {
	parsed, err := ParseEmail(email)
	if err != nil {
		return problem.Fields(EmailFaults(email)...)
	}
	if err := s.admit(ctx, action, parsed, from); err != nil {
		if banned(err) { // who is banned learns nothing of it, and gets no mail
			return nil
		}
		return err
	}
	return s.errands.add(action, func(ctx context.Context) error {
		return s.db.InTx(ctx, func(tx *postgres.Tx) error {
			a, err := accountByKey(ctx, tx, parsed)
			if err != nil || !a.IsActive {
				return err
			}
			return send(ctx, tx, a)
		})
	})
}

// sendReset goes to the address that is stored, whatever letters the request had.
func (s *Service) sendReset(ctx context.Context, tx *postgres.Tx, u User) error {
	return s.sendLink(ctx, tx, u, purposeReset, resetLifetime)
}

func (s *Service) sendVerify(ctx context.Context, tx *postgres.Tx, u User) error {
	return s.sendLink(ctx, tx, u, purposeVerify, verifyLifetime)
}

// sendLink mails a link whose template, page and purpose have one name.
func (s *Service) sendLink(ctx context.Context, tx *postgres.Tx, u User, purpose string, lifetime time.Duration) error {
	if s.cfg.Mail == nil {
		return nil
	}
	now := s.cfg.Now()
	token, err := issueOneTime(ctx, tx, purpose, u.ID, u.Email, nil, now, now.Add(lifetime))
	if err != nil {
		return err
	}
	return s.cfg.Mail.Put(ctx, tx, mail.Message{
		To: u.Email, Template: purpose, Data: map[string]string{"link": s.link(purpose, token)}, Until: now.Add(lifetime),
	})
}

// link is the address of a page that uses a token up.
func (s *Service) link(page, token string) string {
	return s.cfg.PublicURL + "/account/" + page + "/" + url.PathEscape(token)
}

func (s *Service) mail(ctx context.Context, tx *postgres.Tx, to, template string, data map[string]string) error {
	if s.cfg.Mail == nil {
		return nil
	}
	return s.cfg.Mail.Put(ctx, tx, mail.Message{To: to, Template: template, Data: data})
}
