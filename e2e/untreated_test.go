package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/internal/guard"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

// untreated is the variable by which guards are taken out of a build with the tag "untreated". No other build knows it.
const untreated = "OPENHANDS_SAAS_UNTREATED"

// fallen is what is taken out, and what the judge must then see. onWire says that the relays, which do not know who reads, must
// see it too.
type fallen struct {
	guards []guard.Guard
	sees   []string
	onWire bool
}

// eachGuard takes out one guard after the other. A cookie of the upstream stands behind two: it must be asked for, and let pass.
func eachGuard() []fallen {
	return []fallen{
		{[]guard.Guard{guard.Own}, []string{ofOthers}, false},
		{[]guard.Guard{guard.Filter}, []string{ofOthers}, false},
		{[]guard.Guard{guard.Create}, []string{ofOthers}, false},
		{[]guard.Guard{guard.Confine}, []string{ofOthers}, false},
		{[]guard.Guard{guard.Virtual}, []string{ofOthers, aFolder}, false},
		{[]guard.Guard{guard.Deny}, []string{ofOthers, aToken}, true},
		{[]guard.Guard{guard.Masking}, []string{aKey}, true},
		{[]guard.Guard{guard.Headers}, []string{aHeader}, true},
		{[]guard.Guard{guard.Virtual, guard.Headers}, []string{aCookie}, true},
		{[]guard.Guard{guard.Errors}, []string{anInside, aFolder}, true},
		{[]guard.Guard{guard.Objects}, []string{ofOthers, aFolder}, true},
		{[]guard.Guard{guard.Stored}, []string{aFolder}, true},
		{[]guard.Guard{guard.Frames}, []string{aFolder}, true},
	}
}

// TestWithoutAGuardTheJudgeSeesTheLeak proves that the judging of all other tests sees what it must. Somebody of a second team
// asks the same of the product as people run it, and of builds in which one guard is gone. The first must leak nothing, though
// it is told to do without all guards; each of the others must be caught.
func TestWithoutAGuardTheJudgeSeesTheLeak(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	if all := e.leaks(t, e.server.url); len(all) > 0 {
		t.Fatalf("with every guard in place there are leaks: %v", all)
	}
	binary, err := stack.BuildBinary(t.Context(), stack.BinaryOptions{
		Output: filepath.Join(t.TempDir(), "untreated"), Race: true, Tags: "untreated",
	})
	if err != nil {
		t.Fatal(err)
	}
	for build, want := range map[string]bool{world.binary: false, binary: true} {
		if raw, err := os.ReadFile(build); err != nil || bytes.Contains(raw, []byte(untreated)) != want {
			t.Fatalf("that guards can be taken out of %s is %v (%v)", filepath.Base(build), !want, err)
		}
	}
	out := map[guard.Guard]bool{}
	for _, c := range eachGuard() {
		t.Run(fmt.Sprint(c.guards), func(t *testing.T) { e.caught(t, binary, c) })
		for _, g := range c.guards {
			out[g] = true
		}
	}
	t.Run("page", e.caughtInPage)
	for _, name := range append(guard.All(), treatments(t, e.server)...) {
		if !out[name] {
			t.Errorf("nobody tried to do without %s", name)
		}
	}
	t.Logf("taken out: %d guards and the page's own head, each leak was seen", len(out))
}

// treatments are those that the table of operations has, but for the one that lets everything pass.
func treatments(t *testing.T, server *instance) (all []guard.Guard) {
	t.Helper()
	var table []struct{ Treatment guard.Guard }
	if err := json.Unmarshal([]byte(server.command(t, "routes", "--json")), &table); err != nil || len(table) < 100 {
		t.Fatalf("%d routes: %v", len(table), err)
	}
	for _, row := range table {
		if row.Treatment != "PASS" && !slices.Contains(all, row.Treatment) {
			all = append(all, row.Treatment)
		}
	}
	return all
}

// estate is what a team has, and somebody of another team who asks for it.
type estate struct {
	env      map[string]string
	server   *instance
	shown    exhibit // the team's
	command  string  // the id of a command that was run for the team
	intruder *client
	own      string // the intruder's conversation: its agent printed the upstream's key
	reader   reader
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	e := &estate{env: environment(dbtest.URL(t), map[string]string{"UPSTREAM_URL": talkative(t)})}
	with := maps.Clone(e.env)
	with[untreated] = names(guard.All())
	e.server = start(t, with)

	owner := signedUp(t, e.server.url)
	e.intruder = signedUp(t, e.server.url)
	e.shown = furnished(t, owner)
	e.own = e.intruder.create(printsKey())
	e.intruder.finished(e.own)
	strange := childAt(t, talk{e.own, e.intruder.workingDir(e.own)})
	e.furnishUpstream(t)
	e.reader = reader{
		teams:   []string{teamOfOnesOwn(e.intruder)},
		foreign: append(e.shown.marks(), e.command, teamOfOnesOwn(owner), owner.email, strange),
	}
	return e
}

