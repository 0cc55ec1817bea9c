package auth_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func loginWith(t *testing.T, s *auth.Service, email, password string) access.Credential {
	t.Helper()
	token, err := s.Login(t.Context(), email, password, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	return access.Credential{Form: access.FormBearer, Token: token.AccessToken}
}

func changeEmail(t *testing.T, s *auth.Service, c access.Credential, email string) auth.User {
	t.Helper()
	id, err := s.Identify(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.UpdateMe(t.Context(), id, auth.Change{Email: &email})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func on() *bool  { yes := true; return &yes }
func off() *bool { no := false; return &no }

func text(s string) *string { return &s }

// superuser makes a superuser and returns who that is.
func superuser(t *testing.T, s *auth.Service) auth.Identity {
	t.Helper()
	if _, err := s.CreateUser(t.Context(), auth.Registration{Email: "root@example.com", Password: goodPassword}, true); err != nil {
		t.Fatal(err)
	}
	return identify(t, s, login(t, s, "root@example.com"))
}

func TestANewPasswordEndsTheOtherSessionsAndKeepsTheOneThatAsked(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	asks, other, cookie := login(t, s, "ann@example.com"), login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")
	if _, err := s.UpdateMe(t.Context(), identify(t, s, asks), auth.Change{Password: text(otherPassword)}); err != nil {
		t.Fatal(err)
	}
	identify(t, s, asks)
	for _, c := range []access.Credential{other, cookie} {
		_, err := s.Authenticate(t.Context(), c)
		refused(t, err, 401, "Unauthorized")
	}
	loginWith(t, s, "ann@example.com", otherPassword)
	box.wait(t, "password-changed", 1)
	key := auth.Identity{User: identify(t, s, asks).User, Session: uuid.New(), Key: true, Scope: access.ScopeAdmin}
	if _, err := s.UpdateMe(t.Context(), key, auth.Change{Password: text(goodPassword)}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Authenticate(t.Context(), asks)
	refused(t, err, 401, "Unauthorized")
}

func TestNothingIsHalfChanged(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	register(t, s, "taken@example.com")
	register(t, s, "Taylor@example.com")
	id := identify(t, s, login(t, s, "taylor@example.com"))
	for what, c := range map[string]auth.Change{
		"a short password and a new address":                {Password: text("short"), Email: text("new@example.com")},
		"a password with the local part of the old address": {Password: text("xxtAYLORxx"), Email: text("new@example.com")},
		"a good password and a taken address":               {Password: text(otherPassword), Email: text("TAKEN@example.com")},
		"one's own address in other letters":                {Password: text(otherPassword), Email: text("taylor@EXAMPLE.com")},
		"a bad address":                                     {Password: text(otherPassword), Email: text("nonsense")},
	} {
		if _, err := s.UpdateMe(t.Context(), id, c); err == nil || problem.Of(err).Status >= 500 {
			t.Errorf("%s: %v", what, err)
		}
		u, err := s.GetUser(t.Context(), id.User.ID)
		if err != nil || u.Email != "Taylor@example.com" {
			t.Errorf("%s: %+v, %v", what, u, err)
		}
	}
	loginWith(t, s, "taylor@example.com", goodPassword)
	if told := append(box.of("email-changed"), box.of("password-changed")...); len(told) != 0 {
		t.Errorf("mails: %+v", told)
	}
	if lines := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'user.update'`); lines != 0 {
		t.Errorf("%d lines in the audit log", lines)
	}
}

func TestAChangeThatChangesNothingLeavesNoTrace(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	execute(t, db, `UPDATE users SET is_verified = true`)
	id := identify(t, s, login(t, s, "ann@example.com"))
	u, err := s.UpdateMe(t.Context(), id, auth.Change{Email: text(" ann@EXAMPLE.com"), Name: &auth.Text{}})
	if err != nil || !u.IsVerified || len(box.of("email-changed")) != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	if lines := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'user.update'`); lines != 0 {
		t.Errorf("%d lines in the audit log", lines)
	}
}

func TestAnOldMailboxUndoesAChangeOfTheAddress(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	execute(t, db, `UPDATE users SET is_verified = true`)
	thief := login(t, s, "ann@example.com")
	if u := changeEmail(t, s, thief, "thief@example.com"); u.IsVerified {
		t.Error("the new address counts as proved")
	}
	m := box.wait(t, "email-changed", 1)
	if m.To != "ann@example.com" || m.Data["old"] != "ann@example.com" || m.Data["new"] != "thief@example.com" ||
		m.Data["link"] != "https://agents.example.com/account/revert/"+token(m) {
		t.Fatalf("the mail is %+v", m)
	}
	stolen := forgot(t, s, box, "thief@example.com")
	changeEmail(t, s, thief, "second@example.com")
	second := box.wait(t, "email-changed", 2)
	if err := s.CheckRevert(t.Context(), token(m)); err != nil {
		t.Fatal(err)
	}
	u, err := s.RevertEmail(t.Context(), token(m))
	if err != nil || u.Email != "ann@example.com" || !u.IsVerified {
		t.Fatalf("%+v, %v", u, err)
	}
	_, err = s.Authenticate(t.Context(), thief)
	refused(t, err, 401, "")
	refused(t, s.ResetPassword(t.Context(), stolen, otherPassword, auth.Client{}), 400, "RESET_PASSWORD_BAD_TOKEN")
	for _, used := range []string{token(m), token(second), "", strings.Repeat("A", 52)} {
		_, err = s.RevertEmail(t.Context(), used)
		refused(t, err, 410, "")
		refused(t, s.CheckRevert(t.Context(), used), 410, "")
	}
	resets := box.of("reset")
	if last := resets[len(resets)-1]; last.To != "ann@example.com" {
		t.Errorf("no link for a new password went to the old mailbox: %+v", resets)
	} else if err := s.ResetPassword(t.Context(), token(last), otherPassword, auth.Client{}); err != nil {
		t.Error(err)
	}
}

func TestAnAddressThatHasAnotherAccountIsNotGivenBack(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	changeEmail(t, s, login(t, s, "ann@example.com"), "nan@example.com")
	register(t, s, "ANN@example.com")
	_, err := s.RevertEmail(t.Context(), token(box.wait(t, "email-changed", 1)))
	refused(t, err, 409, "")
	login(t, s, "nan@example.com")
}

// Whoever reads the mail of an address that was mistyped must not get the account.
func TestAnAddressThatNobodyProvedUndoesNothingOnceTheNewOneIsProved(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "tpyo@example.com")
	changeEmail(t, s, login(t, s, "tpyo@example.com"), "typo@example.com")
	if _, err := s.Verify(t.Context(), verification(t, s, box, "typo@example.com"), auth.Client{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.RevertEmail(t.Context(), token(box.wait(t, "email-changed", 1)))
	refused(t, err, 410, "")
}

func TestARevertTokenLivesForSevenDays(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	_, s, box := mailed(t, func(c *auth.Config) { c.Now = now.Now })
	register(t, s, "ann@example.com")
	changeEmail(t, s, login(t, s, "ann@example.com"), "nan@example.com")
	now.Advance(7*24*time.Hour - time.Second)
	if err := s.CheckRevert(t.Context(), token(box.wait(t, "email-changed", 1))); err != nil {
		t.Error(err)
	}
	now.Advance(time.Second)
	_, err := s.RevertEmail(t.Context(), token(box.of("email-changed")[0]))
	refused(t, err, 410, "")
}

func TestNobodyGivesRightsToThemself(t *testing.T) {
	t.Parallel()
	_, s := fresh(t, nil)
	register(t, s, "ann@example.com")
	id := identify(t, s, login(t, s, "ann@example.com"))
	u, err := s.UpdateMe(t.Context(), id, auth.Change{Superuser: on(), Verified: on(), IsActive: off()})
	if err != nil || u.IsSuperuser || u.IsVerified || !u.IsActive {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestASuperuserChangesAnybody(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, nil)
	by := superuser(t, s)
	ann := register(t, s, "ann@example.com")
	token := login(t, s, "ann@example.com")
	remember(t, db, s, token)
	change := auth.Change{Email: text("nan@example.com"), Verified: on(), Superuser: on(), Name: &auth.Text{Value: text("Nan")}}
	u, err := s.UpdateUser(t.Context(), by, ann.ID, change)
	if err != nil || u.Email != "nan@example.com" || !u.IsVerified || !u.IsSuperuser || *u.Name != "Nan" {
		t.Fatalf("%+v, %v", u, err)
	}
	if told := box.wait(t, "email-changed-for-you", 1); told.To != "ann@example.com" || told.Data["link"] != "" || len(box.of("email-changed")) != 0 {
		t.Errorf("the old mailbox, which may be that of somebody who has left, was told %+v", told)
	}
	if !identify(t, s, token).User.IsSuperuser {
		t.Error("the promotion does not reach a token that was there")
	}
	if _, err := s.UpdateUser(t.Context(), by, ann.ID, auth.Change{Superuser: off(), Password: text(otherPassword)}); err != nil {
		t.Fatal(err)
	}
	_, err = s.Authenticate(t.Context(), token)
	refused(t, err, 401, "")
	_, err = s.UpdateUser(t.Context(), by, uuid.New(), auth.Change{})
	if err == nil {
		t.Error("an account that is not there was changed")
	}
	_, err = s.UpdateUser(t.Context(), by, by.User.ID, auth.Change{Superuser: off()})
	refused(t, err, 409, "")
	actor := one[string](t, db, `SELECT DISTINCT actor FROM audit_log WHERE action = 'user.update'`)
	if actor != "root@example.com" {
		t.Errorf("the actor is %q", actor)
	}
}

func TestDeactivationEndsSessionsForGood(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	by := superuser(t, s)
	ann := register(t, s, "ann@example.com")
	token, cookie := login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")
	secret := forgot(t, s, box, "ann@example.com")
	for _, active := range []*bool{off(), on()} {
		if _, err := s.UpdateUser(t.Context(), by, ann.ID, auth.Change{IsActive: active}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []access.Credential{token, cookie} {
			_, err := s.Authenticate(t.Context(), c)
			refused(t, err, 401, "Unauthorized")
		}
	}
	refused(t, s.ResetPassword(t.Context(), secret, otherPassword, auth.Client{}), 400, "RESET_PASSWORD_BAD_TOKEN")
	login(t, s, "ann@example.com")
}

func TestTwoWhoTakeOneAddressAtOnce(t *testing.T) {
	t.Parallel()
	db, s, _ := mailed(t, nil)
	ids := make([]auth.Identity, 20)
	for i := range ids {
		email := "user" + string(rune('a'+i)) + "@example.com"
		register(t, s, email)
		ids[i] = identify(t, s, login(t, s, email))
	}
	var wg sync.WaitGroup
	results := make([]error, len(ids))
	for i, id := range ids {
		wg.Go(func() {
			_, results[i] = s.UpdateMe(context.Background(), id, auth.Change{Email: text("wanted@example.com")})
		})
	}
	wg.Wait()
	succeeded := 0
	for _, err := range results {
		if err == nil {
			succeeded++
			continue
		}
		refused(t, err, 400, "UPDATE_USER_EMAIL_ALREADY_EXISTS")
	}
	if rows := one[int](t, db, `SELECT count(*) FROM users WHERE email = 'wanted@example.com'`); succeeded != 1 || rows != 1 {
		t.Errorf("%d succeeded, %d rows", succeeded, rows)
	}
}
