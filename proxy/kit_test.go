package proxy_test

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

const key = "upstreamKey0123456789abcdefABCDEF"

const cookieName = "openhands_session"

var (
	red, blue = uuid.MustParse("aaaaaaaa-0000-4000-8000-000000000001"), uuid.MustParse("bbbbbbbb-0000-4000-8000-000000000002")
	ours      = uuid.MustParse("11111111-2222-4333-8444-55555555aaaa")
	foreign   = uuid.MustParse("99999999-2222-4333-8444-55555555bbbb")
	unknown   = uuid.MustParse("77777777-2222-4333-8444-55555555cccc")
)

// world is what the engine asks: people by their token, conversations by their id. Tests change it while connections live.
type world struct {
	mu        sync.Mutex
	people    map[string]*access.Principal
	objects   map[uuid.UUID]access.Object
	anonymous *access.Principal
	away      error
	listeners []func(postgres.Event)
	stale     atomic.Bool
	forgotten bool  // nothing is known without asking
	asked     int   // how often somebody had to be asked about a conversation
	lost      error // of asking about conversations
	refused   int   // how often nobody could be asked who somebody is
}

func person(email string, team uuid.UUID, role access.Role) *access.Principal {
	return &access.Principal{
		User: uuid.NewSHA1(team, []byte(email)), Email: email, Session: uuid.NewSHA1(red, []byte(email)), CurrentTeam: team,
		Memberships: []access.Membership{{Team: team, Role: role}},
	}
}

func newWorld() *world {
	return &world{
		people: map[string]*access.Principal{
			"dev":    person("dev+1@example.com", red, access.Developer),
			"viewer": person("viewer@example.com", red, access.Viewer),
			"other":  person("other@example.com", blue, access.Owner),
		},
		objects: map[uuid.UUID]access.Object{
			ours:    {ID: ours, Team: red, State: access.StateLive},
			foreign: {ID: foreign, Team: blue, State: access.StateLive},
		},
	}
}

func (w *world) change(f func()) {
	w.mu.Lock()
	f()
	listeners := w.listeners
	w.mu.Unlock()
	if !w.stale.Load() {
		for _, l := range listeners {
			l(postgres.Event{})
		}
	}
}

func (w *world) Identify(r *http.Request) (access.Caller, error) {
	c := access.Credential{}
	if k := r.Header.Get("X-Session-API-Key"); k != "" && k != "cookie" {
		c = access.Credential{Form: access.FormKey, Token: k}
	} else if k := r.URL.Query().Get("session_api_key"); k != "" && k != "cookie" {
		c = access.Credential{Form: access.FormKey, Token: k}
	} else if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		c = access.Credential{Form: access.FormBearer, Token: token}
	} else if cookie, err := r.Cookie(cookieName); err == nil {
		c = access.Credential{Form: access.FormCookie, Token: cookie.Value}
	}
	return w.Resolve(r.Context(), c, r.Header.Get("X-Team-Id"))
}

func (w *world) Resolve(_ context.Context, c access.Credential, team string) (access.Caller, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away != nil {
		w.refused++
		return access.Caller{}, w.away
	}
	p := w.people[c.Token]
	if user, session, ok := c.Session(); ok {
		for _, somebody := range w.people {
			if somebody.User == user && somebody.Session == session {
				p = somebody
			}
		}
	}
	if c.Form == access.FormNone {
		p = w.anonymous
	}
	if p == nil {
		return access.Caller{}, problem.Unauthorized
	}
	if team != "" {
		if _, member := p.RoleIn(uuid.MustParse(team)); !member {
			return access.Caller{}, access.ErrHidden
		}
	}
	return access.Caller{Principal: p, Credential: c}, nil
}

func (w *world) Known(id uuid.UUID) (access.Object, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	o, ok := w.objects[id]
	return o, ok && !w.forgotten
}

func (w *world) Find(_ context.Context, id uuid.UUID) (access.Object, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return w.objects[id], cmp.Or(w.lost, w.away)
}

func (w *world) questions() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *world) refusals() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refused
}

func (w *world) Subscribe(f func(postgres.Event)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners = append(w.listeners, f)
}

func (w *world) Fresh() bool { return !w.stale.Load() }

var _ interface {
	proxy.Gate
	proxy.Objects
	proxy.Events
} = (*world)(nil)

