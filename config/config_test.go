package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// good is an environment that works: embedded database, no UI.
func good(more ...string) []string {
	return append([]string{
		"UPSTREAM_URL=http://127.0.0.1:8000", "UPSTREAM_API_KEY=upstreamKey0123456789", "UPSTREAM_WORKSPACE_ROOT=/srv/ws",
		"SERVE_FRONTEND=false",
	}, more...)
}

func load(t *testing.T, environ ...string) (*config.Config, error) {
	t.Helper()
	return config.Load(config.Sources{Environ: environ, Dir: t.TempDir()})
}

func mustLoad(t *testing.T, environ ...string) *config.Config {
	t.Helper()
	c, err := load(t, environ...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problemsOf returns name → text.
func problemsOf(t *testing.T, err error) map[string]string {
	t.Helper()
	texts := map[string]string{}
	if err == nil {
		return texts
	}
	problems, ok := errors.AsType[config.Problems](err)
	if !ok {
		t.Fatalf("not Problems: %v", err)
	}
	for _, p := range problems {
		texts[p.Name] = p.Text
	}
	return texts
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFourNamesAreEnoughForAnEmbeddedStart(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, good()...)
	if !c.Embedded() || c.Port != 3001 || c.Host != "127.0.0.1" || c.PublicURL != "http://localhost:3001" || c.Secure() {
		t.Errorf("unexpected defaults: %#v", c)
	}
	if c.DatabaseURL != "" || c.Registration != "invite" || c.Anonymous() || c.JWTLifetime != time.Hour {
		t.Errorf("unexpected defaults: %#v", c)
	}
	if !filepath.IsAbs(c.DataDir) || c.FileStorePath != filepath.Join(c.DataDir, "files") {
		t.Errorf("folders: %q %q", c.DataDir, c.FileStorePath)
	}
}

func TestAnEmptyEnvironmentSaysEverythingThatIsMissingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := load(t, "PATH=/bin")
	want := []string{"FRONTEND_DIR", "UPSTREAM_API_KEY", "UPSTREAM_URL", "UPSTREAM_WORKSPACE_ROOT"}
	var got []string
	for name := range problemsOf(t, err) {
		got = append(got, name)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func errOf(_ *config.Config, err error) error { return err }

func TestTheDatabaseURLIsComposedWithAnExplicitSSLMode(t *testing.T) {
	t.Parallel()
	secret := "JWT_SECRET=" + strings.Repeat("ab", 20)
	for _, test := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"parts", []string{"DB_HOST=db", "DB_PASSWORD=p@ss/w:rd", "DB_USERNAME=me", "DB_DATABASE=d"},
			"postgres://me:p%40ss%2Fw%3Ard@db:5432/d?sslmode=prefer"},
		{"fork's alias", []string{"DB_CONNECTION=postgresql", "DB_HOST=db"}, "postgres://openhands@db:5432/openhands?sslmode=prefer"},
		{"IPv6", []string{"DB_HOST=::1", "DB_SSLMODE=disable"}, "postgres://openhands@[::1]:5432/openhands?sslmode=disable"},
		{"socket", []string{"DB_HOST=/run/postgresql"}, "postgres://openhands@/openhands?host=%2Frun%2Fpostgresql&port=5432&sslmode=prefer"},
		{"URL without sslmode", []string{"DATABASE_URL=postgres://u:p@h/d"}, "postgres://u:p@h/d?sslmode=prefer"},
		{"URL with sslmode", []string{"DATABASE_URL=postgres://u:p@h/d?sslmode=verify-full"}, "postgres://u:p@h/d?sslmode=verify-full"},
		{"URL and DB_SSLMODE", []string{"DATABASE_URL=postgres://u:p@h/d", "DB_SSLMODE=require"}, "postgres://u:p@h/d?sslmode=require"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := mustLoad(t, good(append(test.environ, secret, "VAULT_KEYSET=keys")...)...)
			if got := c.DatabaseURL.Reveal(); got != test.want || c.Embedded() {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestNamesOfTheUpstreamAreAcceptedAndSaidToHaveNoEffect(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, good("OPENHANDS_CONFIG_CLS=x.Y", "COOKIE_SECURE=true", "UPSTREAM_APIKEY=x", "UNRELATED=1")...)
	if len(c.Notices) != 3 || !strings.Contains(strings.Join(c.Notices, "\n"), "OPENHANDS_CONFIG_CLS (environment) is accepted and has no effect") {
		t.Errorf("notices: %q", c.Notices)
	}
	if !slices.ContainsFunc(c.Notices, func(n string) bool { return strings.Contains(n, "did you mean UPSTREAM_API_KEY?") }) {
		t.Errorf("no hint at the misspelt name: %q", c.Notices)
	}
}

func TestSourcesWinInOrderAndAreNamed(t *testing.T) {
	t.Parallel()
	yaml := write(t, "c.yaml", "port: 1\nhost: 10.0.0.1\nregistration: open\ndb_pool_size: 5\n")
	env := write(t, "e", "PORT=2\nHOST=10.0.0.2\nREGISTRATION=closed # as said\n")
	c, err := config.Load(config.Sources{YAML: yaml, EnvFile: env, Environ: good("PORT=3", "HOST=10.0.0.3"), Flags: map[string]string{"PORT": "4"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]string{
		"PORT": {"4", "flag"}, "HOST": {"10.0.0.3", "environment"}, "REGISTRATION": {"closed", "env file " + env + ", line 3"},
		"DB_POOL_SIZE": {"5", "file " + yaml}, "JWT_LIFETIME": {"1h", "default"},
	}
	for _, s := range c.Describe() {
		if w, asked := want[s.Name]; asked && w != [2]string{s.Value, s.Origin} {
			t.Errorf("%s: got %q from %q, want %q", s.Name, s.Value, s.Origin, w)
		}
	}
}

func TestAnEmptyValueCountsAsNotSet(t *testing.T) {
	t.Parallel()
	yaml := write(t, "c.yaml", "registration: open\ndb_host:\n")
	c, err := config.Load(config.Sources{YAML: yaml, Environ: good("REGISTRATION=", "DB_HOST=", "JWT_SECRET_FILE="), Dir: t.TempDir()})
	if err != nil || c.Registration != "open" || !c.Embedded() {
		t.Errorf("%v %q", err, c.Registration)
	}
}

func TestTheEnvFileInTheWorkingFolderIsReadByItself(t *testing.T) {
	t.Parallel()
	path := write(t, ".env.saas", "PORT=4000\n")
	c, err := config.Load(config.Sources{Environ: good(), Dir: filepath.Dir(path)})
	if err != nil || c.Port != 4000 {
		t.Errorf("%v %d", err, c.Port)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	path := write(t, "key", "keyFromAFile0123456789\r\n")
	c := mustLoad(t, "UPSTREAM_URL=http://x:1", "UPSTREAM_API_KEY_FILE="+path, "UPSTREAM_WORKSPACE_ROOT=/w", "SERVE_FRONTEND=no")
	if c.UpstreamAPIKey.Reveal() != "keyFromAFile0123456789" {
		t.Error("the file's content was not taken")
	}
	for _, s := range c.Describe() {
		if s.Name == "UPSTREAM_API_KEY" && (s.Value != "(set)" || s.Origin != "environment UPSTREAM_API_KEY_FILE") {
			t.Errorf("%+v", s)
		}
	}
}

func TestASecretFileThatCannotBeUsedIsTheOnlyProblemOfItsName(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/nonexistent", write(t, "empty", "\n"), t.TempDir(), write(t, "binary", "a\x00b")} {
		_, err := load(t, "UPSTREAM_URL=http://x:1", "UPSTREAM_API_KEY_FILE="+path, "UPSTREAM_WORKSPACE_ROOT=/w", "SERVE_FRONTEND=no")
		if got := problemsOf(t, err); len(got) != 1 || got["UPSTREAM_API_KEY_FILE"] == "" {
			t.Errorf("%s: %v", path, got)
		}
	}
	if got := problemsOf(t, errOf(load(t, good("UPSTREAM_API_KEY_FILE=/x")...))); !strings.Contains(got["UPSTREAM_API_KEY_FILE"], "keep one of the two") {
		t.Errorf("both: %v", got)
	}
}

func TestASecretNeverShowsHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	const value = "upstreamKey0123456789"
	c := mustLoad(t, good("OPERATOR_LLM_MODEL=m", "OPERATOR_LLM_API_KEY=operatorKey", "JWT_SECRET="+strings.Repeat("xy", 30))...)
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("c", "key", c.UpstreamAPIKey, "all", c)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("c", "key", c.UpstreamAPIKey, "all", c)
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x", c, *c, *c, c.UpstreamAPIKey, c.UpstreamAPIKey, c.JWTSecret)
	raw, err := json.Marshal(c)
	out.Write(raw)
	fmt.Fprint(&out, c.Describe(), err)
	for _, secret := range []string{value, "operatorKey", "xyxy"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is in %s", secret, out.String())
		}
	}
}

func TestOneCommandNeedsOnlyWhatItUses(t *testing.T) {
	t.Parallel()
	for purpose, want := range map[config.Purpose]int{config.ForServe: 4, config.ForUpstream: 3, config.ForDatabase: 0} {
		_, err := config.Load(config.Sources{Environ: []string{"X=1"}, Dir: t.TempDir(), Purpose: purpose})
		if got := problemsOf(t, err); len(got) != want {
			t.Errorf("purpose %d: %v", purpose, got)
		}
	}
}

func TestAShortSessionLifetimeShortensTheIdleTime(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, good("SESSION_LIFETIME=3600")...)
	if c.SessionLifetime != time.Hour || c.SessionIdle != time.Hour {
		t.Errorf("%v %v", c.SessionLifetime, c.SessionIdle)
	}
}

func TestTheDescriptionIsAsInTheGoldenFile(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{Dir: "testdata", YAML: "testdata/example.yaml", EnvFile: "testdata/example.env",
		Environ: []string{"JWT_SECRET=" + strings.Repeat("ab", 20), "PORT=x", "DATA_DIR=/var/lib/openhands-saas", "OIDC_ISSUER=x",
			"VAULT_KEYSET=keys"}})
	var out strings.Builder
	for _, s := range c.Describe() {
		fmt.Fprintf(&out, "%s = %s  [%s]\n", s.Name, s.Value, s.Origin)
	}
	fmt.Fprintf(&out, "\n%v\n", err)
	const golden = "testdata/describe.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTheAdminListenerIsOffUnlessAnAddressOrASocketIsNamed(t *testing.T) {
	t.Parallel()
	if c := mustLoad(t, good()...); c.AdminListen != "" {
		t.Errorf("it is on by default: %q", c.AdminListen)
	}
	for _, address := range []string{"127.0.0.1:9091", "[::1]:0", "localhost:9091", "0.0.0.0:9091", "/run/openhands-saas/admin.sock"} {
		if c := mustLoad(t, good("ADMIN_LISTEN="+address)...); c.AdminListen != address {
			t.Errorf("%s became %q", address, c.AdminListen)
		}
	}
}

func TestLimitsHaveDefaultsAndZeroIsNone(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, good("LIMIT_STARTS_PER_MINUTE=0")...)
	got := []int{c.LimitRequestsPerUser, c.LimitRequestsPerTeam, c.LimitUploadsPerUser, c.LimitSocketsPerUser, c.LimitSocketsPerTeam,
		c.LimitStartsPerTeam, c.LimitStartsPerMinute, c.LimitSubscribersPerUser, c.LimitSubscribersPerConversation}
	if want := []int{64, 256, 8, 32, 128, 10, 0, 16, 40}; !slices.Equal(got, want) || len(c.Notices) != 0 {
		t.Errorf("got %v, want %v; %q", got, want, c.Notices)
	}
}

func TestLimitsThatProtectLessThanTheySeemAreRemarkedOn(t *testing.T) {
	t.Parallel()
	for environ, want := range map[string]string{
		"LIMIT_REQUESTS_PER_USER=300":           "more than LIMIT_REQUESTS_PER_TEAM",
		"LIMIT_SOCKETS_PER_USER=0":              "more than LIMIT_SOCKETS_PER_TEAM",
		"LIMIT_SUBSCRIBERS_PER_USER=41":         "more than LIMIT_SUBSCRIBERS_PER_CONVERSATION",
		"LIMIT_SUBSCRIBERS_PER_CONVERSATION=48": "more than the agent-server serves",
		"LIMIT_SUBSCRIBERS_PER_CONVERSATION=0":  "more than the agent-server serves",
		"LIMIT_REQUEST_PER_USER=5":              "did you mean LIMIT_REQUESTS_PER_USER?",
	} {
		if c := mustLoad(t, good(environ)...); len(c.Notices) != 1 || !strings.Contains(c.Notices[0], want) {
			t.Errorf("%s: %q, want %q", environ, c.Notices, want)
		}
	}
}

func TestAKeysetFromAFileIsKnownByItsPlaceToo(t *testing.T) {
	t.Parallel()
	path := write(t, "keyset.json", "keys\n")
	c := mustLoad(t, good("VAULT_KEYSET_FILE="+path)...)
	if c.VaultKeyset.Reveal() != "keys" || c.VaultKeysetFile != path {
		t.Errorf("got %q from %q", c.VaultKeyset.Reveal(), c.VaultKeysetFile)
	}
	if c := mustLoad(t, good("VAULT_KEYSET=keys")...); c.VaultKeyset.Reveal() != "keys" || c.VaultKeysetFile != "" {
		t.Errorf("got %q from %q", c.VaultKeyset.Reveal(), c.VaultKeysetFile)
	}
}

func TestOnlyWhatUsesTheVaultNeedsItsKeys(t *testing.T) {
	t.Parallel()
	for purpose, want := range map[config.Purpose]bool{
		config.ForServe: true, config.ForVault: true, config.ForUpstream: true, config.ForDatabase: false,
	} {
		_, err := config.Load(config.Sources{Environ: good("DB_HOST=db", "JWT_SECRET="+strings.Repeat("ab", 20)), Dir: t.TempDir(), Purpose: purpose})
		if needed := err != nil && strings.Contains(err.Error(), "VAULT_KEYSET: set it"); needed != want {
			t.Errorf("purpose %d: %v", purpose, err)
		}
	}
	mustLoad(t, good()...) // an embedded database
}
