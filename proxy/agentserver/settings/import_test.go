package settings_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/fernet"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/files"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// single is the folder of a real agent-server 1.49.1.
const single = "../files/testdata/encrypted"

// conversationTypes is the upstream's schema of conversations, with the types.
const conversationTypes = `{"sections":[{"variant":null,"fields":[
	{"key":"max_iterations","value_type":"integer","default":500,"variant":null,"choices":[]},
	{"key":"confirmation_mode","value_type":"boolean","default":false,"variant":null,"choices":[]},
	{"key":"security_analyzer","value_type":"string","default":"llm","variant":null,"choices":[{"value":"llm"},{"value":"none"}]}]}]}`

// everywhere is a resolver by which each name leads to a public address.
type everywhere struct{}

func (everywhere) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
}

// newImportWorld is a world with the upstream's real schemas.
func newImportWorld(t *testing.T, operator settings.Operator) *world {
	t.Helper()
	w := newWorld(t, operator)
	w.Book = schema.New(func(_ context.Context, path string) ([]byte, error) {
		if path == schema.Conversation {
			return []byte(conversationTypes), nil
		}
		name := map[string]string{schema.OpenAPI: "openapi-models", schema.Agent: "agent-schema"}[path]
		return os.ReadFile("../testdata/" + name + "-1.49.1.json")
	}, slog.New(slog.DiscardHandler))
	w.Egress = &egress.Policy{Resolver: everywhere{}}
	return w
}

