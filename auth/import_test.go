package auth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// foreign are hashes as other programs made them: FastAPI-Users 15.0.5 with its defaults, pwdlib 0.3 with those it recommends and
// with others, and the bcrypt of PHP, which differs from pwdlib's in its letter alone.
var foreign = map[string]struct{ password, hash string }{
	"fastapi-users@example.com": {"correct horse battery", "$argon2id$v=19$m=65536,t=3,p=4$y0jnJqBz3NIgvCfTYhrhlg$QAhRCmzYxB2zxqwJus/hbCh6S2CfWjHg5q/jIILQ8YY"},
	"pwdlib@example.com":        {"correct horse battery", "$argon2id$v=19$m=65536,t=3,p=4$ZwdPtbOEBvG0SWHDBkR8cg$v4masFPzUyl2dPwLIQ0qiC/Sfv3ceMmL1bVQqftk89I"},
	"cheap@example.com":         {"correct horse battery", "$argon2id$v=19$m=1024,t=1,p=1$/oLyJ5wKIqIAU6AlxrDX2Q$YiZa9fOXOX4wPCyoRfgEw1BWTPMhA6n8KMZGbMo8Um8"},
	"bcrypt@example.com":        {"correct horse battery", "$2b$05$w3auoiSTqyiVLJVXlibHkeWaPykFMUvUZD/b620yGiEH0b6eZCTUC"},
	"older@example.com":         {"correct horse battery", "$2a$04$pwXVuqMHvxHoGdHhIqMtKu3Czx4R1auqyUoSJClm9zgGZXvZoB1eC"},
	"php@example.com":           {"correct horse battery", "$2y$04$pwXVuqMHvxHoGdHhIqMtKu3Czx4R1auqyUoSJClm9zgGZXvZoB1eC"},
	"unicode@example.com":       {"pässwörd with ünïcode", "$2b$04$XkgNRf8bSckrKBiQ4.uKie1z20XLPaIM0yu46CJTr/6JjBKOPrE.G"},
}

func hashOf(t *testing.T, db *postgres.DB, email string) string {
	t.Helper()
	return one[string](t, db, `SELECT password_hash FROM users WHERE email = $1`, email)
}

func TestPasswordsOfOtherProgramsWorkAndAreHashedAnewAtTheFirstLogin(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	var accounts []auth.Imported
	for email, c := range foreign {
		accounts = append(accounts, auth.Imported{Line: len(accounts) + 2, Email: email, PasswordHash: c.hash, IsActive: true})
	}
	if faults, err := s.Import(t.Context(), auth.CommandLine(), accounts); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	for email, c := range foreign {
		_, err := s.Login(t.Context(), email, c.password+"x", auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
		if hashOf(t, db, email) != c.hash {
			t.Errorf("%s: a wrong password changed the hash", email)
		}
		for range 2 {
			if _, err := s.Login(t.Context(), email, c.password, auth.Client{}); err != nil {
				t.Errorf("%s: %v", email, err)
			}
		}
		if got := hashOf(t, db, email); !strings.HasPrefix(got, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%s keeps %s", email, got)
		}
	}
}

func TestAnImportTakesWhatStandsInTheFile(t *testing.T) {
	t.Parallel()
	created := time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC)
	name := "Ann"
	db, s := fresh(t, nil)
	_, err := s.Import(t.Context(), auth.CommandLine(), []auth.Imported{
		{Line: 2, Email: "Ann@Example.COM", Name: &name, IsActive: true, IsSuperuser: true, IsVerified: true, CreatedAt: created},
		{Line: 3, Email: "bob@example.com"},
	})
	if err != nil {
		t.Fatal(err)
	}
	page, err := s.Users(t.Context(), auth.UserQuery{Search: "ann@"})
	if err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	ann := page.Items[0]
	if ann.Email != "Ann@example.com" || *ann.Name != "Ann" || !ann.IsActive || !ann.IsSuperuser || !ann.IsVerified || ann.HasPassword || !ann.CreatedAt.Equal(created) {
		t.Errorf("%+v", ann)
	}
	if bob, _, _ := s.FindByEmail(t.Context(), "bob@example.com"); bob.IsActive || bob.IsSuperuser || bob.IsVerified || time.Since(bob.CreatedAt) > time.Minute {
		t.Errorf("%+v", bob)
	}
	if _, needed, err := s.SetupLink(t.Context()); needed || err != nil {
		t.Errorf("a first administrator is still asked for: %v", err)
	}
	if n := one[int](t, db, `SELECT count(*) FROM audit_log WHERE action IN ('user.import', 'user.create') AND actor = 'command line'`); n != 3 {
		t.Errorf("%d lines", n)
	}
}

