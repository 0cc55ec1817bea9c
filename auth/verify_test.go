package auth_test

import (
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestAnAddressIsProvedByAMailedLink(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "Ann@example.com")
	secret := verification(t, s, box, "ANN@example.com")
	if m := box.of("verify")[0]; m.To != "Ann@example.com" || m.Data["link"] != "https://agents.example.com/account/verify/"+secret {
		t.Fatalf("the mail is %+v", m)
	}
	other := verification(t, s, box, "ann@example.com")
	for range 2 {
		if err := s.CheckVerify(t.Context(), secret); err != nil {
			t.Fatalf("a look used the token up: %v", err)
		}
	}
	u, err := s.Verify(t.Context(), secret, auth.Client{})
	if err != nil || !u.IsVerified {
		t.Fatalf("%+v, %v", u, err)
	}
	for _, token := range []string{secret, other} {
		_, err = s.Verify(t.Context(), token, auth.Client{})
		refused(t, err, 400, "VERIFY_USER_ALREADY_VERIFIED")
	}
	if err := s.RequestVerify(t.Context(), "ann@example.com", auth.Client{}); err != nil {
		t.Fatal(err)
	}
	settled(t, s, box, "ann@example.com")
	if sent := len(box.of("verify")); sent != 2 {
		t.Errorf("%d mails: one went to somebody who is verified", sent)
	}
}

func TestAVerifyTokenIsForOneAddressOfOneAccount(t *testing.T) {
	t.Parallel()
	now := testtime.NewClock()
	db, s, box := mailed(t, func(c *auth.Config) { c.Now = now.Now })
	ann := register(t, s, "ann@example.com")
	bad := func(token string) {
		t.Helper()
		_, err := s.Verify(t.Context(), token, auth.Client{})
		refused(t, err, 400, "VERIFY_USER_BAD_TOKEN")
		refused(t, s.CheckVerify(t.Context(), token), 400, "VERIFY_USER_BAD_TOKEN")
	}
	bad("")
	bad(forgot(t, s, box, "ann@example.com"))
	secret := verification(t, s, box, "ann@example.com")
	credential := login(t, s, "ann@example.com")
	changeEmail(t, s, credential, "nan@example.com")
	bad(secret)
	changeEmail(t, s, credential, "ann@example.com") // only while the user has another
	execute(t, db, `UPDATE users SET is_active = false`)
	if u, err := s.Verify(t.Context(), secret, auth.Client{}); err != nil || !u.IsVerified || u.IsActive {
		t.Errorf("of an inactive user: %+v, %v", u, err)
	}
	execute(t, db, `UPDATE users SET is_active = true, is_verified = false`)
	late := verification(t, s, box, "ann@example.com")
	now.Advance(time.Hour)
	bad(late)
	last := verification(t, s, box, "ann@example.com")
	if err := s.Delete(t.Context(), auth.CommandLine(), ann.ID); err != nil {
		t.Fatal(err)
	}
	register(t, s, "ann@example.com")
	bad(last)
}

func TestWhereAddressesMustBeProvedNobodyActsBefore(t *testing.T) {
	t.Parallel()
	db, s, box := mailed(t, func(c *auth.Config) { c.RequireVerified = true })
	register(t, s, "ann@example.com")
	_, err := s.Login(t.Context(), "ann@example.com", goodPassword, auth.Client{})
	refused(t, err, 400, "LOGIN_USER_NOT_VERIFIED")
	_, err = s.Login(t.Context(), "ann@example.com", "wrong", auth.Client{})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
	m := box.wait(t, "verify", 1) // registering sends it by itself here
	if _, err := s.Verify(t.Context(), token(m), auth.Client{}); err != nil {
		t.Fatal(err)
	}
	credentials := []access.Credential{login(t, s, "ann@example.com"), browse(t, s, "ann@example.com")}
	for _, c := range credentials {
		remember(t, db, s, c)
	}
	changeEmail(t, s, credentials[0], "nan@example.com")
	for _, c := range credentials {
		_, err := s.Authenticate(t.Context(), c)
		refused(t, err, 403, "Forbidden")
	}
	m = box.wait(t, "verify", 2)
	if m.To != "nan@example.com" {
		t.Errorf("the mail went to %q", m.To)
	}
	if _, err := s.Verify(t.Context(), token(m), auth.Client{}); err != nil {
		t.Fatal(err)
	}
	for _, c := range credentials {
		identify(t, s, c)
	}
	if lines := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action = 'user.verify'`); lines != 2 {
		t.Errorf("%d lines in the audit log", lines)
	}
}

func TestRegisteringSendsNothingWhereAddressesNeedNoProof(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, nil)
	register(t, s, "ann@example.com")
	settled(t, s, box, "ann@example.com")
	if sent := len(box.of("verify")); sent != 0 {
		t.Errorf("%d mails", sent)
	}
}
