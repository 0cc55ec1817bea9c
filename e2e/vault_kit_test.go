package e2e_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

// bank is an installation with what people keep in it: an instance of its own, a provider of models that takes everybody's keys, and
// a thief that is one, too. Whatever secret is kept is a text that stands nowhere else, so that it can be looked for.
type bank struct {
	upstream *stack.Upstream // of its own: what it keeps is judged
	server   *instance
	way      *relay.Relay // to the upstream
	provider *provider
	thief    *provider
	ada      *person // keeps a team
	ben      *person // is a Developer in it
	vic      *person // only looks on
	cleo     *person // is in no team of theirs

	mu      sync.Mutex
	planted map[string]string // secret → the name of whose it is
}

func newBank(t *testing.T) *bank {
	t.Helper()
	b := &bank{upstream: ownUpstream(t, "vault"), provider: newProvider(t), thief: newProvider(t), planted: map[string]string{}}
	b.way = relayTo(t, b.upstream)
	b.server = start(t, map[string]string{
		"EGRESS_ALLOW": "127.0.0.1/32", "UPSTREAM_URL": "http://" + b.way.Addr(),
		"UPSTREAM_API_KEY_FILE": b.upstream.KeyFile(), "UPSTREAM_WORKSPACE_ROOT": b.upstream.Workspaces(),
	})
	b.ada, b.ben, b.vic, b.cleo = b.newPerson(t, "ada"), b.newPerson(t, "ben"), b.newPerson(t, "vic"), b.newPerson(t, "cleo")
	return b
}

// plant makes a secret of somebody's.
func (b *bank) plant(whose *person) string {
	value := "planted" + rand.Text()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.planted[value] = whose.name
	return value
}

// secrets are all that were planted so far, by whose they are.
func (b *bank) secrets() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]string{}
	for value, whose := range b.planted {
		all[value] = whose
	}
	return all
}

// person is somebody whose every answer is kept.
type person struct {
	*client
	name string
	wire *ledger
}

func (b *bank) newPerson(t *testing.T, name string) *person {
	t.Helper()
	wire := newLedger(t, b.server.url)
	return &person{client: signedUp(t, wire.url), name: name, wire: wire}
}

// as is the person in a test, with a team as the current one.
func (p *person) as(t *testing.T, team string) *client {
	c := p.inTeam(team)
	c.t = t
	return c
}

// house is a team of ada's in which ben develops and vic looks on. Each test has its own.
type house struct {
	team          string
	ada, ben, vic *client
	keep          map[string]string // the header by which ada changes what is the team's
}

func (b *bank) newHouse(t *testing.T, name string) *house {
	t.Helper()
	ada := b.ada.as(t, "")
	team := ada.field(ada.want(http.StatusCreated, ada.post("/api/teams/", map[string]any{"name": name})), "id")
	for who, role := range map[*person]string{b.ben: "developer", b.vic: "viewer"} {
		ada.want(http.StatusCreated, ada.post("/api/teams/"+team+"/members", map[string]any{"email": who.email, "role": role}))
	}
	return &house{team: team, ada: b.ada.as(t, team), ben: b.ben.as(t, team), vic: b.vic.as(t, team),
		keep: map[string]string{"X-OpenHands-Scope": "team"}}
}

// with is a request with headers.
func (c *client) with(header map[string]string, method, path string, body any) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, jsonBody(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body == nil {
		r.Body = http.NoBody
		r.ContentLength = 0
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	if c.team != "" {
		r.Header.Set("X-Team-Id", c.team)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	a, err := do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// reading asks for something with its secrets in a form.
func (c *client) reading(form, path string) answer {
	c.t.Helper()
	return c.with(map[string]string{"X-Expose-Secrets": form}, "GET", path, nil)
}

// patches changes one's own settings of the agent.
func (c *client) patches(diff map[string]any) answer {
	c.t.Helper()
	return c.json("PATCH", "/api/settings", map[string]any{"agent_settings_diff": diff})
}

// model is an LLM at a provider.
func (p *provider) model(key any) map[string]any {
	return map[string]any{"model": "openai/scripted", "base_url": p.url, "api_key": key}
}

// talkWith is the body of a create with these settings of the agent, which says the message.
func talkWith(settings map[string]any, message string) map[string]any {
	body := newTalk()
	body["agent_settings"] = settings
	body["initial_message"] = said(message)
	return body
}

// starts makes a conversation out of a body and waits until its agent has finished.
func (c *client) starts(body map[string]any) string {
	c.t.Helper()
	id := c.field(c.want(http.StatusCreated, c.post("/api/conversations", body)), "id")
	c.finished(id)
	return id
}

// inspects is a script by which an agent leaves, in the file env.txt, the sum of each variable with a planted secret in it. The
// server exports a secret to a command that names it.
func inspects(names ...string) string {
	return "run: : $" + strings.Join(names, " $") + "; env | grep =planted | sort | while read -r v; do printf %s \"$v\" | sha256sum | cut -c1-64; done > env.txt; echo inspected-$((40+2))"
}

// holds fails unless the agent of a conversation found exactly these variables.
func (c *client) holds(id string, want map[string]string) {
	c.t.Helper()
	got := strings.Fields(c.want(http.StatusOK, c.get("/api/conversations/"+id+"/workspace/env.txt")).body)
	sums := []string{}
	for name, value := range want {
		sums = append(sums, fmt.Sprintf("%x", sha256.Sum256([]byte(name+"="+value))))
	}
	slices.Sort(got)
	slices.Sort(sums)
	if !slices.Equal(got, sums) {
		c.t.Errorf("the agent's environment holds %d secrets with the sums %q, want %d with %q", len(got), got, len(sums), sums)
	}
}

// ledger is a way to an instance on which each answer is kept together with what was asked.
type ledger struct {
	url string

	mu      sync.Mutex
	entries []*entry
}

// entry is one request, whose answer may still come in.
type entry struct {
	method, path, form string // form is X-Expose-Secrets
	status             int

	mu   sync.Mutex
	said bytes.Buffer
}

func (e *entry) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.Write(p)
}

func (e *entry) String() string {
	return fmt.Sprintf("%s %s %q → %d", e.method, e.path, e.form, e.status)
}

// text is the answer as far as it came: its head and its body, or what a socket carried.
func (e *entry) text() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.said.String()
}

// reveals says whether this is a request for secrets in clear that was granted.
func (e *entry) reveals() bool {
	one, isSecret := strings.CutPrefix(e.path, "/api/settings/secrets/")
	asked := strings.EqualFold(e.form, "plaintext") || isSecret && one != ""
	return asked && e.method == http.MethodGet && e.status == http.StatusOK
}

func newLedger(t *testing.T, target string) *ledger {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l := &ledger{}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(address)
			r.Out.Host = r.In.Host
		},
		FlushInterval:  -1,
		ModifyResponse: l.keep,
		ErrorHandler:   func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

// keep remembers the answer's head now and its body as it passes.
func (l *ledger) keep(r *http.Response) error {
	e := &entry{method: r.Request.Method, path: r.Request.URL.Path, form: r.Request.Header.Get("X-Expose-Secrets"), status: r.StatusCode}
	l.mu.Lock()
	l.entries = append(l.entries, e)
	l.mu.Unlock()
	overhear(r, e)
	return nil
}

func (l *ledger) all() []*entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}