// furnishUpstream puts something of the team's where the upstream keeps things once for all.
func (e *estate) furnishUpstream(t *testing.T) {
	t.Helper()
	ran := asUpstream(t, "POST", "/api/bash/execute_bash_command", map[string]any{"command": "echo " + e.shown.content, "cwd": e.shown.dir})
	e.command = newClient(t, "").field(ran, "id")
	entry := map[string]any{"id": "/" + uuid.NewString(), "name": e.shown.title, "path": e.shown.dir}
	asUpstream(t, "POST", "/api/workspaces", map[string]any{"workspaces": []any{entry}})
}

// asUpstream asks the upstream itself, with its key.
func asUpstream(t *testing.T, method, path string, body any) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, world.upstream.URL()+path, jsonBody(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Session-API-Key", world.upstream.Key())
	a, err := do(r)
	if err != nil || a.status >= 300 {
		t.Fatalf("the upstream says %d to %s %s: %s (%v)", a.status, method, path, a.body, err)
	}
	return a
}

// talkative stands in front of the upstream: it has an editor, which the real one has where that is installed, and it fails.
func talkative(t *testing.T) string {
	t.Helper()
	target, err := url.Parse(world.upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		ErrorLog:  log.New(io.Discard, "", 0), // callers hang up
	})
	mux.HandleFunc("GET /api/vscode/url", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"url":"http://localhost:8001/?tkn=%s&folder=workspace"}`, world.upstream.Key())
	})
	mux.HandleFunc("GET /api/llm/models/verified", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = fmt.Fprintf(w, `{"detail":"Traceback (most recent call last): %s/home/models.json"}`, filepath.Join(world.dir, "upstream"))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// caught runs a build without some guards beside the other one, on the same database.
func (e *estate) caught(t *testing.T, binary string, c fallen) {
	env := maps.Clone(e.env)
	env[untreated] = names(c.guards)
	e.caughtAt(t, binary, env, c)
}

// caughtInPage takes the page that Canvas' own server would give: it knows the key.
func (e *estate) caughtInPage(t *testing.T) {
	env, dir := maps.Clone(e.env), t.TempDir()
	index, err := os.ReadFile(filepath.Join(world.canvas, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	key := `<script>window.__AGENT_CANVAS_SESSION_API_KEY__="` + world.upstream.Key() + `";</script></head>`
	if err := os.WriteFile(filepath.Join(dir, "index.html"), bytes.Replace(index, []byte("</head>"), []byte(key), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	env["FRONTEND_DIR"] = dir
	e.caughtAt(t, world.binary, env, fallen{sees: []string{aGlobal, aKey}, onWire: true})
}

func (e *estate) caughtAt(t *testing.T, binary string, env map[string]string, c fallen) {
	t.Helper()
	server, err := launchBinary(t.Context(), binary, env)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	leaks := e.leaks(t, server.url)
	for _, kind := range c.sees {
		if !slices.Contains(kinds(leaks), kind) {
			t.Errorf("%s was delivered, and nobody noticed: only %v", kind, leaks)
		}
	}
	if finds := server.wire.Finds(); c.onWire && len(finds) == 0 {
		t.Error("the relay did not notice")
	}
	t.Logf("seen: %s; by the relay: %d", strings.Join(kinds(leaks), ", "), len(server.wire.Finds()))
}

// leaks has the intruder ask, and judges what came.
func (e *estate) leaks(t *testing.T, address string) []leak {
	t.Helper()
	wire := newTap(t, address)
	who := *e.intruder
	who.t, who.base = t, wire.url
	own, theirs := "/api/conversations/"+e.own, "/api/conversations/"+e.shown.id
	for _, way := range []string{
		theirs, theirs + "/events/search?limit=100", theirs + "/workspace/" + e.shown.file,
		"/api/conversations?ids=" + e.shown.id, "/api/conversations/search?limit=100",
		"/api/file/download?path=" + e.shown.dir + "/" + e.shown.file,
		"/api/workspaces", "/api/settings", "/api/bash/bash_events/" + e.command, "/api/vscode/url", "/server_info", "/",
		"/api/llm/models/verified", own, own + "/events/search?limit=100", own + "/workspace/key.txt",
	} {
		who.get(way)
	}
	who.post("/api/auth/workspace-session", nil)
	body := newTalk()
	body["conversation_id"], body["workspace"] = e.shown.id, map[string]any{"working_dir": e.shown.dir}
	body["agent_settings"] = map[string]any{"llm": map[string]any{"model": world.llm.Model(), "base_url": world.llm.URL(), "api_key": "sample"}}
	who.post("/api/conversations", body)
	for _, id := range []string{e.own, e.shown.id} {
		who.glance("/sockets/events/" + id + "?resend_mode=all")
	}
	return e.reader.leaks(wire.delivered())
}

// glance opens a WebSocket and takes what comes first, if anything.
func (c *client) glance(path string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 10*time.Second)
	defer cancel()
	header := http.Header{"Authorization": {"Bearer " + c.token}}
	conn, _, err := websocket.Dial(ctx, c.base+path, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(64 << 20)
	_, _, _ = conn.Read(ctx)
}

func names(guards []guard.Guard) string {
	all := []string{}
	for _, g := range guards {
		all = append(all, string(g))
	}
	return strings.Join(all, " ")
}
