package agentserver_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// newCrowdedWorld is a world of a hundred thousand conversations whose queries are recorded. ann's team has half of them, bob's
// about fifty.
func newCrowdedWorld(t *testing.T) (*world, *dbtest.Record) {
	t.Helper()
	w := &world{t: t, upstream: newUpstream(t), clock: &clock{}}
	url := dbtest.URL(t)
	plain := dbtest.Open(t, url)
	teams := dbtest.Crowd(t, plain)
	db, record := dbtest.OpenRecorded(t, url)
	w.db, w.conversations = plain, conversation.New(db, conversation.Options{})
	w.gate = gate{}
	for name, team := range map[string]uuid.UUID{"ann": teams[0], "bob": teams[500]} {
		w.gate[name] = &access.Principal{
			User: uuid.New(), CurrentTeam: team, Memberships: []access.Membership{{Team: team, Role: access.Developer}},
		}
	}
	var err error
	quiet := slog.New(slog.DiscardHandler)
	w.dialect, err = agentserver.New(agentserver.Config{
		Conversations: w.conversations, Vault: newVault(t, db), Egress: &egress.Policy{}, WorkspaceRoot: workspaceRoot, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.url = serve(t, w, db.Bus, quiet)
	return w, record
}

func serve(t *testing.T, w *world, events proxy.Events, log *slog.Logger) string {
	t.Helper()
	address, err := url.Parse(w.upstream.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := proxy.New(proxy.Config{
		Upstream: address, Key: upstreamKey, Operations: w.dialect.Operations(), Gate: w.gate, Objects: w.conversations,
		Events: events, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.dialect.Attach(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(func() { server.Close(); engine.Close() })
	return server.URL
}

// mirror has the upstream know the newest n conversations of somebody's team, each with a parent and a fork of its own to be
// narrowed.
func (w *world) mirror(who string, n int) {
	w.t.Helper()
	var ids, others []uuid.UUID
	if err := w.db.Select(&ids, `
		SELECT id
		  FROM conversations
		 WHERE team_id = $1
		 ORDER BY created_at DESC
		 LIMIT $2`, w.gate[who].CurrentTeam, n); err != nil {
		w.t.Fatal(err)
	}
	if err := w.db.Select(&others, `
		SELECT id
		  FROM conversations
		 ORDER BY id
		 LIMIT 1000`); err != nil {
		w.t.Fatal(err)
	}
	for k, id := range ids {
		w.upstream.add(id, map[string]any{
			"title": "new " + strconv.Itoa(k), "updated_at": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"), // so that the rows lag behind
			"parent_conversation_id": others[k%len(others)].String(), "sub_conversation_ids": []any{others[(k+500)%len(others)].String()},
		})
	}
}

// TestAListAmongAHundredThousandConversationsAsksABoundedNumberOfTimes counts, so that it holds on every machine.
func TestAListAmongAHundredThousandConversationsAsksABoundedNumberOfTimes(t *testing.T) {
	t.Parallel()
	w, record := newCrowdedWorld(t)
	w.mirror("ann", 100)
	w.mirror("bob", 100)
	for _, c := range []struct {
		who, path       string
		items           int // that it holds
		queries, asked  int // at most, of the database and the upstream
		upstreamByItems int // conversations that the upstream was asked for, at most
	}{
		// A page is one query; one more brings rows up to date, and one decides on related ids.
		{"bob", "/search?limit=20", 20, 3, 1, 20},
		{"ann", "/search?limit=20", 20, 3, 1, 20},
		{"ann", "/search?limit=100", 100, 3, 2, 100},
		{"ann", "/search?limit=100&sort_order=UPDATED_AT_DESC", 100, 3, 2, 100},
		{"ann", "/count", -1, 1, 0, 0},
		{"bob", "/count", -1, 1, 0, 0},
		// A search that finds nothing gives up after ten pages, with a cursor.
		{"ann", "/search?limit=100&status=stuck", 0, 20, 20, 1000},
		{"bob", "/count?status=stuck", -1, 2, 1, 60},
	} {
		for _, state := range []string{"cold", "warm"} {
			record.Forget()
			w.upstream.forget()
			a := w.ask(c.who, "GET", conversationsPath+c.path, nil)
			if a.status != http.StatusOK {
				t.Fatalf("%s: %d %s", c.path, a.status, a.body)
			}
			if c.items >= 0 {
				if got := len(parsed[listed](t, a.body).Items); got != c.items {
					t.Errorf("%s: %d items, want %d", c.path, got, c.items)
				}
			}
			queries, sent := record.Statements(), w.upstream.arrived("/")
			ids := 0
			for _, r := range sent {
				ids += strings.Count(r.query, "ids=")
			}
			t.Logf("%s of %s, %s: %d queries, %d calls for %d conversations", c.path, c.who, state, len(queries), len(sent), ids)
			if len(queries) > c.queries || len(sent) > c.asked || ids > c.upstreamByItems {
				t.Errorf("%s of %s, %s: %d queries, %d calls for %d conversations; want at most %d, %d and %d: %v",
					c.path, c.who, state, len(queries), len(sent), ids, c.queries, c.asked, c.upstreamByItems, queries)
			}
		}
	}
}
