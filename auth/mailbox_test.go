package auth_test

import (
	"context"
	"path"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// mailbox keeps what would have been sent.
type mailbox struct {
	mu   sync.Mutex
	sent []mail.Message
}

func (b *mailbox) Put(_ context.Context, _ *postgres.Tx, m mail.Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, m)
	return nil
}

// of returns the mails of a template, in the order in which they were sent.
func (b *mailbox) of(template string) (found []mail.Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.sent {
		if m.Template == template {
			found = append(found, m)
		}
	}
	return found
}

// wait returns the n-th mail of a template, once it is there.
func (b *mailbox) wait(t *testing.T, template string, n int) mail.Message {
	t.Helper()
	testtime.Eventually(t, 10*time.Second, "a mail "+template+" is sent", func() bool { return len(b.of(template)) >= n })
	return b.of(template)[n-1]
}

// token is what the link of a mail ends with.
func token(m mail.Message) string { return path.Base(m.Data["link"]) }

// mailed makes a service that sends to a mailbox.
func mailed(t *testing.T, change func(*auth.Config)) (*postgres.DB, *auth.Service, *mailbox) {
	t.Helper()
	box := &mailbox{}
	db, s := fresh(t, func(c *auth.Config) {
		c.Mail, c.PublicURL = box, "https://agents.example.com"
		if change != nil {
			change(c)
		}
	})
	return db, s, box
}

// forgot asks for a reset mail and returns its token.
func forgot(t *testing.T, s *auth.Service, box *mailbox, email string) string {
	t.Helper()
	before := len(box.of("reset"))
	if err := s.ForgotPassword(t.Context(), email, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	return token(box.wait(t, "reset", before+1))
}

// verification asks for a mail that proves the address and returns its token.
func verification(t *testing.T, s *auth.Service, box *mailbox, email string) string {
	t.Helper()
	before := len(box.of("verify"))
	if err := s.RequestVerify(t.Context(), email, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	return token(box.wait(t, "verify", before+1))
}

// settled returns once nothing that was asked for before is still to be done: a mail to somebody known comes last.
func settled(t *testing.T, s *auth.Service, box *mailbox, known string) {
	t.Helper()
	for range 4 { // as each of the workers could still be busy with what came before
		forgot(t, s, box, known)
	}
}
