package auth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// limited is a service with limits, whose time stands still unless the test moves it.
func limited(t *testing.T) (*auth.Service, *ratelimit.Limiter, *testtime.Clock, *mailbox) {
	t.Helper()
	db, c, mails := dbtest.New(t), testtime.NewClock(), &mailbox{}
	l := ratelimit.New(ratelimit.Config{DB: db, Secret: secret, Now: c.Now})
	return serve(t, db, func(cfg *auth.Config) { cfg.Limits, cfg.Now, cfg.Mail = l, c.Now, mails }), l, c, mails
}

var (
	ann     = auth.Client{IP: "203.0.113.1"}
	mallory = auth.Client{IP: "198.51.100.1"}
)

func TestGuessesAtAPasswordAreSlowedDown(t *testing.T) {
	t.Parallel()
	s, _, c, _ := limited(t)
	register(t, s, "ann@example.com")
	for range 4 {
		_, err := s.Login(t.Context(), "Ann@EXAMPLE.com", "wrong", mallory)
		refused(t, err, http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	}
	_, err := s.Login(t.Context(), "ann@example.com", goodPassword, mallory)
	refused(t, err, http.StatusTooManyRequests, "You tried this too often. Wait a second, then try again.")
	if wait := problem.Of(err).RetryAfter; wait != time.Second {
		t.Errorf("Retry-After is %v", wait)
	}
	c.Advance(time.Second)
	if _, err := s.Login(t.Context(), "ann@example.com", goodPassword, mallory); err != nil {
		t.Errorf("after the pause: %v", err)
	}
}

func TestWhoIsUnknownIsSlowedDownAsWhoIsKnown(t *testing.T) {
	t.Parallel()
	s, _, _, _ := limited(t)
	register(t, s, "ann@example.com")
	var answers [2][]int
	for n, email := range []string{"ann@example.com", "nobody@example.com"} {
		for range 12 {
			_, err := s.Login(t.Context(), email, "wrong", auth.Client{})
			answers[n] = append(answers[n], problem.Of(err).Status)
		}
	}
	for n := range answers[0] {
		if answers[0][n] != answers[1][n] {
			t.Fatalf("known: %v, unknown: %v", answers[0], answers[1])
		}
	}
}

func TestWhoIsBannedDoesNotLearnOfIt(t *testing.T) {
	t.Parallel()
	s, l, _, mails := limited(t)
	register(t, s, "ann@example.com")
	before := login(t, s, "ann@example.com")
	if err := l.Ban(t.Context(), ratelimit.KindIP, mallory.IP, time.Hour, "test", "test"); err != nil {
		t.Fatal(err)
	}
	_, err := s.Login(t.Context(), "ann@example.com", goodPassword, mallory)
	refused(t, err, http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	_, _, err = s.OpenBrowser(t.Context(), "ann@example.com", goodPassword, mallory)
	refused(t, err, http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	if err := s.ForgotPassword(t.Context(), "ann@example.com", mallory); err != nil {
		t.Errorf("forgot: %v", err)
	}
	if _, err := s.Login(t.Context(), "ann@example.com", goodPassword, ann); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
	identify(t, s, before) // who is signed in goes on
	if err := s.ForgotPassword(t.Context(), "ann@example.com", ann); err != nil {
		t.Errorf("forgot, from elsewhere: %v", err)
	}
	mails.wait(t, "reset", 1)
	if len(mails.of("reset")) != 1 {
		t.Error("somebody banned has a mail sent")
	}
}

func TestGuessesWhileBannedDoNotMakeTheOwnerWait(t *testing.T) {
	t.Parallel()
	s, l, _, _ := limited(t)
	register(t, s, "ann@example.com")
	if err := l.Ban(t.Context(), ratelimit.KindIP, mallory.IP, time.Hour, "test", "test"); err != nil {
		t.Fatal(err)
	}
	for range 8 {
		_, err := s.Login(t.Context(), "ann@example.com", "wrong", mallory)
		refused(t, err, http.StatusBadRequest, "LOGIN_BAD_CREDENTIALS")
	}
	if _, err := s.Login(t.Context(), "ann@example.com", goodPassword, ann); err != nil {
		t.Error(err)
	}
}

func TestEveryRouteOfStrangersHasALimit(t *testing.T) {
	t.Parallel()
	s, _, _, _ := limited(t)
	register(t, s, "ann@example.com")
	ctx := t.Context()
	tries := map[string]func(n int) error{
		"login": func(int) error { _, err := s.Login(ctx, "a@example.com", "x", mallory); return err },
		"register": func(int) error {
			_, err := s.Register(ctx, auth.Registration{Email: "ann@example.com", From: mallory})
			return err
		},
		"forgot":         func(int) error { return s.ForgotPassword(ctx, "ann@example.com", mallory) },
		"request-verify": func(int) error { return s.RequestVerify(ctx, "ann@example.com", mallory) },
		"reset":          func(int) error { return s.ResetPassword(ctx, "x", goodPassword, mallory) },
		"verify":         func(int) error { _, err := s.Verify(ctx, "x", mallory); return err },
		"refresh":        func(int) error { _, err := s.Refresh(ctx, "x", mallory); return err },
	}
	for what, try := range tries {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for n := range 200 {
				switch p := problem.Of(try(n)); {
				case p.Status == http.StatusTooManyRequests:
					if p.RetryAfter <= 0 {
						t.Error("no Retry-After")
					}
					return
				case p.Status == http.StatusInternalServerError && p.Cause != nil:
					t.Fatal(p)
				}
			}
			t.Error("200 tries passed")
		})
	}
}

func TestWhoChoosesANewPasswordByMailNeedNotWait(t *testing.T) {
	t.Parallel()
	c := testtime.NewClock()
	_, s, box := mailed(t, func(cfg *auth.Config) {
		cfg.Now, cfg.Limits = c.Now, ratelimit.New(ratelimit.Config{DB: cfg.DB, Secret: secret, Now: c.Now})
	})
	register(t, s, "ann@example.com")
	for range 20 {
		_, err := s.Login(t.Context(), "ann@example.com", "wrong", mallory)
		if p := problem.Of(err); p.RetryAfter < time.Minute {
			c.Advance(p.RetryAfter)
		}
	}
	_, err := s.Login(t.Context(), "ann@example.com", goodPassword, ann)
	refused(t, err, http.StatusTooManyRequests, "")
	if err := s.ResetPassword(t.Context(), forgot(t, s, box, "ann@example.com"), otherPassword, ann); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Login(t.Context(), "ann@example.com", otherPassword, ann); err != nil {
		t.Error(err)
	}
}

// Whoever names an address as their own, and then another, has a mail sent to the first.
func TestNobodyIsBuriedInMailByChangesOfAnAddress(t *testing.T) {
	t.Parallel()
	s, _, _, _ := limited(t)
	register(t, s, "mallory@example.com")
	id := identify(t, s, login(t, s, "mallory@example.com"))
	changed := 0
	for n := range 12 {
		email := []string{"ann@example.com", "mallory@example.com"}[n%2]
		_, err := s.UpdateMe(t.Context(), id, auth.Change{Email: &email})
		if err == nil {
			changed++
		} else {
			refused(t, err, http.StatusTooManyRequests, "")
		}
	}
	if changed != 5 {
		t.Errorf("%d changes of twelve in a row, want 5", changed)
	}
	if _, err := s.UpdateMe(t.Context(), id, auth.Change{Name: &auth.Text{}}); err != nil {
		t.Errorf("a change that nobody is told of: %v", err)
	}
	register(t, s, "eve@example.com")
	other, left := identify(t, s, login(t, s, "eve@example.com")), 0
	for range 5 {
		if _, err := s.UpdateMe(t.Context(), other, auth.Change{Email: text("ANN@example.com")}); err == nil || problem.Of(err).Status != http.StatusTooManyRequests {
			left++
		}
	}
	if left > 2 {
		t.Errorf("another account names the same address %d times more, want 2", left)
	}
}
