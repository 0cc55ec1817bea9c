package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// composeMail makes the outbox, if there are keys to seal what it holds.
func (a *App) composeMail() error {
	if a.keys == nil {
		return nil
	}
	cfg := mail.Config{DB: a.db(), Seal: a.keys, Site: a.siteURL(), Log: a.log}
	if a.cfg.SMTPURL != "" {
		var err error
		if cfg.Sender, err = mail.NewSender(a.cfg.SMTPURL.Reveal(), a.cfg.MailFrom); err != nil {
			return fmt.Errorf("SMTP_URL and MAIL_FROM: %w", err)
		}
	}
	a.outbox = mail.New(cfg)
	return nil
}

// mailer is the outbox for those who put mails; none without keys.
func (a *App) mailer() auth.Mailer {
	if a.outbox == nil {
		return nil
	}
	return a.outbox
}

// siteURL is where links in mails lead.
func (a *App) siteURL() string {
	if a.listener == nil {
		return a.cfg.PublicURL
	}
	return a.baseURL()
}

// sayWhereMailsWait tells operators of a server without SMTP that nobody gets a mail from it.
func (a *App) sayWhereMailsWait() {
	if a.cfg.SMTPURL != "" {
		return
	}
	const text = "SMTP_URL is not set: mails wait in the outbox and reach nobody; openhands-saas mail list shows them"
	if a.cfg.RequireVerified {
		a.log.Warn(text + ". REQUIRE_VERIFIED is on: new people can sign in only when an operator hands them their link, or runs openhands-saas user verify")
		return
	}
	a.log.Info(text)
}

// MailList prints the mails that are not sent.
func (t *Tools) MailList(ctx context.Context, limit int, out io.Writer) error {
	waiting, err := t.app.outbox.Pending(ctx, limit)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		_, err := fmt.Fprintln(out, "no mail waits")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "ID\tTO\tMAIL\tAGE\tATTEMPTS\tSTATE\n")
	for _, m := range waiting {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", m.ID, m.To, m.Template, age(time.Since(m.CreatedAt)), m.Attempts, t.stateOfMail(m))
	}
	return w.Flush()
}

func age(d time.Duration) string {
	if d >= time.Hour {
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return d.Round(time.Second).String()
}

func (t *Tools) stateOfMail(m mail.Waiting) string {
	switch {
	case m.FailedAt != nil:
		return "given up: " + m.LastError
	case m.LastError != "":
		return "tried again at " + m.NextAttempt.UTC().Format(time.RFC3339) + ": " + m.LastError
	case t.app.cfg.SMTPURL == "":
		return "waits for SMTP_URL"
	}
	return "waits"
}

// MailShow prints a mail that is not sent, with its link.
func (t *Tools) MailShow(ctx context.Context, id uuid.UUID, out io.Writer) error {
	m, content, err := t.app.outbox.Show(ctx, id)
	if err != nil {
		return err
	}
	if err := t.recordMail(ctx, "mail.show", id, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "To: %s\nSubject: %s\nDate: %s\n\n%s", m.To, content.Subject, m.CreatedAt.UTC().Format(time.RFC1123Z), content.Text)
	return err
}

// MailRetry has a mail tried again at once.
func (t *Tools) MailRetry(ctx context.Context, id uuid.UUID, out io.Writer) error {
	err := t.recordMail(ctx, "mail.retry", id, func(tx *postgres.Tx) error { return t.app.outbox.Retry(ctx, tx, id) })
	if err != nil {
		return err
	}
	text := "a running server tries it now"
	if t.app.cfg.SMTPURL == "" {
		text = "it goes out once a server runs with SMTP_URL"
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

func (t *Tools) recordMail(ctx context.Context, action string, id uuid.UUID, also func(*postgres.Tx) error) error {
	return t.app.db().InTx(ctx, func(tx *postgres.Tx) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		return audit.Record(ctx, tx, audit.Entry{Actor: commandLine, Action: action, Object: id.String()})
	})
}

// ErrNoSMTP is the answer where a mail is to go out and there is no way.
var ErrNoSMTP = errors.New("SMTP_URL is not set, so nothing can be sent: set it and MAIL_FROM")

// TestMail sends a mail at once, past the outbox and without a database, and says what the server answered.
func TestMail(ctx context.Context, cfg *config.Config, to string, out io.Writer) error {
	if cfg.SMTPURL == "" {
		return ErrNoSMTP
	}
	sender, err := mail.NewSender(cfg.SMTPURL.Reveal(), cfg.MailFrom)
	if err != nil {
		return fmt.Errorf("SMTP_URL and MAIL_FROM: %w", err)
	}
	if err := sender.Test(ctx, cfg.PublicURL, to); err != nil {
		return fmt.Errorf("%s: %w", sender.Server(), err)
	}
	_, err = fmt.Fprintf(out, "%s took the mail for %s; look for it there, also among spam\n", sender.Server(), to)
	return err
}
