package settings_test

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// site is a world behind a real engine. Its upstream answers nothing: whatever reaches it is a fault.
type site struct {
	*world
	url string
}

func newSite(t *testing.T, operator settings.Operator) *site {
	t.Helper()
	return newWorld(t, operator).site()
}

// site puts the world behind an engine.
func (w *world) site() *site {
	t := w.t
	t.Helper()
	s := &site{world: w}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("the upstream was asked for %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(upstream.Close)
	at, err := url.Parse(upstream.URL)
	s.must(err)
	engine, err := proxy.New(proxy.Config{
		Upstream: at, Key: "upstream-key-that-no-one-sees", Operations: operations(s.Surface), Gate: s, Objects: s, Events: s.db.Bus,
		Log: s.Log,
	})
	s.must(err)
	front := httptest.NewServer(engine)
	t.Cleanup(func() { front.Close(); engine.Close() })
	s.url = front.URL
	return s
}

// operations binds the surface as the route table does.
func operations(s *settings.Surface) []proxy.Operation {
	const connections = "/api/llm/provider-connections"
	var table []proxy.Operation
	for place, handle := range map[string]proxy.Handler{
		"GET /api/settings":                                       s.Get,
		"PATCH /api/settings":                                     s.Patch,
		"POST /api/settings/mcp/{settings_key}":                   s.CreateServer,
		"PATCH /api/settings/mcp/{settings_key}":                  s.PatchServer,
		"DELETE /api/settings/mcp/{settings_key}":                 s.DeleteServer,
		"GET /api/settings/secrets":                               s.ListSecrets,
		"PUT /api/settings/secrets":                               s.PutSecret,
		"GET /api/settings/secrets/{name}":                        s.GetSecret,
		"DELETE /api/settings/secrets/{name}":                     s.DeleteSecret,
		"GET /api/profiles":                                       s.ListProfiles,
		"GET /api/profiles/{name}":                                s.GetProfile,
		"POST /api/profiles/{name}":                               s.SaveProfile,
		"DELETE /api/profiles/{name}":                             s.DeleteProfile,
		"POST /api/profiles/{name}/rename":                        s.RenameProfile,
		"POST /api/profiles/{name}/activate":                      s.ActivateProfile,
		"GET " + connections:                                      s.ListConnections,
		"POST " + connections:                                     s.CreateConnection,
		"PATCH " + connections + "/{connection_id}":               s.UpdateConnection,
		"DELETE " + connections + "/{connection_id}":              s.DeleteConnection,
		"POST /api/profiles/{name}/validate":                      s.ValidateProfile,
		"GET /api/llm-configurations":                             s.ListConfigurations,
		"POST /api/llm-configurations":                            s.CreateConfiguration,
		"POST /api/llm-configurations/test":                       s.TestConfiguration,
		"GET /api/llm-configurations/{configuration_id}":          s.GetConfiguration,
		"PUT /api/llm-configurations/{configuration_id}":          s.PutConfiguration,
		"DELETE /api/llm-configurations/{configuration_id}":       s.DeleteConfiguration,
		"POST /api/llm-configurations/{configuration_id}/default": s.DefaultConfiguration,
		"GET /api/agent-profiles":                                 s.ListAgentProfiles,
		"GET /api/agent-profiles/{name}":                          s.GetAgentProfile,
		"POST /api/agent-profiles/{name}":                         s.SaveAgentProfile,
		"DELETE /api/agent-profiles/{name}":                       s.DeleteAgentProfile,
		"POST /api/agent-profiles/{name}/rename":                  s.RenameAgentProfile,
		"POST /api/agent-profiles/{name}/activate":                s.ActivateAgentProfile,
		"POST /api/agent-profiles/{name}/materialize":             s.MaterializeAgentProfile,
		"GET /api/workspaces":                                     s.ListWorkspaces,
		"POST /api/workspaces":                                    s.AddWorkspaces,
		"DELETE /api/workspaces":                                  s.DeleteWorkspace,
		"POST /api/workspaces/parents":                            s.AddWorkspaceParents,
		"DELETE /api/workspaces/parents":                          s.DeleteWorkspaceParent,
	} {
		method, path, _ := strings.Cut(place, " ")
		table = append(table, proxy.Operation{Method: method, Path: path, Permission: access.SettingsRead, Treatment: proxy.Virtual, Handle: handle})
	}
	return table
}

// Identify knows people by the name before the @ of their address, which they bring as their token.
func (s *site) Identify(r *http.Request) (access.Caller, error) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return s.Resolve(r.Context(), access.Credential{Form: access.FormBearer, Token: token}, "")
}

