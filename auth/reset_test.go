package auth_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

const otherPassword = "battery staple"

func TestAForgottenPasswordIsSetByAMailedLink(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	register(t, s, "Ann@example.com")
	cookie := browse(t, s, "ann@example.com")
	secret := forgot(t, s, box, " aNN@EXAMPLE.com ")
	m := box.of("reset")[0]
	if m.To != "Ann@example.com" || m.Data["link"] != "https://agents.example.com/account/reset/"+secret {
		t.Fatalf("the mail is %+v", m)
	}
	if rows := one[int](t, db, `SELECT count(*) FROM one_time_tokens WHERE token_hash = sha256(convert_to($1, 'UTF8'))`, secret); rows != 1 {
		t.Error("the token is not kept as its SHA-256")
	}
	if err := s.ResetPassword(t.Context(), secret, otherPassword, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), cookie)
	refused(t, err, 401, "Unauthorized")
	_, err = s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	if _, err := s.Login(t.Context(), "ann@example.com", otherPassword, auth.Client{}); err != nil {
		t.Error(err)
	}
	if told := box.wait(t, "password-changed", 1); told.To != "Ann@example.com" || told.Data["time"] == "" {
		t.Errorf("the notice is %+v", told)
	}
	if lines := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'user.reset-password'`); lines != 1 {
		t.Errorf("%d lines in the audit log", lines)
	}
}

func TestAResetTokenDiesAsTheContractSays(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s, box := mailed(t, func(c *auth.Config) { c.Now = now.Now })
	ann := register(t, s, "ann@example.com")
	bad := func(what, token string) {
		t.Helper()
		err := s.ResetPassword(t.Context(), token, "short", auth.Client{})
		if err == nil || problem.Of(err).Detail != "RESET_PASSWORD_BAD_TOKEN" {
			t.Errorf("%s: %v", what, err)
		}
		if err := s.CheckReset(t.Context(), token); err == nil || problem.Of(err).Detail != "RESET_PASSWORD_BAD_TOKEN" {
			t.Errorf("%s, looked at: %v", what, err)
		}
	}
	first, second := forgot(t, s, box, "ann@example.com"), forgot(t, s, box, "ann@example.com")
	err := s.ResetPassword(t.Context(), first, "short", auth.Client{})
	if detail, _ := problem.Of(err).Detail.(map[string]string); detail["code"] != "RESET_PASSWORD_INVALID_PASSWORD" {
		t.Fatalf("a short password: %v", err)
	}
	if err := s.ResetPassword(t.Context(), first, otherPassword, auth.Client{}); err != nil {
		t.Fatalf("a refused password used the token up, or a newer token killed it: %v", err)
	}
	bad("used", first)
	bad("of the same time", second)

	third := forgot(t, s, box, "ann@example.com")
	execute(t, db, `UPDATE users SET is_active = false`)
	bad("of an inactive user", third)
	execute(t, db, `UPDATE users SET is_active = true`)
	session := identify(t, s, loginWith(t, s, "ann@example.com", otherPassword))
	again := goodPassword
	if _, err := s.UpdateMe(t.Context(), session, auth.Change{Password: &again}); err != nil {
		t.Fatal(err)
	}
	bad("from before another password", third)

	fourth := forgot(t, s, box, "ann@example.com")
	now.Advance(time.Hour)
	bad("too old", fourth)
	bad("empty", "")
	bad("long", strings.Repeat("A", 1<<20))
	bad("with blanks", " "+fourth)
	bad("of another kind", verification(t, s, box, "ann@example.com"))

	fifth := forgot(t, s, box, "ann@example.com")
	if err := s.Delete(t.Context(), auth.CommandLine(), ann.ID); err != nil {
		t.Fatal(err)
	}
	register(t, s, "ann@example.com")
	bad("of an account that is gone, for the one that has its address", fifth)
}

func TestAResetTokenOutlivesANewAddress(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	secret := forgot(t, s, box, "ann@example.com")
	changeEmail(t, s, login(t, s, "ann@example.com"), "nan@example.com")
	if err := s.ResetPassword(t.Context(), secret, otherPassword, auth.Client{}); err != nil {
		t.Error(err)
	}
	loginWith(t, s, "nan@example.com", otherPassword)
}

func TestForgotTellsNobodyAndSendsOnlyToKnownActiveUsers(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	register(t, s, "gone@example.com")
	register(t, s, "kelvin@example.com")
	execute(t, db, `UPDATE users SET is_active = false WHERE email = 'gone@example.com'`)
	for _, email := range []string{"nobody@example.com", "gone@example.com", "аnn@example.com", "ann@examp\u0142e.com"} {
		if err := s.ForgotPassword(t.Context(), email, auth.Client{}); err != nil {
			t.Errorf("%q: %v", email, err)
		}
		if err := s.RequestVerify(t.Context(), email, auth.Client{}); err != nil {
			t.Errorf("%q: %v", email, err)
		}
	}
	settled(t, s, box, "ann@example.com")
	for _, m := range append(box.of("reset"), box.of("verify")...) {
		if m.To != "ann@example.com" {
			t.Errorf("a mail went to %q", m.To)
		}
	}
	forgot(t, s, box, "\u212aelvin@example.com") // the Kelvin sign is a k without letter case
	if m := box.of("reset"); m[len(m)-1].To != "kelvin@example.com" {
		t.Errorf("the mail went to the letters of the request: %q", m[len(m)-1].To)
	}
	refused(t, s.ForgotPassword(t.Context(), "no address", auth.Client{}), 422, "")
}

// Of 200 who bring one token at the same time, one sets a password, and the account has exactly that one.
func TestOfManyUsesOfOneResetTokenOneSucceeds(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, func(c *auth.Config) { c.HashQueue = 1000 })
	register(t, s, "ann@example.com")
	secret := forgot(t, s, box, "ann@example.com")
	var wg sync.WaitGroup
	var succeeded atomic.Int32
	var winner atomic.Pointer[string]
	for i := range 200 {
		wg.Go(func() {
			chosen := strings.Repeat(string(rune('a'+i%26)), 10) + "-" + time.Duration(i).String()
			err := s.ResetPassword(context.Background(), secret, chosen, auth.Client{})
			switch {
			case err == nil:
				succeeded.Add(1)
				winner.Store(&chosen)
			case problem.Of(err).Detail != "RESET_PASSWORD_BAD_TOKEN":
				t.Errorf("one of the others got %v", err)
			}
		})
	}
	wg.Wait()
	if succeeded.Load() != 1 {
		t.Fatalf("%d succeeded", succeeded.Load())
	}
	loginWith(t, s, "ann@example.com", *winner.Load())
	if told := len(box.of("password-changed")); told != 1 {
		t.Errorf("%d notices", told)
	}
}

func TestWhatWasAskedForIsDoneBeforeTheServiceEnds(t *testing.T) {
	t.Parallel()
	box := &mailbox{}
	db, first := fresh(t, nil)
	register(t, first, "ann@example.com")
	s := auth.New(auth.Config{DB: db, JWTSecret: secret, Mail: box, Hash: cheap})
	for range 20 {
		if err := s.ForgotPassword(t.Context(), "ann@example.com", auth.Client{}); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	s.Close() // again, which does nothing
	if sent := len(box.of("reset")); sent != 20 {
		t.Errorf("%d of 20 were sent", sent)
	}
}

func TestOldTokensArePurged(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s, box := mailed(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	forgot(t, s, box, "ann@example.com")
	now.Advance(26 * time.Hour)
	forgot(t, s, box, "ann@example.com")
	if _, err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := one[int](t, db, `SELECT count(*) FROM one_time_tokens`); rows != 1 {
		t.Errorf("%d tokens are kept", rows)
	}
}

// slow is a mailbox that takes nothing until it is opened.
type slow struct {
	mailbox
	open chan struct{}
}

func (b *slow) Put(ctx context.Context, tx *postgres.Tx, m mail.Message) error {
	<-b.open
	return b.mailbox.Put(ctx, tx, m)
}

// However long it takes to find somebody and to write to them: the answer is there before, so its time tells nothing.
func TestNobodyWaitsForTheMailThatTheyAskFor(t *testing.T) {
	t.Parallel()
	box := &slow{open: make(chan struct{})}
	_, s := fresh(t, func(c *auth.Config) { c.Mail = box })
	register(t, s, "ann@example.com")
	if err := s.ForgotPassword(t.Context(), "ann@example.com", auth.Client{}); err != nil {
		t.Fatal(err)
	}
	if sent := len(box.of("reset")); sent != 0 {
		t.Fatalf("%d mails went through a closed mailbox", sent)
	}
	var err error
	for range 1000 { // until no more may wait, and then whoever asks is told so, known or not
		if err = s.ForgotPassword(t.Context(), "ann@example.com", auth.Client{}); err != nil {
			break
		}
	}
	refused(t, err, 503, "")
	refused(t, s.ForgotPassword(t.Context(), "nobody@example.com", auth.Client{}), 503, "")
	close(box.open)
	box.wait(t, "reset", 100)
}
