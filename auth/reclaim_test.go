package auth_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

// reclaims notes for whom, and for what time, others were told that an account was taken back.
type reclaims struct {
	users []uuid.UUID
	since []time.Time
	ended int
}

func (r *reclaims) hooks() auth.Hooks {
	return auth.Hooks{
		Ended: func(context.Context, *postgres.Tx, uuid.UUID) error { r.ended++; return nil },
		Reclaimed: func(_ context.Context, _ *postgres.Tx, u auth.User, since time.Time) error {
			r.users, r.since = append(r.users, u.ID), append(r.since, since)
			return nil
		},
	}
}

// A thief who changed the address has often chosen the password, too.
func TestWhoTakesAnAddressBackShutsOutWhoeverChangedIt(t *testing.T) {
	t.Parallel()
	now, told := testtime.NewClock(), &reclaims{}
	_, s, box := mailed(t, func(c *auth.Config) { c.Now, c.Hooks = now.Now, told.hooks() })
	ann := register(t, s, "ann@example.com")
	thief := login(t, s, "ann@example.com")
	if _, err := s.UpdateMe(t.Context(), identify(t, s, thief), auth.Change{Password: text(otherPassword)}); err != nil {
		t.Fatal(err)
	}
	changed := now.Now()
	changeEmail(t, s, thief, "thief@example.com")
	now.Advance(time.Hour)
	if _, err := s.RevertEmail(t.Context(), token(box.wait(t, "email-changed", 1))); err != nil {
		t.Fatal(err)
	}
	for _, password := range []string{otherPassword, goodPassword, ""} {
		_, err := s.Login(t.Context(), "ann@example.com", password, auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	}
	if told.ended != 1 || len(told.users) != 1 || told.users[0] != ann.ID || !told.since[0].Equal(changed) {
		t.Errorf("others were told %+v, want once, of %s since %s", told, ann.ID, changed)
	}
	if err := s.ResetPassword(t.Context(), token(box.wait(t, "reset", 1)), goodPassword, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	login(t, s, "ann@example.com")
}

// An account whose address nobody proved may have been made by somebody who waits for the owner of the address to come.
func TestTheFirstProofOfAnAddressEndsWhatWasPlantedBefore(t *testing.T) {
	t.Parallel()
	told := &reclaims{}
	db, s, box := mailed(t, func(c *auth.Config) { c.Hooks = told.hooks() })
	ann := register(t, s, "ann@example.com")
	if err := s.ResetPassword(t.Context(), forgot(t, s, box, "ann@example.com"), otherPassword, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	if told.ended != 1 || len(told.users) != 1 || told.users[0] != ann.ID || !told.since[0].IsZero() {
		t.Errorf("others were told %+v, want once, of %s since ever", told, ann.ID)
	}
	execute(t, db, `UPDATE users SET is_verified = true`)
	if err := s.ResetPassword(t.Context(), forgot(t, s, box, "ann@example.com"), goodPassword, auth.Client{}); err != nil {
		t.Fatal(err)
	}
	if told.ended != 1 || len(told.users) != 1 {
		t.Errorf("a forgotten password of a proved address ended more than sessions: %+v", told)
	}
}
