package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// patience bounds what a test waits for.
const patience = 20 * time.Second

// upstream answers what the program asks by itself.
type upstream struct {
	*httptest.Server
	mu            sync.Mutex
	conversations []string
}

func newUpstream(t *testing.T, conversations ...string) *upstream {
	u := &upstream{conversations: conversations}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /server_info", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"version":"1.49.1"}`)
	})
	mux.HandleFunc("GET /api/conversations/search", func(w http.ResponseWriter, _ *http.Request) {
		u.mu.Lock()
		defer u.mu.Unlock()
		items := []map[string]any{}
		for _, id := range u.conversations {
			items = append(items, map[string]any{"id": id, "workspace": map[string]string{"working_dir": "/home/me/project"}})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "next_page_id": nil})
	})
	u.Server = httptest.NewServer(mux)
	t.Cleanup(u.Close)
	return u
}

func (u *upstream) add(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.conversations = append(u.conversations, id)
}

// settings are those of a server without a UI; changes come last.
func settings(t *testing.T, database string, u *upstream, changes ...func(*config.Config)) *config.Config {
	cfg := &config.Config{
		Host: "127.0.0.1", DataDir: t.TempDir(),
		DBConnection: config.DBExternal, DatabaseURL: config.Secret(database), DBPoolSize: 6,
		StorageBackend: config.StorageDatabase, JWTSecret: "a-secret-of-the-tests-0123456789abcdef", VaultKeyset: keyset(),
		JWTLifetime: time.Hour, SessionLifetime: time.Hour, SessionIdle: time.Hour,
		Registration: config.RegistrationOpen, AnonymousMode: config.AnonymousOff,
		UpstreamURL: u.URL, UpstreamAPIKey: "upstreamKey0123456789abcdef", UpstreamWorkspaceRoot: "/srv/workspaces",
	}
	for _, change := range changes {
		change(cfg)
	}
	return cfg
}

// keyset is one for all tests: replicas must share it.
var keyset = sync.OnceValue(func() config.Secret {
	_, text, err := sealed.New()
	if err != nil {
		panic(err)
	}
	return config.Secret(text)
})

func anonymous(cfg *config.Config) { cfg.AnonymousMode = config.AnonymousPassthrough }

// site is a running program.
type site struct {
	t    *testing.T
	app  *app.App
	url  string
	logs *logs
	stop func() error // asks for an ordinary stop and returns what Run did
}

func newSite(t *testing.T, changes ...func(*config.Config)) *site {
	return serve(t, settings(t, dbtest.URL(t), newUpstream(t), changes...), app.Options{})
}

func serve(t *testing.T, cfg *config.Config, options app.Options) *site {
	t.Helper()
	s := open(t, cfg, options)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- s.app.Run(ctx) }()
	s.stop = sync.OnceValue(func() error {
		cancel()
		return <-ran
	})
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("run: %v", err)
		}
		if err := s.app.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// open makes the program without running it.
func open(t *testing.T, cfg *config.Config, options app.Options) *site {
	t.Helper()
	s := &site{t: t, logs: &logs{}}
	options.Log = slog.New(slog.NewTextHandler(s.logs, nil))
	var err error
	if s.app, err = app.New(t.Context(), cfg, options); err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + s.app.Addr().String()
	return s
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// do asks. Each of headers is "Name: value".
func (s *site) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	r.Close = true
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		s.t.Fatal(err)
	}
	return read(s.t, res)
}

func read(t *testing.T, res *http.Response) answer {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(body)}
}

// want checks status and body of an error.
func (a answer) want(t *testing.T, what string, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s: got %d (%s) %s, want %d %s", what, a.StatusCode, a.Header.Get("Content-Type"), a.body, status, body)
	}
}

const (
	formType = "Content-Type: application/x-www-form-urlencoded"
	jsonType = "Content-Type: application/json"
	notFound = `{"detail":"Not Found"}`
	password = "correct horse battery"
)

// register makes an account and returns the address.
func (s *site) register(email string) string {
	s.t.Helper()
	res := s.do("POST", "/api/auth/register", `{"email":"`+email+`","password":"`+password+`"}`, jsonType)
	if res.StatusCode != http.StatusCreated {
		s.t.Fatalf("register: %d %s", res.StatusCode, res.body)
	}
	return email
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	testtime.Eventually(t, patience, what, met)
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}
