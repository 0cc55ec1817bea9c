package agentserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const (
	workspaceRoot = "/srv/ws"
	operatorKey   = "operator-key-that-no-one-sees"
	upstreamKey   = "upstream-key-that-no-one-sees"
)

// world is a dialect behind a real engine and a real database, in front of a scripted upstream. ann and bob are Developers of
// teams of their own, vic is a Viewer in ann's team.
type world struct {
	t             testing.TB
	upstream      *upstream
	dialect       *agentserver.Dialect
	conversations *conversation.Service
	url           string
	gate          gate
	clock         *clock
	db            *postgres.DB
	away          func() // called before the upstream speaks on a socket
}

// clock is a time that a test moves.
type clock struct{ ahead time.Duration }

func (c *clock) now() time.Time { return time.Now().Add(c.ahead) }

// gate knows people by the token they bring.
type gate map[string]*access.Principal

func (g gate) Identify(r *http.Request) (access.Caller, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return g.Resolve(r.Context(), access.Credential{Form: access.FormBearer, Token: token}, "")
}

func (g gate) Resolve(_ context.Context, c access.Credential, _ string) (access.Caller, error) {
	if p := g[c.Token]; p != nil {
		return access.Caller{Principal: p, Credential: c}, nil
	}
	return access.Caller{}, problem.Unauthorized
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, upstream: newUpstream(t), clock: &clock{}}
	db := dbtest.New(t)
	w.db = db
	w.conversations = conversation.New(db, conversation.Options{Lease: time.Minute, Now: w.clock.now})
	w.people(db)
	quiet := slog.New(slog.DiscardHandler)
	var err error
	w.dialect, err = agentserver.New(agentserver.Config{
		Conversations: w.conversations,
		Vault:         newVault(t, db),
		Egress:        &egress.Policy{Allow: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}},
		WorkspaceRoot: workspaceRoot,
		Bash:          true,
		OperatorModel: agentserver.OperatorModel{Model: "openai/house", BaseURL: "http://203.0.113.7/v1", APIKey: operatorKey},
		Log:           quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(w.upstream.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := proxy.New(proxy.Config{
		Upstream: address, Key: upstreamKey, Operations: w.dialect.Operations(), Gate: w.gate, Objects: w.conversations,
		Events: db.Bus, Log: quiet, Secrets: []string{operatorKey}, Limits: proxy.Limits{StartsByMinute: 10_000},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.dialect.Attach(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(func() { server.Close(); engine.Close() })
	w.url = server.URL
	return w
}

// people makes ann, bob and vic.
func (w *world) people(db *postgres.DB) {
	w.t.Helper()
	ours, theirs := uuid.New(), uuid.New()
	w.gate = gate{}
	for _, who := range []struct {
		name string
		team uuid.UUID
		role access.Role
	}{{"ann", ours, access.Developer}, {"bob", theirs, access.Developer}, {"vic", ours, access.Viewer}} {
		user := uuid.New()
		w.exec(db, `INSERT INTO users (id, email, email_key, password_hash) VALUES ($1, $2, $2, '')`, user, who.name+"@example.org")
		w.exec(db, `INSERT INTO teams (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING`, who.team, who.name)
		w.gate[who.name] = &access.Principal{
			User: user, Email: who.name + "@example.org", CurrentTeam: who.team,
			Memberships: []access.Membership{{Team: who.team, Role: who.role}},
		}
	}
}

func (w *world) exec(db *postgres.DB, query string, args ...any) {
	w.t.Helper()
	if _, err := db.Exec(query, args...); err != nil {
		w.t.Fatal(err)
	}
}

// root is the folder of somebody's team.
func (w *world) root(who string) string {
	return workspaceRoot + "/teams/" + w.gate[who].CurrentTeam.String()
}

// answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// object reads the answer as a JSON object.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	return parsed[map[string]any](t, a.body)
}

func parsed[T any](t testing.TB, body string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	return v
}

// ask sends a request as somebody. body may be nil, a string or anything that encodes as JSON.
func (w *world) ask(who, method, path string, body any) answer {
	w.t.Helper()
	a, err := w.send(context.Background(), who, method, path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) send(ctx context.Context, who, method, path string, body any) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, encoded(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+who)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(raw)}, err
}

func encoded(body any) io.Reader {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return bytes.NewReader(raw)
}

// create makes a conversation for somebody and returns its id.
func (w *world) create(who string, more map[string]any) uuid.UUID {
	w.t.Helper()
	a := w.ask(who, "POST", "/api/conversations", startBody(more))
	if a.status != http.StatusCreated {
		w.t.Fatalf("create: %d %s", a.status, a.body)
	}
	return uuid.MustParse(a.object(w.t)["id"].(string))
}

// startBody is a small body that starts a conversation, with more members.
func startBody(more map[string]any) map[string]any {
	body := map[string]any{"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""}}
	for name, v := range more {
		body[name] = v
	}
	return body
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	testtime.Eventually(t, 10*time.Second, what, holds)
}

// newVault is a vault with a key of its own.
func newVault(t testing.TB, db *postgres.DB) *vault.Store {
	t.Helper()
	_, keyset, err := sealed.New()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := sealed.FromValue(string(keyset))
	if err != nil {
		t.Fatal(err)
	}
	return vault.New(db, keys)
}
