package agentserver_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// sessions is a gate that knows people by their session, too.
type sessions struct{ gate }

func (s sessions) Resolve(ctx context.Context, c access.Credential, team string) (access.Caller, error) {
	if user, _, ok := c.Session(); ok {
		for name, p := range s.gate {
			if p.User == user {
				return s.gate.Resolve(ctx, access.Credential{Token: name}, team)
			}
		}
	}
	return s.gate.Resolve(ctx, c, team)
}

// withContent puts an engine with a content origin before the world's dialect, and returns how to ask either origin.
func withContent(w *world) (ask func(content bool, target string, headers ...string) *http.Response) {
	w.t.Helper()
	at, err := url.Parse(w.upstream.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	w.gate["ann"].Session = uuid.New()
	engine, err := proxy.New(proxy.Config{
		Upstream: at, Key: upstreamKey, Operations: w.dialect.Operations(), Gate: sessions{w.gate}, Objects: w.conversations,
		Events: w.db.Bus, Log: slog.New(slog.DiscardHandler),
		Content: &proxy.ContentConfig{Origin: "https://content.example.org", Key: []byte(strings.Repeat("k", 32)), Prefix: agentserver.ConversationsPrefix},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(engine.Close)
	return func(content bool, target string, headers ...string) *http.Response {
		r := httptest.NewRequest(http.MethodGet, target, nil)
		r.Header.Set("Authorization", "Bearer ann")
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			r.Header.Set(name, value)
		}
		rw := httptest.NewRecorder()
		if content {
			engine.ServeContent(rw, r)
		} else {
			engine.ServeHTTP(rw, r)
		}
		return rw.Result()
	}
}

func TestWorkspaceFilesAreShownOnTheContentOriginAsStrangersToEachOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	ask := withContent(w)
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.Contains(r.URL.Path, "/workspace") {
			return false
		}
		rw.Header().Set("Content-Type", map[bool]string{true: "application/pdf", false: "text/html; charset=utf-8"}[strings.HasSuffix(r.URL.Path, ".pdf")])
		rw.Header().Set("Set-Cookie", "a=b")
		rw.Header().Set("Service-Worker-Allowed", "/")
		_, _ = io.WriteString(rw, r.URL.EscapedPath())
		return true
	})
	for path, want := range map[string]string{"/workspace": "/workspace/", "/workspace/": "/workspace/", "/workspace/a/b.html": "/workspace/a/b.html"} {
		sent := ask(false, conversationsPath+"/"+id+path)
		to := sent.Header.Get("Location")
		target, ours := strings.CutPrefix(to, "https://content.example.org")
		if sent.StatusCode != http.StatusFound || !ours || !strings.HasSuffix(to, want) {
			t.Fatalf("%s: %d to %q", path, sent.StatusCode, to)
		}
		got := ask(true, target, "Sec-Fetch-Dest: script")
		body, _ := io.ReadAll(got.Body)
		for name, want := range map[string]string{
			"Content-Security-Policy": "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "no-referrer", "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "",
			"Cross-Origin-Resource-Policy": "cross-origin", "Set-Cookie": "", "Service-Worker-Allowed": "",
		} {
			if has := strings.Join(got.Header.Values(name), "|"); has != want {
				t.Errorf("%s: %s is %q, want %q", path, name, has, want)
			}
		}
		if got.StatusCode != 200 || string(body) != conversationsPath+"/"+id+want {
			t.Errorf("%s: %d %s", path, got.StatusCode, body)
		}
	}
	for _, dest := range []string{"script", "style", "serviceworker"} {
		if got := ask(false, conversationsPath+"/"+id+"/workspace/a.js", "Sec-Fetch-Dest: "+dest); got.StatusCode != http.StatusForbidden {
			t.Errorf("as a %s of our own page: %d to %q", dest, got.StatusCode, got.Header.Get("Location"))
		}
	}
	pdf := ask(false, conversationsPath+"/"+id+"/workspace/a.pdf").Header.Get("Location")
	if got := ask(true, strings.TrimPrefix(pdf, "https://content.example.org")).Header.Get("Content-Security-Policy"); strings.Contains(got, "sandbox") {
		t.Errorf("a PDF: %q", got)
	}
}
