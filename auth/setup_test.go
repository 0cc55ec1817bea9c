package auth_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func setupLink(t *testing.T, s *auth.Service) string {
	t.Helper()
	token, needed, err := s.SetupLink(t.Context())
	if err != nil || !needed || token == "" {
		t.Fatalf("got %q, %v, %v", token, needed, err)
	}
	return token
}

var admin = auth.Registration{Email: "root@example.com", Password: goodPassword}

func TestTheFirstAdministratorComesByALinkThatWorksOnce(t *testing.T) {
	t.Parallel()
	hooked := false
	db, s := fresh(t, func(c *auth.Config) {
		c.Registration = auth.RegistrationClosed
		c.Hooks.UserCreated = func(context.Context, *postgres.Tx, auth.User, string) error { hooked = true; return nil }
	})
	token := setupLink(t, s)
	if stored := one[int](t, db, `SELECT count(*) FROM setup_links WHERE token_hash = convert_to($1, 'UTF8')`, token); stored != 0 {
		t.Error("the token is stored in the clear")
	}
	if err := s.CheckSetup(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	u, err := s.CompleteSetup(t.Context(), token, admin)
	if err != nil || !u.IsSuperuser || !u.IsVerified || !u.IsActive || !hooked {
		t.Fatalf("got %+v, %v; hook %v", u, err, hooked)
	}
	refused(t, s.CheckSetup(t.Context(), token), 410, "")
	_, err = s.CompleteSetup(t.Context(), token, auth.Registration{Email: "second@example.com", Password: goodPassword})
	refused(t, err, 410, "")
	if token, needed, err := s.SetupLink(t.Context()); token != "" || needed || err != nil {
		t.Errorf("another link: %q, %v, %v", token, needed, err)
	}
	execute(t, db, `UPDATE users SET is_superuser = false`)
	refused(t, s.CheckSetup(t.Context(), token), 410, "")
	if lines := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'user.create' AND object = $1`, u.ID.String()); lines != 1 {
		t.Errorf("%d audit lines", lines)
	}
}

func TestEverySetupLinkIsGoodUntilOneIsUsed(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	older, newer := setupLink(t, s), setupLink(t, s)
	for _, token := range []string{older, newer} {
		if err := s.CheckSetup(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CompleteSetup(t.Context(), older, admin); err != nil {
		t.Fatal(err)
	}
	execute(t, db, `UPDATE users SET is_superuser = false`) // the others must not wait for that
	refused(t, s.CheckSetup(t.Context(), newer), 410, "")
	_, err := s.CompleteSetup(t.Context(), newer, auth.Registration{Email: "second@example.com", Password: goodPassword})
	refused(t, err, 410, "")
}

func TestOfManySetupLinksTheNewestAreKept(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	first := setupLink(t, s)
	now.Advance(time.Second)
	second := setupLink(t, s)
	for range 19 {
		now.Advance(time.Second)
		setupLink(t, s)
	}
	refused(t, s.CheckSetup(t.Context(), first), 410, "")
	if err := s.CheckSetup(t.Context(), second); err != nil {
		t.Error(err)
	}
	now.Advance(30 * time.Minute)
	setupLink(t, s)
	if kept := one[int](t, db, `SELECT count(*) FROM setup_links`); kept != 1 {
		t.Errorf("%d links; the expired ones should be gone", kept)
	}
}

func TestASetupLinkRunsOutAfterHalfAnHour(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s := fresh(t, func(c *auth.Config) { c.Now = now.Now })
	token := setupLink(t, s)
	now.Advance(30*time.Minute - time.Second)
	if err := s.CheckSetup(t.Context(), token); err != nil {
		t.Error(err)
	}
	now.Advance(time.Second)
	refused(t, s.CheckSetup(t.Context(), token), 410, "")
	_, err := s.CompleteSetup(t.Context(), token, admin)
	refused(t, err, 410, "")
}

func TestAnAbsurdSetupTokenIsRefused(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	setupLink(t, s)
	for _, token := range []string{"", "x", "\x00\xffAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		refused(t, s.CheckSetup(t.Context(), token), 410, "")
	}
}

func TestASetupThatFailsDoesNotUseTheLinkUp(t *testing.T) {
	t.Parallel()
	var fail error
	_, s := fresh(t, func(c *auth.Config) {
		c.Hooks.UserCreated = func(context.Context, *postgres.Tx, auth.User, string) error { return fail }
	})
	register(t, s, "taken@example.com")
	token := setupLink(t, s)
	_, err := s.CompleteSetup(t.Context(), token, auth.Registration{Email: "root@example.com", Password: "short"})
	refused(t, err, 400, "")
	_, err = s.CompleteSetup(t.Context(), token, auth.Registration{Email: "taken@example.com", Password: goodPassword})
	refused(t, err, 400, "REGISTER_USER_ALREADY_EXISTS")
	fail = errors.New("no team today")
	if _, err = s.CompleteSetup(t.Context(), token, admin); !errors.Is(err, fail) {
		t.Errorf("got %v", err)
	}
	fail = nil
	if _, err := s.CompleteSetup(t.Context(), token, admin); err != nil {
		t.Error(err)
	}
}

func TestOfManyWhoUseTheSetupLinkAtOnceOneSucceeds(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, func(c *auth.Config) { c.HashWorkers = 4 })
	token := setupLink(t, s)
	var wg sync.WaitGroup
	for _, email := range []string{"a@example.com", "b@example.com", "c@example.com", "d@example.com"} {
		wg.Go(func() {
			_, _ = s.CompleteSetup(context.Background(), token, auth.Registration{Email: email, Password: goodPassword})
		})
	}
	wg.Wait()
	if users := one[int](t, db, `SELECT count(*) FROM users`); users != 1 {
		t.Errorf("%d users", users)
	}
}

func TestAnAdministratorOfTheCommandLineClosesTheSetup(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	token := setupLink(t, s)
	u, err := s.CreateUser(t.Context(), admin, true)
	if err != nil || !u.IsSuperuser || !u.IsVerified {
		t.Fatalf("got %+v, %v", u, err)
	}
	_, err = s.CompleteSetup(t.Context(), token, auth.Registration{Email: "other@example.com", Password: goodPassword})
	refused(t, err, 410, "")
	execute(t, db, `UPDATE users SET is_superuser = false`)
	refused(t, s.CheckSetup(t.Context(), token), 410, "")
}
