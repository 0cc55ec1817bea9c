package main

import (
	"context"
	"path/filepath"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

// inboxPort is where the inbox is when nobody else is there.
const inboxPort = 8025

// mail starts an SMTP server that keeps all mails in an inbox, unless the user has a server.
func (w *world) mail(ctx context.Context, program string) (summary string, err error) {
	if w.env.has("SMTP_URL") {
		return "  mail      goes out by your SMTP_URL\n", nil
	}
	inbox, err := stack.StartInbox(ctx, stack.InboxOptions{Mailpit: program, DataDir: filepath.Join(w.data, "mail"), PagePort: inboxPort})
	if err != nil {
		return "", err
	}
	w.stops = append(w.stops, inbox.Stop)
	w.env["SMTP_URL"] = inbox.SMTPURL()
	w.env.suggest("MAIL_FROM", "OpenHands <openhands@example.com>")
	return "  mail      nothing leaves this machine; every mail is at " + inbox.URL() + "\n", nil
}