// folder is a copy of the real one with some texts replaced, in pairs.
func folder(t *testing.T, changes ...string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(single)); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(to, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		return errors.Join(err, os.WriteFile(name, []byte(strings.NewReplacer(changes...).Replace(string(raw))), 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// take imports a folder; the outcomes come as "what place".
func (w *world) take(in settings.Import, from string, skip ...string) ([]string, error) {
	w.t.Helper()
	found, err := files.Read([]string{from}, files.Options{Key: fernet.Derive("key-of-the-tests-only"), Skip: skip})
	if err != nil {
		return nil, err
	}
	outcomes, err := w.Import(w.t.Context(), in, found)
	var said []string
	for _, o := range outcomes {
		said = append(said, o.What+" "+o.Place.String())
	}
	slices.Sort(said)
	return said, err
}

func (w *world) intoTeam() settings.Import {
	return settings.Import{Scope: vault.Scope{Team: w.team}, By: vault.By{Name: "command line"}}
}

func (w *world) documents() int {
	w.t.Helper()
	var n int
	w.must(w.db.GetContext(w.t.Context(), &n, `SELECT count(*) FROM vault_documents`))
	return n
}

// secrets are the values that lie in a scope, by kind, name and place.
func (w *world) secrets(scope vault.Scope) map[string]string {
	w.t.Helper()
	all := map[string]string{}
	docs, err := w.Vault.Layers(w.t.Context(), scope.Team, scope.User, vault.KindSettings, vault.KindSecret, vault.KindProfile, vault.KindConnection)
	w.must(err)
	for _, d := range docs {
		for _, field := range d.Fields() {
			value, err := w.Vault.Open(d, field)
			w.must(err)
			all[string(d.Kind)+" "+d.Name+field] = value
		}
	}
	return all
}

const connection = "ca07098b57114ed8a575007479f87865"

var realOutcomes = []string{
	"skipped workspaces.json:workspaceParents/0", "skipped workspaces.json:workspaces/0",
	"taken agent-profiles/default.json", "taken agent-profiles/reviewer.json",
	"taken profiles/default.json", "taken profiles/fast.json", "taken profiles/linked.json",
	"taken provider-connections/provider_connections.json:connections/0",
	"taken secrets.json:custom_secrets/DEPLOY_KEY", "taken secrets.json:custom_secrets/GITHUB_TOKEN",
	"taken settings.json:active_agent_profile_id", "taken settings.json:active_profile",
	"taken settings.json:agent_settings/agent_context",
	"taken settings.json:agent_settings/mcp_config/docs", "taken settings.json:agent_settings/mcp_config/tickets",
	"taken settings.json:conversation_settings/confirmation_mode", "taken settings.json:conversation_settings/max_iterations",
	"taken settings.json:misc_settings/app_preferences",
}

var realSecrets = map[string]string{
	"settings /agent_settings/mcp_config/docs/headers/X-Api-Key": "header-value-1",
	"settings /agent_settings/mcp_config/tickets/auth/value":     "bearer-value-1",
	"llm_profile default/api_key":                                "sk-test-settings-1",
	"llm_profile default/extra_headers/X-Tenant":                 "tenant-value-1",
	"llm_profile fast/api_key":                                   "sk-test-profile-1",
	"connection " + connection + "/api_key":                      "sk-test-connection-1",
	"secret GITHUB_TOKEN/value":                                  "ghp-test-value-1",
	"secret DEPLOY_KEY/value":                                    "deploy-value-1",
}

func TestARealFolderBecomesTheTeams(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{Model: "operators"})
	said, err := w.take(w.intoTeam(), single)
	w.must(err)
	if diff := cmp.Diff(realOutcomes, said); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(realSecrets, w.secrets(vault.Scope{Team: w.team})); diff != "" {
		t.Error(diff)
	}
	if got := w.llm(w.ada, "plaintext"); got != [3]any{"openai/gpt-5-nano", "https://llm.example.com/v1", "sk-test-profile-1"} {
		t.Errorf("the model of the team's owner: %v", got)
	}
	seen := w.see(w.dev, "")
	if seen.Profile != "fast" || seen.Agent["agent_context"].(map[string]any)["system_message_suffix"] != "Write British English." {
		t.Errorf("a developer sees %v, %v", seen.Profile, seen.Agent["agent_context"])
	}
	if foes := w.llm(w.eve, "plaintext"); foes[0] != "operators" {
		t.Errorf("another team has %v", foes)
	}
	w.defaultsStayTheSchemas()
	w.agentsFollow()
}

// defaultsStayTheSchemas looks for members that say what the schema says: they would hide its next version.
func (w *world) defaultsStayTheSchemas() {
	w.t.Helper()
	scope := vault.Scope{Team: w.team}
	d, _, err := w.Vault.Get(w.t.Context(), scope, vault.KindProfile, "fast")
	w.must(err)
	if diff := cmp.Diff(map[string]any{"model": "openai/gpt-5-nano", "base_url": "https://llm.example.com/v1"}, d.Body); diff != "" {
		w.t.Error(diff)
	}
	if d, _, err = w.Vault.Get(w.t.Context(), scope, vault.KindSettings, ""); err != nil {
		w.t.Fatal(err)
	}
	agent := d.Body["agent_settings"].(map[string]any)
	if diff := cmp.Diff(map[string]any{"system_message_suffix": "Write British English."}, agent["agent_context"]); diff != "" || len(agent) != 2 {
		w.t.Error(diff, agent)
	}
}

// agentsFollow looks whether what was active still is: under an id of ours.
func (w *world) agentsFollow() {
	w.t.Helper()
	scope := vault.Scope{Team: w.team}
	agent, _, err := w.Vault.Get(w.t.Context(), scope, vault.KindAgentProfile, "default")
	w.must(err)
	kept, _, err := w.Vault.Get(w.t.Context(), scope, vault.KindSettings, "")
	w.must(err)
	if agent.Body["id"] == "2d45c779-3c54-4c3e-b703-ab85d7746667" || kept.Body["active_agent_profile_id"] != agent.Body["id"] {
		w.t.Errorf("%v is active, %v is there", kept.Body["active_agent_profile_id"], agent.Body["id"])
	}
}

func TestAFolderInClearIsTakenTheSameWay(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	said, err := w.take(w.intoTeam(), "../files/testdata/plain")
	w.must(err)
	if diff := cmp.Diff(realOutcomes, said); diff != "" {
		t.Error(diff)
	}
	if got := w.llm(w.ada, "plaintext"); got[2] != "sk-test-profile-1" {
		t.Error(got)
	}
}

func TestAFolderBecomesAMembersOwn(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{Model: "operators"})
	in := w.intoTeam()
	in.Scope.User = w.dev.User
	_, err := w.take(in, single)
	w.must(err)
	if dev, ada := w.llm(w.dev, "plaintext"), w.llm(w.ada, "plaintext"); dev[2] != "sk-test-profile-1" || ada[0] != "operators" {
		t.Errorf("the member has %v, the owner %v", dev, ada)
	}
	if got := w.secrets(vault.Scope{Team: w.team}); len(got) != 0 {
		t.Errorf("the team has %v", got)
	}
}

func TestARehearsalSaysTheSameAndKeepsNothing(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	in := w.intoTeam()
	in.DryRun = true
	said, err := w.take(in, single)
	w.must(err)
	if diff := cmp.Diff(realOutcomes, said); diff != "" || w.documents() != 0 {
		t.Error(diff, w.documents())
	}
}

func TestWhatIsThereStaysUnlessItIsToBeReplaced(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	w.must(w.teamPatch(w.ada, `{"agent_settings_diff":{"llm":{"model":"mine","api_key":"sk-mine"},
		"mcp_config":{"docs":{"url":"https://mine.example.com","headers":{"X-Api-Key":"mine","X-More":"more"}}}},"conversation_settings_diff":{"max_iterations":7}}`))
	w.must(settings.Keep(t.Context(), w.Surface, vault.Scope{Team: w.team}, vault.KindSecret, "DEPLOY_KEY", map[string]any{}, map[string]string{"/value": "mine"}))
	said, err := w.take(w.intoTeam(), single)
	w.must(err)
	for _, place := range []string{"secrets.json:custom_secrets/DEPLOY_KEY", "settings.json:agent_settings/mcp_config/docs",
		"settings.json:conversation_settings/max_iterations", "settings.json:active_profile"} {
		if !slices.Contains(said, "exists "+place) {
			t.Errorf("%s: not among %q", place, said)
		}
	}
	got := w.secrets(vault.Scope{Team: w.team})
	if got["secret DEPLOY_KEY/value"] != "mine" || got["settings /agent_settings/mcp_config/docs/headers/X-Api-Key"] != "mine" || w.llm(w.ada, "plaintext")[0] != "mine" {
		t.Errorf("replaced: %v, %v", got, w.llm(w.ada, "plaintext"))
	}
	again := w.intoTeam()
	again.Replace = true
	said, err = w.take(again, single)
	w.must(err)
	for n, line := range said {
		said[n] = strings.Replace(line, "replaced ", "taken ", 1)
	}
	slices.Sort(said)
	if diff := cmp.Diff(realOutcomes, said); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(realSecrets, w.secrets(vault.Scope{Team: w.team})); diff != "" || w.llm(w.ada, "plaintext")[0] != "openai/gpt-5-nano" {
		t.Error(diff, w.llm(w.ada, "plaintext"))
	}
}

func TestASecondImportChangesNothing(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	_, err := w.take(w.intoTeam(), single)
	w.must(err)
	said, err := w.take(w.intoTeam(), single)
	w.must(err)
	var changed int
	w.must(w.db.GetContext(t.Context(), &changed, `SELECT count(*) FROM vault_documents WHERE version > 1`))
	if slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, "taken") || strings.HasPrefix(line, "replaced") }) || changed != 0 {
		t.Errorf("%d changed: %q", changed, said)
	}
}

func TestOneThingThatCannotBeTakenLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	for _, c := range []struct {
		name, place, want string
		changes           []string
	}{
		{"an inner address of a profile", "profiles/fast.json:base_url", "address", []string{"https://llm.example.com/v1\",\n  \"openrouter", "http://169.254.169.254/v1\",\n  \"openrouter"}},
		{"an inner address of an MCP server", "settings.json:agent_settings/mcp_config/docs/url", "address", []string{"https://mcp.example.com/mcp", "http://127.0.0.1:9000/mcp"}},
		{"a wrong type", "settings.json:conversation_settings/max_iterations", "integer", []string{`"max_iterations": 120`, `"max_iterations": "many"`}},
		{"a cloud identity", "settings.json:agent_settings/llm/aws_role_name", "cloud identity", []string{`"aws_role_name": null`, `"aws_role_name": "admin"`}},
		{"a token of ours", "secrets.json:custom_secrets/DEPLOY_KEY/secret", "another place", []string{"\"secret\": \"gAAAAABrBfYJEh", "\"secret\": \"ohv1.gAAAAABrBfYJEh"}},
		{"a name of a secret", "secrets.json:custom_secrets/a b", "Invalid secret name", []string{"DEPLOY_KEY", "a b"}},
		{"another kind of agent", "settings.json:agent_settings/agent_kind", "openhands", []string{"\"schema_version\": 6,\n    \"agent_kind\": \"openhands\"", "\"schema_version\": 6,\n    \"agent_kind\": \"acp\""}},
		{"a sealed value in clear", "profiles/default.json:log_completions_folder", "no secrets are kept", []string{`"log_completions_folder": "logs/completions"`, `"log_completions_folder": "` + sealedText + `"`}},
	} {
		_, err := w.take(w.intoTeam(), folder(t, c.changes...))
		faults, _ := errors.AsType[files.Faults](err)
		if !slices.ContainsFunc(faults, func(n files.Note) bool {
			return n.Place.String() == c.place && strings.Contains(n.Text, c.want)
		}) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := w.documents(); n != 0 {
			t.Fatalf("%s: %d documents were kept", c.name, n)
		}
	}
}