func (s *site) Resolve(_ context.Context, c access.Credential, _ string) (access.Caller, error) {
	for _, p := range []*access.Principal{s.ada, s.dev, s.eve, s.view} {
		if name, _, _ := strings.Cut(p.Email, "@"); name == c.Token {
			return access.Caller{Principal: p, Credential: c}, nil
		}
	}
	return access.Caller{}, problem.Unauthorized
}

// Known and Find know no conversations.
func (s *site) Known(uuid.UUID) (access.Object, bool) { return access.Object{}, false }
func (s *site) Find(_ context.Context, _ uuid.UUID) (access.Object, error) {
	return access.Object{}, nil
}

// asked is an answer: its status, its text, and the object in it where it is one.
type asked struct {
	t      *testing.T
	what   string
	status int
	text   string
	header http.Header
}

// ask sends a request as somebody: "ada", or "team ada" for the team's documents. body may be nil, JSON as a string, or what
// encodes as JSON; headers are "Name: value".
func (s *site) ask(who, method, path string, body any, headers ...string) asked {
	s.t.Helper()
	name, ofTeam := strings.CutPrefix(who, "team ")
	if ofTeam {
		headers = append(headers, settings.ScopeHeader+": team")
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, encoded(s.t, body))
	s.must(err)
	r.Header.Set("Authorization", "Bearer "+name)
	for _, h := range headers {
		header, value, _ := strings.Cut(h, ": ")
		r.Header.Set(header, value)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	s.must(err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	s.must(err)
	return asked{t: s.t, what: who + ": " + method + " " + path, status: res.StatusCode, text: string(raw), header: res.Header}
}

func encoded(t *testing.T, body any) io.Reader {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(raw))
}

// is ends the test where the status is another one.
func (a asked) is(status int) asked {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got %d %s, want %d", a.what, a.status, a.text, status)
	}
	return a
}

// says compares the answer's status and the text of its refusal.
func (a asked) says(status int, detail string) {
	a.t.Helper()
	got, _ := a.object()["detail"].(string)
	if a.status != status || got != detail {
		a.t.Errorf("%s: got %d %s, want %d %q", a.what, a.status, a.text, status, detail)
	}
}

// faults lists those of a 422, as "type at loc", where loc is JSON.
func (a asked) faults() []string {
	a.t.Helper()
	details, _ := a.is(http.StatusUnprocessableEntity).object()["detail"].([]any)
	var found []string
	for _, d := range details {
		fault, _ := d.(map[string]any)
		loc, err := json.Marshal(fault["loc"])
		if err != nil {
			a.t.Fatal(err)
		}
		kind, _ := fault["type"].(string)
		found = append(found, kind+" at "+string(loc))
	}
	return found
}

func (a asked) object() map[string]any {
	a.t.Helper()
	return object(a.t, a.text)
}

// equals compares the whole answer with JSON; members of the answer that are named in but are left out.
func (a asked) equals(want string, but ...string) {
	a.t.Helper()
	got := a.object()
	maps.DeleteFunc(got, func(name string, _ any) bool {
		for _, b := range but {
			if b == name {
				return true
			}
		}
		return false
	})
	if g, w := canonical(a.t, got), canonical(a.t, object(a.t, want)); g != w {
		a.t.Errorf("%s: got\n%s, want\n%s", a.what, g, w)
	}
}

func canonical(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
