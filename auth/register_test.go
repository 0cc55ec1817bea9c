package auth_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func TestARegistrationMakesAPlainActiveUser(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	name := "Ann Other"
	u, err := s.Register(t.Context(), auth.Registration{Email: " Ann@Example.COM ", Password: goodPassword, Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	if u.Email != "Ann@example.com" || !u.IsActive || u.IsSuperuser || u.IsVerified || *u.Name != name || u.AvatarURL != nil {
		t.Errorf("got %+v", u)
	}
	found, ok, err := s.FindByEmail(t.Context(), "aNN@EXAMPLE.com")
	if err != nil || !ok || found.ID != u.ID || *found.Name != name {
		t.Errorf("found %+v, %v, %v", found, ok, err)
	}
	if _, ok, err := s.FindByEmail(t.Context(), "nobody@example.com"); ok || err != nil {
		t.Errorf("found nobody: %v, %v", ok, err)
	}
}

func TestAnAddressIsTakenInAnyLetterCase(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	_, err := s.Register(t.Context(), auth.Registration{Email: "ANN@EXAMPLE.COM", Password: goodPassword})
	refused(t, err, 400, "REGISTER_USER_ALREADY_EXISTS")
}

func TestOfManyWhoRegisterOneAddressAtOnceOneSucceeds(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, func(c *auth.Config) { c.HashWorkers = 6 })
	var wg sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		wg.Go(func() {
			_, results[i] = s.Register(context.Background(), auth.Registration{Email: "ann@example.com", Password: goodPassword})
		})
	}
	wg.Wait()
	succeeded := 0
	for _, err := range results {
		if err == nil {
			succeeded++
		} else {
			refused(t, err, 400, "REGISTER_USER_ALREADY_EXISTS")
		}
	}
	if rows := one[int](t, db, `SELECT count(*) FROM users`); succeeded != 1 || rows != 1 {
		t.Errorf("%d succeeded, %d rows", succeeded, rows)
	}
}

func TestTheHookBelongsToTheSameTransaction(t *testing.T) {
	t.Parallel()
	broken := errors.New("no team today")
	var fail error
	var got []string
	db, s := fresh(t, func(c *auth.Config) {
		c.Hooks.UserCreated = func(ctx context.Context, tx *postgres.Tx, u auth.User, teamName string) error {
			var email string
			if err := tx.GetContext(ctx, &email, `SELECT email FROM users WHERE id = $1`, u.ID); err != nil {
				return err
			}
			got = append(got, email, teamName)
			return fail
		}
	})
	team := "Crew"
	if _, err := s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword, TeamName: &team}); err != nil {
		t.Fatal(err)
	}
	fail = broken
	if _, err := s.Register(t.Context(), auth.Registration{Email: "bob@example.com", Password: goodPassword}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"ann@example.com", "Crew", "bob@example.com", ""}, got); diff != "" {
		t.Error(diff)
	}
	if rows := one[int](t, db, `SELECT count(*) FROM users`); rows != 1 {
		t.Errorf("%d users", rows)
	}
}

func TestRegistrationIsRefusedUnlessItIsOpen(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"", auth.RegistrationInvite, auth.RegistrationClosed} {
		_, s := fresh(t, func(c *auth.Config) { c.Registration = mode })
		_, err := s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword})
		refused(t, err, 403, "REGISTRATION_CLOSED")
		if _, err := s.CreateUser(t.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword}, false); err != nil {
			t.Errorf("the command line in mode %q: %v", mode, err)
		}
	}
}

func TestThePasswordRule(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	cases := []struct {
		email, password string
		good            bool
	}{
		{"rule1@example.com", "1234567", false},
		{"rule2@example.com", "üüüüüüü", false},
		{"rule3@example.com", "üüüüüüüü", true},
		{"rule4@example.com", "        ", true},
		{"rule5@example.com", "xxRULE5xx", false},
		{"rul@example.com", "xxrulxxxx", true},
		{"rule7@example.com", "nul\x00nul\x00", true},
		{"rule8@example.com", strings.Repeat("ü", 1024), true},
		{"rule9@example.com", strings.Repeat("ü", 1025), false},
	}
	for _, c := range cases {
		_, err := s.Register(t.Context(), auth.Registration{Email: c.email, Password: c.password})
		if c.good {
			if err != nil {
				t.Errorf("%.20q: %v", c.password, err)
			}
			continue
		}
		refused(t, err, 400, "")
		if detail, ok := problem.Of(err).Detail.(map[string]string); !ok || detail["code"] != "REGISTER_INVALID_PASSWORD" || detail["reason"] == "" {
			t.Errorf("%.20q: %v", c.password, err)
		}
	}
}

func TestAllBytesOfALongPasswordCount(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	long := strings.Repeat("x", 900)
	if _, err := s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: long + "a"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Login(t.Context(), "ann@example.com", long+"b", auth.Client{})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	if _, err := s.Login(t.Context(), "ann@example.com", long+"a", auth.Client{}); err != nil {
		t.Error(err)
	}
}

func TestWhatPostgresCannotStoreIsAFieldFault(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	for _, name := range []string{"a\x00b", "a\xffb", strings.Repeat("ü", 256), strings.Repeat("a", 1_000_000)} {
		_, err := s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword, Name: &name})
		refused(t, err, 422, "")
		_, err = s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: goodPassword, TeamName: &name})
		refused(t, err, 422, "")
		_, err = s.Register(t.Context(), auth.Registration{Email: name + "@example.com", Password: goodPassword})
		refused(t, err, 422, "")
		_, err = s.Login(t.Context(), name, goodPassword, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
		if _, found, err := s.FindByEmail(t.Context(), name); found || err != nil {
			t.Errorf("found %v, %v", found, err)
		}
	}
	longest := strings.Repeat("ü", 255)
	r := auth.Registration{Email: "ann@example.com", Password: goodPassword, Name: &longest, TeamName: &longest}
	if _, err := s.Register(t.Context(), r); err != nil {
		t.Error(err)
	}
}

func TestTheClientsWordsNeverBreakALogin(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	from := auth.Client{IP: "x\x00", UserAgent: "\xff\x00" + strings.Repeat("ü", 10_000)}
	if _, err := s.Login(t.Context(), "ANN@example.com", goodPassword, from); err != nil {
		t.Fatal(err)
	}
	if length := one[int](t, db, `SELECT length(user_agent) FROM sessions`); length != 500 {
		t.Errorf("%d characters were kept", length)
	}
}
