package app_test

import (
	"fmt"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// toolSays is what a command prints.
func toolSays(t *testing.T, cfg *config.Config, run func(tools *app.Tools, out io.Writer) error) string {
	t.Helper()
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tools.Close() }()
	var out strings.Builder
	if err := run(tools, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func mails(t *testing.T, cfg *config.Config) string {
	t.Helper()
	return toolSays(t, cfg, func(tools *app.Tools, out io.Writer) error { return tools.MailList(t.Context(), 10, out) })
}

// waitingMail has somebody register whose address is to be proved, where no mail can go out, and returns the mail's id.
func waitingMail(t *testing.T, cfg *config.Config) (*site, uuid.UUID) {
	t.Helper()
	cfg.RequireVerified = true
	s := serve(t, cfg, app.Options{})
	s.register("ada@example.com")
	list := mails(t, cfg)
	id, err := uuid.Parse(regexp.MustCompile(`(?m)^[0-9a-f-]{36}`).FindString(list))
	if err != nil || !strings.Contains(list, "ada@example.com  verify") || !strings.Contains(list, "waits for SMTP_URL") {
		t.Fatalf("it lists %q", list)
	}
	return s, id
}

func TestWithoutAMailServerTheStartSaysSoAndOperatorsFindTheLink(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t))
	s, id := waitingMail(t, cfg)
	if !s.logs.has("SMTP_URL is not set: mails wait in the outbox and reach nobody") || !s.logs.has("REQUIRE_VERIFIED is on") {
		t.Error("the start does not say so")
	}
	shown := toolSays(t, cfg, func(tools *app.Tools, out io.Writer) error { return tools.MailShow(t.Context(), id, out) })
	if !regexp.MustCompile(`(?m)^http://localhost:\d+/account/verify/[A-Z0-9]{52}$`).MatchString(shown) {
		t.Errorf("it shows %s", shown)
	}
	retried := toolSays(t, cfg, func(tools *app.Tools, out io.Writer) error { return tools.MailRetry(t.Context(), id, out) })
	if retried != "it goes out once a server runs with SMTP_URL\n" {
		t.Errorf("it says %q", retried)
	}
	db := dbtest.Open(t, cfg.DatabaseURL.Reveal())
	for _, action := range []string{"mail.show", "mail.retry"} {
		if count(t, db, fmt.Sprintf(`SELECT count(*) FROM audit_log WHERE action = '%s' AND object = '%s' AND actor = 'command line'`, action, id)) != 1 {
			t.Errorf("%s is not on record", action)
		}
	}
}

func TestARotationTakesAlongWhatIsSealedBesideTheDocuments(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t), func(cfg *config.Config) { cfg.VaultKeyset = fresh(t) })
	_, id := waitingMail(t, cfg)
	db := dbtest.Open(t, cfg.DatabaseURL.Reveal())
	var user uuid.UUID
	if err := db.GetContext(t.Context(), &user, `SELECT id FROM users`); err != nil {
		t.Fatal(err)
	}
	keys := source(t, cfg.VaultKeyset)
	secret, err := keys.Seal([]byte("SEED"), factor.Place(user)...)
	if err != nil {
		t.Fatal(err)
	}
	db.MustExecContext(t.Context(), `INSERT INTO totp_factors (user_id, secret, pending) VALUES ($1, $2, $2)`, user, secret)

	more, err := app.NewKeyset(cfg, true)
	if err != nil {
		t.Fatal(err)
	}
	both := *cfg
	both.VaultKeyset = config.Secret(more)
	status := func(cfg *config.Config) string {
		return toolSays(t, cfg, func(tools *app.Tools, out io.Writer) error { return tools.VaultStatus(t.Context(), out) })
	}
	if said := status(&both); !strings.Contains(said, "opens, also 1 authenticator apps, 1 authenticator apps that are being set up, 1 mails that wait") {
		t.Errorf("before the rotation: %s", said)
	}
	said, err := rotate(t, &both)
	if err != nil || !strings.Contains(said, "mails that wait: 1 sealed anew, 0 left") || !strings.Contains(said, "authenticator apps: 1 sealed anew") {
		t.Errorf("it says %q, %v", said, err)
	}
	if said := status(&both); !strings.Contains(said, "may go") || strings.Contains(said, "also") {
		t.Errorf("after the rotation: %s", said)
	}
	var now []byte
	if err := db.GetContext(t.Context(), &now, `SELECT secret FROM totp_factors`); err != nil {
		t.Fatal(err)
	}
	if plain, err := source(t, both.VaultKeyset).Open(now, factor.Place(user)...); err != nil || string(plain) != "SEED" {
		t.Errorf("the app's secret is %q, %v", plain, err)
	}
	if _, err := keys.Open(now, factor.Place(user)...); err == nil {
		t.Error("the old key still opens it")
	}
	toolSays(t, &both, func(tools *app.Tools, out io.Writer) error { return tools.MailShow(t.Context(), id, out) })
}

func TestAServerWithoutTheKeyOfAuthenticatorAppsDoesNotStart(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), newUpstream(t))
	s, _ := waitingMail(t, cfg)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	other := *cfg
	other.VaultKeyset = fresh(t)
	serve(t, &other, app.Options{}) // mails alone keep nobody from starting: they can be asked for again
	db := dbtest.Open(t, cfg.DatabaseURL.Reveal())
	var user uuid.UUID
	if err := db.GetContext(t.Context(), &user, `SELECT id FROM users`); err != nil {
		t.Fatal(err)
	}
	secret, err := source(t, cfg.VaultKeyset).Seal([]byte("SEED"), factor.Place(user)...)
	if err != nil {
		t.Fatal(err)
	}
	db.MustExecContext(t.Context(), `INSERT INTO totp_factors (user_id, secret) VALUES ($1, $2)`, user, secret)
	id := source(t, cfg.VaultKeyset).Current().Primary()
	if why := refused(t, &other, app.Options{}); !strings.Contains(why, fmt.Sprintf("key %d is missing, and with it 1 authenticator apps", id)) {
		t.Errorf("the reason: %s", why)
	}
	said := toolSays(t, &other, func(tools *app.Tools, out io.Writer) error { return tools.VaultStatus(t.Context(), out) })
	if !strings.Contains(said, "MISSING, with 1 authenticator apps, 1 mails that wait") {
		t.Errorf("the status: %s", said)
	}
}