func TestAnImportWithOneFaultMakesNoAccountAndNamesAllFaults(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	register(t, s, "here@example.com")
	long := strings.Repeat("x", 256)
	good := auth.Imported{Line: 2, Email: "good@example.com", IsActive: true}
	salt := "$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNo"
	faulty := map[int]struct {
		account auth.Imported
		reason  string
	}{
		3:  {auth.Imported{Email: "GOOD@example.com"}, "the same address stands in line 2"},
		4:  {auth.Imported{Email: "Here@Example.com"}, "there is an account with this address already"},
		5:  {auth.Imported{Email: "nobody"}, "@-sign"},
		6:  {auth.Imported{Email: ""}, "@-sign"},
		7:  {auth.Imported{Email: "a@example.com", Name: &long}, "255"},
		8:  {auth.Imported{Email: "b@example.com", PasswordHash: "hunter2"}, "of no kind that is known"},
		9:  {auth.Imported{Email: "c@example.com", PasswordHash: "$argon2i$v=19$m=64,t=1,p=1" + salt}, "of no kind that is known"},
		10: {auth.Imported{Email: "d@example.com", PasswordHash: "$argon2id$v=19$m=1048576,t=1,p=1" + salt}, "costs too much"},
		11: {auth.Imported{Email: "e@example.com", PasswordHash: "$argon2id$v=19$m=64,t=60,p=1" + salt}, "costs too much"},
		12: {auth.Imported{Email: "f@example.com", PasswordHash: "$argon2id$v=19$m=64,t=1,p=1$x"}, "not a whole argon2id"},
		13: {auth.Imported{Email: "g@example.com", PasswordHash: "$2b$31$" + strings.Repeat("a", 53)}, "costs too much"},
		14: {auth.Imported{Email: "h@example.com", PasswordHash: "$2b$10$short"}, "not a whole bcrypt"},
		15: {auth.Imported{Email: "i@example.com", CreatedAt: time.Now().AddDate(10, 0, 0)}, "lies in the future"},
		16: {auth.Imported{Email: "j@example.com", PasswordHash: "$2b$10$" + strings.Repeat("a", 54)}, "not a whole bcrypt"},
	}
	accounts := []auth.Imported{good}
	for line := 3; line < 3+len(faulty); line++ {
		a := faulty[line].account
		a.Line = line
		accounts = append(accounts, a)
	}
	faults, err := s.Import(t.Context(), auth.CommandLine(), accounts)
	if err != nil || len(faults) != len(faulty) {
		t.Fatalf("%d faults, %v: %v", len(faults), err, faults)
	}
	for _, f := range faults {
		if want := faulty[f.Line].reason; !strings.Contains(f.Reason, want) {
			t.Errorf("line %d: %q, want %q", f.Line, f.Reason, want)
		}
		if hash := faulty[f.Line].account.PasswordHash; hash != "" && strings.Contains(f.Reason, hash) {
			t.Errorf("line %d shows the hash", f.Line)
		}
	}
	if n := one[int](t, db, `SELECT count(*) FROM users`); n != 1 {
		t.Errorf("%d accounts are there", n)
	}
}

func TestAnImportSendsNobodyAMail(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, func(c *auth.Config) { c.RequireVerified = true })
	accounts := []auth.Imported{{Line: 1, Email: "ann@example.com", IsActive: true}, {Line: 2, Email: "gone@example.com"}}
	if faults, err := s.Import(t.Context(), auth.CommandLine(), accounts); err != nil || len(faults) > 0 {
		t.Fatal(faults, err)
	}
	if sent := box.of("verify"); len(sent) != 0 {
		t.Errorf("%+v", sent)
	}
	verification(t, s, box, "ann@example.com") // she asks for it
}
