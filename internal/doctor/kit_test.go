package doctor_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/openhands-saas/openhands-saas/internal/doctor"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const (
	upstreamKey = "upstream-key-of-the-test-0123456789"
	modelKey    = "model-key-of-the-test"
)

// world is a fake agent-server and a fake openhands-saas. An entry of answers replaces what either would
// say at "METHOD /path".
type world struct {
	upstream, saas *httptest.Server
	admin          *httptest.Server // of saas; only paths that begin with /admin stand in answers for it
	answers        map[string]http.HandlerFunc
	asked          []string // of the upstream
}

func newWorld(t *testing.T, answers map[string]http.HandlerFunc) *world {
	t.Helper()
	w := &world{answers: answers}
	w.upstream = httptest.NewServer(w.replaced(w.agentServer()))
	w.saas = httptest.NewServer(w.replaced(product()))
	w.admin = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.URL.Path = "/admin" + r.URL.Path
		w.replaced(operators()).ServeHTTP(rw, r)
	}))
	t.Cleanup(w.admin.Close)
	t.Cleanup(w.upstream.Close)
	t.Cleanup(w.saas.Close)
	return w
}

func (w *world) replaced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		for route, answer := range w.answers {
			method, path, _ := strings.Cut(route, " ")
			if r.Method == method && strings.HasPrefix(r.URL.EscapedPath(), path) {
				answer(rw, r)
				return
			}
		}
		next.ServeHTTP(rw, r)
	})
}

func (w *world) agentServer() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /server_info", body(`{"version": "1.49.1", "conversation_runtime": "local"}`))
	mux.HandleFunc("GET /openapi.json", body(`{"paths": {"/api/settings": {"get": {}}}}`))
	mux.HandleFunc("GET /api/conversations/count", keyed(`0`))
	mux.HandleFunc("GET /sockets/events/{id}", knowing(upstreamKey))
	mux.HandleFunc("GET /api/file/search_subdirs", keyed(`{"items": [], "next_page_id": null}`))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked = append(w.asked, r.Method)
		mux.ServeHTTP(rw, r)
	})
}

func keyed(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Session-API-Key") != upstreamKey {
			http.Error(w, `{"detail": "Unauthorized"}`, http.StatusUnauthorized)
			return
		}
		body(text)(w, r)
	}
}

func product() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", body(`{"status": "ok"}`))
	mux.HandleFunc("GET /readyz", body(`{"status": "ready"}`))
	mux.HandleFunc("GET /sockets/events/{id}", closing(4001))
	mux.HandleFunc("POST /api/auth/logout", cookie(http.Cookie{Name: "openhands_session", Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}))
	mux.HandleFunc("GET /api/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.EscapedPath() != r.URL.Path {
			http.Error(w, `{"detail": "The path is not in its canonical form: …"}`, http.StatusBadRequest)
			return
		}
		status(http.StatusUnauthorized)(w, r)
	})
	return mux
}

// operators is the admin listener, its paths below /admin.
func operators() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /admin/readyz", body(`{"status": "ready", "checks": [{"name": "database", "state": "ok", "detail": "answers"}]}`))
	return mux
}

// knowing closes a WebSocket as the agent-server does, which knows key and no conversation.
func knowing(key string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		code := websocket.StatusCode(4001)
		if _, message, err := conn.Read(r.Context()); err == nil && strings.Contains(string(message), `"session_api_key":"`+key+`"`) {
			code = 4004
		}
		_ = conn.Close(code, "")
	}
}

func body(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"detail": "…"}`, code) }
}

func cookie(c http.Cookie) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &c)
		w.WriteHeader(http.StatusNoContent)
	}
}

// closing accepts a WebSocket and closes it with code after the first message; 0 cuts the connection.
func closing(code websocket.StatusCode) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = conn.CloseNow() }()
		if _, message, err := conn.Read(r.Context()); err == nil && strings.Contains(string(message), `"session_api_key"`) && code != 0 {
			_ = conn.Close(code, "")
		}
	}
}

// installation is one in which all is well, without a database: those take a while.
func (w *world) installation(t *testing.T) doctor.Config {
	t.Helper()
	return doctor.Config{
		Vault:    &doctor.Vault{File: filepath.Join(t.TempDir(), "vault-keyset.json")},
		Upstream: &doctor.Upstream{URL: w.upstream.URL, Key: upstreamKey, WorkspaceRoot: "/srv/ws"},
		Frontend: &doctor.Frontend{Dir: canvas(t)},
		Model:    &doctor.Model{Name: "openai/house"},
		Public:   &doctor.Public{URL: w.saas.URL, Asked: true, PublicURL: w.saas.URL},
		Admin:    &doctor.Admin{Listen: strings.TrimPrefix(w.admin.URL, "http://")},
		Secrets:  []string{upstreamKey, modelKey},
		Patience: 5 * time.Second,
	}
}

// canvas is a build of the UI, in small.
func canvas(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "index.html", `<html><head><link rel="stylesheet" href="/assets/a.css"/><link rel="icon" href="/gone.svg"><script src="/assets/a.js"></script></head></html>`)
	write(t, dir, "assets/a.css", "")
	write(t, dir, "assets/a.js", "")
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// examine returns what was found, and holds it to what every finding must be.
func examine(t *testing.T, c doctor.Config) []doctor.Finding {
	t.Helper()
	var found []doctor.Finding
	doctor.Examine(t.Context(), c, func(f doctor.Finding) {
		found = append(found, f)
		text := f.Check + f.Text + f.Do
		if f.Text == "" || strings.ContainsAny(text, "\n") || strings.Contains(text, "%!") {
			t.Errorf("not a line for people: %+v", f)
		}
		if f.State == doctor.Problem && f.Do == "" {
			t.Errorf("says nothing about what to do: %+v", f)
		}
		for _, secret := range []string{upstreamKey, modelKey, "pa55word"} {
			if strings.Contains(text, secret) {
				t.Errorf("shows a secret: %+v", f)
			}
		}
	})
	return found
}

// finding is the one of a check that is not well; or, when all of it are, the last.
func finding(t *testing.T, found []doctor.Finding, check string) doctor.Finding {
	t.Helper()
	var last doctor.Finding
	for _, f := range found {
		if f.Check == check {
			last = f
			if f.State == doctor.Problem || f.State == doctor.Note {
				break
			}
		}
	}
	if last.Check == "" {
		t.Fatalf("nothing was said about %s: %+v", check, found)
	}
	return last
}

// newTLS is the product of w behind TLS.
func newTLS(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	s := httptest.NewTLSServer(w.replaced(product()))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	t.Cleanup(s.Close)
	return s
}

// run executes a statement on the database of url.
func run(t *testing.T, url, statement string) {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
