package agentserver_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// Conversations and forks count as starts once the upstream is going to be asked for them, and no sooner.
func TestOnlyWhatIsStartedCountsAsAStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	address, err := url.Parse(w.upstream.server.URL)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := proxy.New(proxy.Config{
		Upstream: address, Key: upstreamKey, Operations: w.dialect.Operations(), Gate: w.gate, Objects: w.conversations,
		Events: w.db.Bus, Log: slog.New(slog.DiscardHandler), Secrets: []string{operatorKey}, Limits: proxy.Limits{StartsByMinute: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.dialect.Attach(engine)
	server := httptest.NewServer(engine)
	t.Cleanup(func() { server.Close(); engine.Close() })
	w.url = server.URL
	for range 5 {
		if a := w.ask("ann", "POST", conversationsPath, map[string]any{"plugins": []any{"x"}}); a.status != http.StatusUnprocessableEntity {
			t.Fatalf("refused: %d %s", a.status, a.body)
		}
	}
	id := w.create("ann", nil).String()
	if a := w.ask("ann", "POST", conversationsPath+"/"+id+"/fork", map[string]any{"title": ""}); a.status != http.StatusUnprocessableEntity {
		t.Fatalf("refused fork: %d %s", a.status, a.body)
	}
	if a := w.ask("ann", "POST", conversationsPath+"/"+id+"/fork", map[string]any{}); a.status >= 300 {
		t.Fatalf("fork: %d %s", a.status, a.body)
	}
	for _, call := range []string{conversationsPath, conversationsPath + "/" + id + "/fork"} {
		if a := w.ask("ann", "POST", call, startBody(nil)); a.status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s, want 429", call, a.status, a.body)
		}
	}
}