// sealedText is one of the folder's sealed values.
const sealedText = "gAAAAABrBfYJEhzudmJVxFezRxXSa_GWjvAwtKLMjW0Y70bjEbUWPB-WQJExIOV4ux9fsvy-ZL3_fBFVo3pwqua5OxC6U9Azfg=="

func TestALimitAndALikeNameEndAnImportAsAWhole(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	scope := vault.Scope{Team: w.team}
	w.must(settings.Keep(t.Context(), w.Surface, scope, vault.KindSecret, "github_token", map[string]any{}, map[string]string{"/value": "mine"}))
	_, err := w.take(w.intoTeam(), single)
	if faults, _ := errors.AsType[files.Faults](err); len(faults) != 1 || faults[0].Place.String() != "secrets.json:custom_secrets/GITHUB_TOKEN" {
		t.Errorf("a like name: %v", err)
	}
	for range 48 {
		w.must(settings.Keep(t.Context(), w.Surface, scope, vault.KindProfile, uuid.NewString(), map[string]any{"model": "m"}, nil))
	}
	_, err = w.take(w.intoTeam(), single, "secrets.json")
	if faults, _ := errors.AsType[files.Faults](err); len(faults) != 1 || !strings.Contains(faults[0].Text, "50") {
		t.Errorf("a limit: %v", err)
	}
	if n := w.documents(); n != 49 {
		t.Errorf("%d documents", n)
	}
}

func TestAModelThatChangedSinceItsActivationCounts(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	said, err := w.take(w.intoTeam(), folder(t, "\"model\": \"openai/gpt-5-nano\",\n      \"api_key\"", "\"model\": \"openai/gpt-6\",\n      \"api_key\""))
	w.must(err)
	if !slices.Contains(said, "skipped settings.json:active_profile") || !slices.Contains(said, "taken settings.json:agent_settings/llm") {
		t.Errorf("%q", said)
	}
	if got := w.llm(w.ada, "plaintext"); got != [3]any{"openai/gpt-6", "https://llm.example.com/v1", "sk-test-profile-1"} {
		t.Error(got)
	}
}

func TestFoldersOfTheTeamAreTakenAndConsentIsNot(t *testing.T) {
	t.Parallel()
	w := newImportWorld(t, settings.Operator{})
	root := "/srv/ws/teams/" + w.team.String()
	said, err := w.take(w.intoTeam(), folder(t, "/projects/site", root+"/site", `"user_consents_to_analytics": false`, `"user_consents_to_analytics": true`))
	w.must(err)
	for _, line := range []string{"taken workspaces.json:workspaces/" + root + "/site", "skipped settings.json:misc_settings/app_preferences/user_consents_to_analytics"} {
		if !slices.Contains(said, line) {
			t.Errorf("%s: not among %q", line, said)
		}
	}
	kept, _, err := w.Vault.Get(t.Context(), vault.Scope{Team: w.team}, vault.KindSettings, "")
	w.must(err)
	want := map[string]any{"app_preferences": map[string]any{"language": "en"}}
	if diff := cmp.Diff(want, kept.Body["misc_settings"]); diff != "" {
		t.Error(diff)
	}
}
