package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestOnlySoManyHashesRunAndWaitAndTheRestComesBackLater(t *testing.T) {
	t.Parallel()
	run, waiting := auth.NewGate(1, 1)
	release, running := make(chan struct{}), make(chan struct{})
	queued, entered := make(chan error, 1), make(chan error, 1)
	isWaiting := func() bool { return waiting() == 1 }
	go func() { _ = run(context.Background(), func() { close(running); <-release }) }()
	<-running

	ctx, leave := context.WithCancel(context.Background())
	go func() { queued <- run(ctx, func() {}) }()
	testtime.Eventually(t, 10*time.Second, "one waits", isWaiting)
	err := run(context.Background(), func() { t.Error("ran beside another") })
	refused(t, err, 503, "")
	if p := problem.Of(err); p.RetryAfter <= 0 || p.Cause != nil {
		t.Errorf("no word on when to come back, or only after a wait: %v, %v", p.RetryAfter, p.Cause)
	}

	leave()
	refused(t, <-queued, 503, "")
	go func() { entered <- run(context.Background(), func() {}) }() // takes the place in the queue that became free
	testtime.Eventually(t, 10*time.Second, "the next waits", isWaiting)
	close(release)
	if err := <-entered; err != nil {
		t.Error(err)
	}
}

func TestNewHashesHaveTheContractsParameters(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, func(c *auth.Config) { c.Hash = auth.HashParams{} })
	u := register(t, s, "ann@example.com")
	hash := one[string](t, db, `SELECT password_hash FROM users WHERE id = $1`, u.ID)
	const want = "$argon2id$v=19$m=65536,t=3,p=4$"
	if hash[:len(want)] != want {
		t.Errorf("got %s", hash)
	}
	login(t, s, "ann@example.com")
}

func TestHashesMadeElsewhereAreAcceptedAndRenewed(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, func(c *auth.Config) { c.Hash = auth.HashParams{Memory: 128, Passes: 2, Lanes: 1} })
	u := register(t, s, "ann@example.com")
	for _, hash := range []string{
		"$argon2id$v=19$m=64,t=1,p=1$XEQZtrJtc3/NoP0Z2YyrKA$LKY4l2gGSOYvHb4zC+ohDAa0TsGMb/PWRMhMOPGjRd4", // Python's argon2-cffi
		"$2b$04$OSz6PDQRHLUnr2TGszxGdup/V7mGr1Hq2ILZFUgPjt.Z/adHdeeZW",                                   // Python's bcrypt
	} {
		execute(t, db, `UPDATE users SET password_hash = $1`, hash)
		_, err := s.Login(t.Context(), "ann@example.com", "wrong horse", auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
		if kept := one[string](t, db, `SELECT password_hash FROM users WHERE id = $1`, u.ID); kept != hash {
			t.Errorf("a wrong password changed the hash to %s", kept)
		}
		login(t, s, "ann@example.com")
		const want = "$argon2id$v=19$m=128,t=2,p=1$"
		if renewed := one[string](t, db, `SELECT password_hash FROM users WHERE id = $1`, u.ID); renewed[:len(want)] != want {
			t.Errorf("not renewed: %s", renewed)
		}
		login(t, s, "ann@example.com")
	}
}

func TestADamagedHashIsAWrongPassword(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	for _, hash := range []string{"", "x", "$argon2id$v=19$m=64,t=1,p=1$AAAA$AAAA", "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", "$2b$04$x"} {
		execute(t, db, `UPDATE users SET password_hash = $1`, hash)
		_, err := s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	}
}
