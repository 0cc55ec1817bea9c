package auth_test

import (
	"crypto/sha1" //nolint:gosec // the form of the service
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// reason is why a password was refused, "" when it was not.
func reason(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	detail, ok := problem.Of(err).Detail.(map[string]string)
	if !ok || problem.Of(err).Status != 400 || !strings.HasSuffix(detail["code"], "_INVALID_PASSWORD") || detail["reason"] == "" {
		t.Fatalf("got %v", err)
	}
	return detail["reason"]
}

func TestCommonPasswordsAreRefusedWhereverOneIsSet(t *testing.T) {
	t.Parallel()
	_, s, box := mailed(t, func(c *auth.Config) { c.Blocklist = true })
	for i, password := range []string{"password", "PassWord1", "12345678", "iloveyou", "trustno1", "qwertyuiop"} {
		_, err := s.Register(t.Context(), auth.Registration{Email: fmt.Sprintf("x%d@example.com", i), Password: password})
		if !strings.Contains(reason(t, err), "common") {
			t.Errorf("%q was accepted", password)
		}
	}
	for i, password := range []string{
		"        ", "üüüüüüüü", "correct horse", "battery staple", "password of mine", strings.Repeat("a", 1024),
	} {
		if _, err := s.Register(t.Context(), auth.Registration{Email: fmt.Sprintf("y%d@example.com", i), Password: password}); err != nil {
			t.Errorf("%.20q: %v", password, err)
		}
	}
	register(t, s, "ann@example.com")
	_, err := s.UpdateMe(t.Context(), identify(t, s, login(t, s, "ann@example.com")), auth.Change{Password: text("password1")})
	if reason(t, err) == "" {
		t.Error("it is accepted as a new one")
	}
	err = s.ResetPassword(t.Context(), forgot(t, s, box, "ann@example.com"), "password1", auth.Client{})
	if reason(t, err) == "" {
		t.Error("it is accepted at a reset")
	}
}

// leaks is a service that knows passwords that leaked.
func leaks(t *testing.T, asked *sync.Map, passwords ...string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Path, r.Header.Get("Add-Padding"))
		for _, p := range passwords {
			sum := sha1.Sum([]byte(p)) //nolint:gosec // see above
			digits := strings.ToUpper(hex.EncodeToString(sum[:]))
			if r.URL.Path == "/range/"+digits[:5] {
				fmt.Fprintf(w, "%s:0\r\n%s:17\r\n", strings.Repeat("A", 35), digits[5:])
			}
		}
		fmt.Fprintf(w, "%s:1\r\n", strings.Repeat("F", 35))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/range/"
}

func TestPasswordsThatLeakedAreRefusedAndTheServiceLearnsFiveDigits(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	url := leaks(t, &asked, "leaked like a sieve")
	_, s := fresh(t, func(c *auth.Config) { c.BreachURL = url })
	_, err := s.Register(t.Context(), auth.Registration{Email: "ann@example.com", Password: "leaked like a sieve"})
	if !strings.Contains(reason(t, err), "leak") {
		t.Error("it was accepted")
	}
	register(t, s, "ann@example.com")
	asked.Range(func(path, padding any) bool {
		if len(path.(string)) != len("/range/")+5 || padding != "true" {
			t.Errorf("asked for %v with padding %v", path, padding)
		}
		return true
	})
}

func TestASuffixThatIsOnlyPaddingIsNoLeak(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte(goodPassword)) //nolint:gosec // see above
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(strings.ToUpper(hex.EncodeToString(sum[:]))[5:] + ":0\r\n"))
	}))
	t.Cleanup(server.Close)
	_, s := fresh(t, func(c *auth.Config) { c.BreachURL = server.URL })
	register(t, s, "ann@example.com")
}

func TestOfAnAnswerWithoutEndOnlyTheFirstMegabyteIsRead(t *testing.T) {
	t.Parallel()
	sum := sha1.Sum([]byte(goodPassword)) //nolint:gosec // see above
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2000 {
			_, _ = w.Write([]byte(strings.Repeat(strings.Repeat("A", 35)+":1\r\n", 25)))
		}
		_, _ = w.Write([]byte(strings.ToUpper(hex.EncodeToString(sum[:]))[5:] + ":17\r\n"))
	}))
	t.Cleanup(server.Close)
	_, s := fresh(t, func(c *auth.Config) { c.BreachURL = server.URL })
	register(t, s, "ann@example.com")
}

// The service may be away, broken or endless: nobody is kept from choosing a password, and the log says so without naming any.
func TestAServiceThatDoesNotAnswerKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch calls.Add(1) {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			<-r.Context().Done() // says nothing until the caller has enough
		case 3:
			for range 10_000 {
				if _, err := w.Write([]byte(strings.Repeat("A", 1000))); err != nil {
					return
				}
			}
		}
	}))
	t.Cleanup(server.Close)
	for range 3 {
		var log strings.Builder
		_, s := fresh(t, func(c *auth.Config) {
			c.BreachURL, c.Log = server.URL, slog.New(slog.NewTextHandler(&log, nil))
		})
		register(t, s, "ann@example.com")
		if text := log.String(); !strings.Contains(text, "not looked up") || strings.Contains(text, goodPassword) {
			t.Errorf("the log says %q", text)
		}
	}
}

// Hashes that FastAPI-Users and its older versions made are good here, and become ours at the next sign-in.
func TestHashesOfOtherProgramsAreAcceptedAndRenewedAtTheSignIn(t *testing.T) {
	t.Parallel()
	db, s := fresh(t, nil)
	old, err := bcrypt.GenerateFromPassword([]byte(goodPassword), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for what, hash := range map[string]string{
		"bcrypt 2a": string(old),
		"bcrypt 2b": "$2b$" + string(old)[4:],
		"bcrypt 2y": "$2y$" + string(old)[4:],
		// made with pwdlib's Argon2Hasher: its default cost, and a small one
		"pwdlib":       pwdlibDefault,
		"pwdlib small": pwdlibSmall,
	} {
		email := strings.ReplaceAll(what, " ", "-") + "@example.com"
		register(t, s, email)
		execute(t, db, `UPDATE users SET password_hash = $1 WHERE email = $2`, hash, email)
		_, err := s.Login(t.Context(), email, "wrong", auth.Client{})
		refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
		if kept := one[string](t, db, `SELECT password_hash FROM users WHERE email = $1`, email); kept != hash {
			t.Errorf("%s: a wrong password changed the hash", what)
		}
		login(t, s, email)
		renewed := one[string](t, db, `SELECT password_hash FROM users WHERE email = $1`, email)
		if !strings.HasPrefix(renewed, "$argon2id$v=19$m=64,t=1,p=1$") {
			t.Errorf("%s became %q", what, renewed)
		}
		login(t, s, email)
	}
}
