package settings_test

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// requests are the upstream's models of what it is sent.
//
//go:embed testdata/requests-1.49.1.json
var requests string

// The schemas, as the upstream writes them, with a few members of each kind.
const (
	openAPI = `{"components":{"schemas":{%s,
		"AgentContext-Input":{"type":"object","properties":{"secrets":{"type":"object","additionalProperties":{"type":"string","format":"password"}}}},
		"LLM-Input":{"type":"object","properties":{"model":{"type":"string"},
			"api_key":{"anyOf":[{"type":"string"},{"type":"string","format":"password","writeOnly":true},{"type":"null"}]},
			"base_url":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"ollama_base_url":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"provider_connection_id":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"auth_type":{"type":"string"},"aws_region_name":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"aws_role_name":{"anyOf":[{"type":"string"},{"type":"null"}]},"aws_bedrock_runtime_endpoint":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"extra_headers":{"anyOf":[{"type":"object","additionalProperties":{"type":"string"}},{"type":"null"}]},
			"litellm_extra_body":{"type":"object","additionalProperties":true},
			"temperature":{"anyOf":[{"type":"number","minimum":0.0},{"type":"null"}]}}},
		"MCPServer-Input":{"type":"object","additionalProperties":false,"properties":{
			"url":{"anyOf":[{"type":"string"},{"type":"null"}]},"enabled":{"type":"boolean"},
			"command":{"anyOf":[{"type":"string"},{"type":"null"}]},"transport":{"anyOf":[{"type":"string"},{"type":"null"}]},
			"auth":{"anyOf":[{"type":"object"},{"type":"null"}]},"env":{"anyOf":[{"type":"object"},{"type":"null"}]},
			"headers":{"anyOf":[{"type":"object","additionalProperties":{"type":"string","format":"password","writeOnly":true}},{"type":"null"}]}}}}}}`
	agentSchema = `{"sections":[{"variant":"openhands","fields":[
		{"key":"tool_concurrency_limit","value_type":"integer","default":1,"secret":false,"choices":[]},
		{"key":"verification.critic_enabled","value_type":"boolean","default":false,"secret":false,"choices":[]},
		{"key":"mcp_config","value_type":"object","default":{},"secret":false,"choices":[]},
		{"key":"llm.model","value_type":"string","default":"schema-model","secret":false,"choices":[]},
		{"key":"llm.api_key","value_type":"string","default":null,"secret":true,"choices":[]},
		{"key":"llm.base_url","value_type":"string","default":null,"secret":false,"choices":[]},
		{"key":"llm.temperature","value_type":"number","default":null,"secret":false,"choices":[]}]}]}`
	conversationSchema = `{"sections":[{"variant":null,"fields":[
		{"key":"max_iterations","value_type":"integer","default":500,"secret":false,"choices":[]}]}]}`
)

// world is a team with ada, its owner, and dev, a developer, and another team with eve.
type world struct {
	*settings.Surface
	t             *testing.T
	db            *postgres.DB
	team, foes    uuid.UUID
	ada, dev, eve *access.Principal
	view          *access.Principal // a viewer
	fetched       *atomic.Int64     // schemas that were asked for
}

func newWorld(t *testing.T, operator settings.Operator) *world {
	t.Helper()
	return newWorldOn(t, dbtest.New(t), operator)
}

// newRecordedWorld is one whose queries are recorded.
func newRecordedWorld(t *testing.T, operator settings.Operator) (*world, *dbtest.Record) {
	t.Helper()
	db, record := dbtest.OpenRecorded(t, dbtest.URL(t))
	return newWorldOn(t, db, operator), record
}

func newWorldOn(t *testing.T, db *postgres.DB, operator settings.Operator) *world {
	t.Helper()
	keys, err := sealed.EnsureFile(filepath.Join(t.TempDir(), "vault-keyset.json"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, team: uuid.New(), foes: uuid.New(), fetched: &atomic.Int64{}}
	for _, team := range []uuid.UUID{w.team, w.foes} {
		w.exec(`INSERT INTO teams (id, name) VALUES ($1, 'team')`, team)
	}
	w.ada, w.dev = w.member("ada", w.team, access.Owner), w.member("dev", w.team, access.Developer)
	w.eve, w.view = w.member("eve", w.foes, access.Owner), w.member("view", w.team, access.Viewer)
	log := slog.New(slog.DiscardHandler)
	w.Surface = settings.New(settings.Config{
		Vault: vault.New(w.db, keys), Book: schema.New(w.serve, log), Operator: operator, Log: log,
		WorkspaceRoot: "/srv/ws",
		Egress:        &egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}},
	})
	return w
}

func (w *world) serve(_ context.Context, path string) ([]byte, error) {
	w.fetched.Add(1)
	switch path {
	case schema.OpenAPI:
		return fmt.Appendf(nil, openAPI, strings.TrimSuffix(strings.TrimPrefix(requests, "{\n"), "\n}\n")), nil
	case schema.Agent:
		return []byte(agentSchema), nil
	case schema.Conversation:
		return []byte(conversationSchema), nil
	}
	return nil, errors.New("not served: " + path)
}

func (w *world) member(name string, team uuid.UUID, role access.Role) *access.Principal {
	w.t.Helper()
	id := uuid.New()
	w.exec(`INSERT INTO users (id, email, email_key, password_hash) VALUES ($1, $2, $2, 'x')`, id, name+"@example.org")
	return &access.Principal{User: id, Email: name + "@example.org", CurrentTeam: team, Memberships: []access.Membership{{Team: team, Role: role}}}
}

func (w *world) exec(text string, args ...any) {
	w.t.Helper()
	if _, err := w.db.ExecContext(w.t.Context(), text, args...); err != nil {
		w.t.Fatal(err)
	}
}

// patch changes p's own settings; teamPatch those of p's team.
func (w *world) patch(p *access.Principal, body string) error {
	return settings.Change(w.t.Context(), w.Surface, p, p.CurrentTeam, false, object(w.t, body))
}

func (w *world) teamPatch(p *access.Principal, body string) error {
	return settings.Change(w.t.Context(), w.Surface, p, p.CurrentTeam, true, object(w.t, body))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) see(p *access.Principal, expose string) settings.Seen {
	w.t.Helper()
	seen, err := settings.See(w.t.Context(), w.Surface, p, p.CurrentTeam, expose)
	w.must(err)
	return seen
}

// llm is p's model as it is shown: model, address, key.
func (w *world) llm(p *access.Principal, expose string) [3]any {
	w.t.Helper()
	llm := w.see(p, expose).Agent["llm"].(map[string]any)
	return [3]any{llm["model"], llm["base_url"], llm["api_key"]}
}

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var o map[string]any
	if err := decoder.Decode(&o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

func status(err error) int {
	if p, ok := errors.AsType[*problem.Error](err); ok {
		return p.Status
	}
	return 0
}

// filled leaves of what filling a model gave only whether it failed.
func filled(_ bool, err error) error { return err }
