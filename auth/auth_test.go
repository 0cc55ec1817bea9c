package auth_test

import (
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const goodPassword = "correct horse"

var (
	secret = []byte("0123456789abcdef0123456789abcdef")
	cheap  = auth.HashParams{Memory: 64, Passes: 1, Lanes: 1}
)

// serve makes an open service with cheap hashes on the database; change may adjust it.
func serve(t *testing.T, db *postgres.DB, change func(*auth.Config)) *auth.Service {
	t.Helper()
	cfg := auth.Config{DB: db, JWTSecret: secret, Registration: auth.RegistrationOpen, Hash: cheap}
	if change != nil {
		change(&cfg)
	}
	s := auth.New(cfg)
	t.Cleanup(s.Close)
	return s
}

func register(t *testing.T, s *auth.Service, email string) auth.User {
	t.Helper()
	u, err := s.Register(t.Context(), auth.Registration{Email: email, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func login(t *testing.T, s *auth.Service, email string) access.Credential {
	t.Helper()
	token, err := s.Login(t.Context(), email, goodPassword, auth.Client{IP: "192.0.2.1", UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return access.Credential{Form: access.FormBearer, Token: token.AccessToken}
}

func browse(t *testing.T, s *auth.Service, email string) access.Credential {
	t.Helper()
	cookie, _, err := s.OpenBrowser(t.Context(), email, goodPassword, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	return access.Credential{Form: access.FormCookie, Token: cookie}
}

func identify(t *testing.T, s *auth.Service, c access.Credential) auth.Identity {
	t.Helper()
	identity, err := s.Authenticate(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

// refused checks the status of err, and its detail unless that is empty.
func refused(t *testing.T, err error, status int, detail string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted; want %d %s", status, detail)
	}
	if p := problem.Of(err); p.Status != status || detail != "" && p.Detail != detail {
		t.Fatalf("got %v; want %d %s", err, status, detail)
	}
}

func execute(t *testing.T, db *postgres.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatal(err)
	}
}

func one[T any](t *testing.T, db *postgres.DB, query string, args ...any) (value T) {
	t.Helper()
	if err := db.GetContext(t.Context(), &value, query, args...); err != nil {
		t.Fatal(err)
	}
	return value
}

// fresh makes a service on a database of its own.
func fresh(t *testing.T, change func(*auth.Config)) (*postgres.DB, *auth.Service) {
	t.Helper()
	db := dbtest.New(t)
	return db, serve(t, db, change)
}
