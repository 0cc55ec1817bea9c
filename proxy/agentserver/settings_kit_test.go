package agentserver_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"testing"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// house is the operator's model in these tests. Its address is not public: only the operator may name it.
var house = agentserver.OperatorModel{Model: "openai/house", BaseURL: "http://10.1.2.3/v1", APIKey: operatorKey}

// newHouse is a world whose upstream knows the real schemas, and where "nobody" is the anonymous tenant.
func newHouse(t testing.TB, edit func(*agentserver.Config)) *world {
	t.Helper()
	w := &world{t: t, upstream: newUpstream(t), clock: &clock{}}
	db := dbtest.New(t)
	w.db = db
	w.conversations = conversation.New(db, conversation.Options{})
	w.people(db)
	w.gate["nobody"] = &access.Principal{
		Anonymous: true, CurrentTeam: access.AnonymousTeam,
		Memberships: []access.Membership{{Team: access.AnonymousTeam, Role: access.Developer}},
	}
	config := agentserver.Config{
		Conversations: w.conversations,
		Vault:         newVault(t, db),
		Egress:        &egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
		WorkspaceRoot: workspaceRoot,
		Bash:          true,
		OperatorModel: house,
		Log:           slog.New(slog.DiscardHandler),
	}
	edit(&config)
	w.serve(config, db.Bus)
	return w
}

func (w *world) serve(config agentserver.Config, events proxy.Events) {
	w.t.Helper()
	var err error
	if w.dialect, err = agentserver.New(config); err != nil {
		w.t.Fatal(err)
	}
	address, err := url.Parse(w.upstream.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	engine, err := proxy.New(proxy.Config{
		Upstream: address, Key: upstreamKey, Operations: w.dialect.Operations(), Gate: w.gate, Objects: w.conversations,
		Events: events, Fallback: w.dialect.UI(), Log: config.Log, Secrets: []string{operatorKey}, Limits: proxy.Limits{StartsByMinute: 10_000},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.dialect.Attach(engine)
	server := httptest.NewServer(engine)
	w.t.Cleanup(func() { server.Close(); engine.Close() })
	w.url = server.URL
}

func asIs(*agentserver.Config) {}

func withoutModel(c *agentserver.Config) { c.OperatorModel = agentserver.OperatorModel{} }

func withFiles(c *agentserver.Config) {
	c.AnonymousFiles, c.OperatorModel = true, agentserver.OperatorModel{}
}

// withFilesAndModel has both: the anonymous tenant's own files, and the operator's model.
func withFilesAndModel(c *agentserver.Config) { c.AnonymousFiles = true }

// described gives what the upstream says of itself at a path, if it is that.
func described(path string) (json.RawMessage, bool) {
	file := map[string]string{
		"/openapi.json":                     "openapi-models",
		"/api/settings/agent-schema":        "agent-schema",
		"/api/settings/conversation-schema": "conversation-schema",
	}[path]
	if file == "" {
		return nil, false
	}
	raw, err := os.ReadFile("testdata/" + file + "-1.49.1.json")
	if err != nil {
		panic(err)
	}
	return raw, true
}

// askFor is ask with X-Expose-Secrets.
func (w *world) askFor(mode, who, path string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who)
	req.Header.Set("X-Expose-Secrets", mode)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	var body json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		w.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

// within reads a member by its path.
func within(t testing.TB, in map[string]any, names ...string) any {
	t.Helper()
	var v any = in
	for _, name := range names {
		object, isObject := v.(map[string]any)
		if !isObject {
			t.Fatalf("there is no %s in %v", name, v)
		}
		v = object[name]
	}
	return v
}
