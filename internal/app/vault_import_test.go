package app_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// schemas is an upstream that is asked for its descriptions of itself.
func schemas(t *testing.T) *upstream {
	t.Helper()
	mux := http.NewServeMux()
	for path, name := range map[string]string{
		"/openapi.json": "openapi-models", "/api/settings/agent-schema": "agent-schema", "/api/settings/conversation-schema": "conversation-schema",
	} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFile(w, r, "../../proxy/agentserver/testdata/"+name+"-1.49.1.json")
		})
	}
	u := &upstream{Server: httptest.NewServer(mux)}
	t.Cleanup(u.Close)
	return u
}

// single is a copy of a real agent-server's folder whose addresses are of a network that may be reached.
func single(t *testing.T) string {
	t.Helper()
	to, from := t.TempDir(), "../../proxy/agentserver/files/testdata/encrypted"
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"settings.json", "profiles/default.json", "profiles/fast.json", "provider-connections/provider_connections.json"} {
		raw, err := os.ReadFile(filepath.Join(to, name))
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer("llm.example.com", "10.9.9.9", "mcp.example.com", "10.9.9.9", "tickets.example.com", "10.9.9.9").Replace(string(raw))
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func TestAnImportNamesItsTeamByIDOrNameAndEachOutcome(t *testing.T) {
	t.Parallel()
	cfg := settings(t, dbtest.URL(t), schemas(t), func(cfg *config.Config) { cfg.EgressAllow = []netip.Prefix{netip.MustParsePrefix("10.9.9.0/24")} })
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tools.Close() })
	db, home, other := dbtest.Open(t, cfg.DatabaseURL.Reveal()), uuid.New(), uuid.New()
	if _, err := db.ExecContext(t.Context(), `INSERT INTO teams (id, name) VALUES ($1, 'home'), ($2, 'twin'), ($3, 'twin')`, home, other, uuid.New()); err != nil {
		t.Fatal(err)
	}
	o := app.VaultImport{Folders: []string{single(t)}, SecretKey: "key-of-the-tests-only"}
	for _, c := range []struct {
		team, key, said, err string
		dry                  bool
	}{
		{"home", "another", "refused  settings.json:agent_settings/llm/api_key", "nothing was imported: 8 refused", false},
		{"nobody", o.SecretKey, "", "--team: there is no team", false},
		{"twin", o.SecretKey, "", "--team: 2 teams have this name; write the id of one: ", false},
		{"home", o.SecretKey, "this was a rehearsal: nothing was changed", "", true},
		{"home", o.SecretKey, "16 taken, 0 replaced, 0 left as they are, 2 skipped", "", false},
		{home.String(), o.SecretKey, "0 taken, 0 replaced, 16 left as they are, 2 skipped", "", false},
		{other.String(), o.SecretKey, "16 taken", "", false},
	} {
		o := o
		o.Team, o.SecretKey, o.DryRun = c.team, c.key, c.dry
		out := &strings.Builder{}
		err := tools.VaultImport(t.Context(), o, out)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || !strings.Contains(out.String(), c.said) {
			t.Errorf("%s: %v\n%s", c.team, err, out)
		}
		if strings.Contains(out.String(), "-value-1") || strings.Contains(out.String(), "sk-test") || strings.Contains(out.String(), "gAAAA") {
			t.Errorf("a value is shown:\n%s", out)
		}
	}
	var audited, clear int
	if err := db.GetContext(t.Context(), &audited, `SELECT count(*) FROM audit_log WHERE team_id = $1 AND actor = 'command line'`, home); err != nil || audited != 9 {
		t.Errorf("%d entries of the audit log: %v", audited, err)
	}
	if err := db.GetContext(t.Context(), &clear, `SELECT count(*) FROM vault_documents WHERE body::text || sealed::text ~ 'sk-test|-value-1'`); err != nil || clear != 0 {
		t.Errorf("%d documents hold a secret in clear: %v", clear, err)
	}
}