// echoed is what the upstream says that it received.
type echoed struct {
	Method, Target, Body string
	Header               http.Header
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h := maps.Clone(r.Header)
	h.Set("Host", r.Host)
	h.Del("X-Session-API-Key")
	for range r.Header["X-Session-Api-Key"] {
		h.Add("Session-Key-Was-Right", map[bool]string{true: "yes", false: "no"}[r.Header.Get("X-Session-API-Key") == key])
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(echoed{Method: r.Method, Target: r.RequestURI, Body: string(body), Header: h})
}

const events = "/api/conversations/{conversation_id}/events"

// operations is a small table with one row of each kind.
func operations() []proxy.Operation {
	read, write := access.ConversationRead, access.ConversationWrite
	return []proxy.Operation{
		{Method: "GET", Path: "/api/models", Permission: access.TeamRead, Treatment: proxy.Pass},
		{Method: "POST", Path: "/api/models", Permission: access.TeamRead, Treatment: proxy.Pass},
		{Method: "GET", Path: "/api/tools/", Permission: access.TeamRead, Treatment: proxy.Pass},
		{Method: "GET", Path: "/api/items/{name}", Permission: access.TeamRead, Treatment: proxy.Pass},
		{Method: "GET", Path: "/api/conversations/search", Permission: read, Treatment: proxy.Pass},
		{Method: "GET", Path: "/api/conversations/{conversation_id}", Permission: read, Treatment: proxy.Own},
		{Method: "DELETE", Path: "/api/conversations/{conversation_id}", Permission: access.ConversationDelete, Treatment: proxy.Own},
		{Method: "GET", Path: events, Permission: read, Treatment: proxy.Own},
		{Method: "POST", Path: events, Permission: write, Treatment: proxy.Own},
		{Method: "GET", Path: "/api/conversations/{conversation_id}/workspace/{file_path...}", Permission: read, Treatment: proxy.Own},
		{Method: "GET", Path: "/api/conversations/{runtime_conversation_id}/zip/{conversation_id}", Permission: read, Treatment: proxy.Own},
		{Method: "POST", Path: "/api/bash", Permission: access.Nobody, Treatment: proxy.Deny},
		{Method: "GET", Path: "/api/off", Permission: access.TeamRead, Treatment: proxy.Deny},
		{Method: "GET", Path: "/sockets/events/{conversation_id}", Permission: read, Treatment: proxy.Own, WebSocket: true},
		{Method: "GET", Path: "/sockets/bash-events", Permission: access.Nobody, Treatment: proxy.Deny, WebSocket: true},
	}
}

// unlimited is for tests that need more of something than one user may have.
func unlimited(c *proxy.Config) {
	c.Limits = proxy.Limits{RequestsByUser: -1, RequestsByTeam: -1, UploadsByUser: -1, SocketsByUser: -1, SocketsByTeam: -1,
		StartsByTeam: -1, StartsByMinute: -1, SubscribersByUser: -1, SubscribersByConversation: -1}
}

// stand is an engine between a client and a fake upstream.
type stand struct {
	*world
	engine   *proxy.Engine
	url      string // of the engine
	upstream *httptest.Server
	log      *lines
}

// lines is a log that tests read.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newStand starts one; upstream is echo when nil, and change may adapt the configuration.
func newStand(t testing.TB, upstream http.HandlerFunc, change func(*proxy.Config)) *stand {
	t.Helper()
	if upstream == nil {
		upstream = echo
	}
	s := &stand{world: newWorld(), log: &lines{}}
	s.upstream = httptest.NewServer(upstream)
	t.Cleanup(s.upstream.Close)
	at, _ := url.Parse(s.upstream.URL)
	cfg := proxy.Config{
		Upstream: at, Key: key, Operations: operations(), Gate: s.world, Objects: s.world, Events: s.world,
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})), Recheck: 50 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	engine, err := proxy.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.engine = engine
	front := httptest.NewServer(engine)
	s.url = front.URL
	t.Cleanup(front.Close)
	t.Cleanup(engine.Close)
	return s
}

// answer is a response read whole.
type answer struct {
	*http.Response
	body string
}

func (s *stand) ask(t testing.TB, method, target, token string, adapt ...func(*http.Request)) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	r.URL.Opaque, r.URL.RawQuery = path, query
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, f := range adapt {
		f(r)
	}
	return do(t, r)
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	client := &http.Client{
		Timeout:       20 * time.Second,
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true, ExpectContinueTimeout: 10 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{Response: res, body: string(body)}
}

func (s *stand) echoed(t testing.TB, method, target, token string, adapt ...func(*http.Request)) echoed {
	t.Helper()
	a := s.ask(t, method, target, token, adapt...)
	var e echoed
	if a.StatusCode != http.StatusOK || json.Unmarshal([]byte(a.body), &e) != nil {
		t.Fatalf("%s %s: got %d %s, want an echo", method, target, a.StatusCode, a.body)
	}
	return e
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header[name] = append(r.Header[name], value) }
}

func cookie(token string) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: token}) }
}

func body(s string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(s)), int64(len(s))
		r.Header.Set("Content-Type", "application/json")
	}
}

func has(t testing.TB, a answer, status int, text string) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, text) {
		t.Errorf("got %d %s, want %d with %q", a.StatusCode, a.body, status, text)
	}
}
