package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/openhands-saas/openhands-saas/e2e/relay"
	"github.com/openhands-saas/openhands-saas/e2e/stack"
)

// startWithContent runs an instance that is 127.0.0.1 to its users and localhost to the pages of agents: two origins, one
// listener. Its relay must be there first, because its port is in the settings.
func startWithContent(t *testing.T) (i *instance, content string) {
	t.Helper()
	text := freePort(t)
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	needles, words := lookedFor()
	wire, err := relay.Listen("127.0.0.1:"+text, needles, words...)
	if err != nil {
		t.Fatal(err)
	}
	_, outside, _ := strings.Cut(wire.Addr(), ":")
	env := environment("", map[string]string{
		"PUBLIC_URL": "http://127.0.0.1:" + outside, "CONTENT_URL": "http://localhost:" + outside,
	})
	dir, err := os.MkdirTemp(world.dir, "instance-")
	if err != nil {
		t.Fatal(err)
	}
	process, err := stack.StartInstance(t.Context(), stack.InstanceOptions{
		Binary: world.binary, Args: []string{"serve", "--log-level", "debug"}, DataDir: dir, Port: port, Env: env,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	world.mu.Lock()
	defer world.mu.Unlock()
	world.relays, world.instances = append(world.relays, wire), append(world.instances, process)
	return &instance{Instance: process, wire: wire, url: "http://" + wire.Addr(), env: env}, "http://localhost:" + outside
}

// site is a page with a style, a font's worth of data and two kinds of scripts beside it, which says what of them worked.
var site = map[string]string{
	"site/index.html": `<!doctype html><meta charset="utf-8"><title>page</title><link rel="stylesheet" href="css/style.css">
<h1 id="said">nothing worked</h1><script src="app.js"></script><script type="module" src="./module.js"></script>`,
	"site/css/style.css": `h1 { color: rgb(1, 2, 3) }`,
	"site/app.js":        `document.querySelector("#said").textContent = "script"`,
	"site/module.js": `const data = await (await fetch("data.json")).json();
const tries = {};
const attempt = async (name, f) => { try { tries[name] = String(await f()) } catch (e) { tries[name] = e.name } };
await attempt("cookie", () => document.cookie);
await attempt("storage", () => localStorage.length);
await attempt("worker", () => navigator.serviceWorker.register("app.js"));
await attempt("main", () => fetch(data.main + "/api/auth/users/me", {credentials: "include"}));
await attempt("host", () => fetch(new URL("/api/auth/users/me", location.href), {credentials: "include"}).then(r => r.status));
document.querySelector("#said").textContent += " module " + JSON.stringify(tries)`,
}

func TestAPageOfAWorkspaceWorksOnTheContentOriginAndCanDoNothingElse(t *testing.T) {
	t.Parallel()
	server, content := startWithContent(t)
	b := newBrowser(t, "content")
	b.do("registered", chromedp.Navigate(server.url+"/account/register"), chromedp.WaitVisible(passBox), fillRegistration())
	ann := &client{t: t, base: server.url}
	id := script[string](b, `fetch("/api/conversations", {method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({agent_settings: {}, workspace: {working_dir: ""}})}).then(r => r.json()).then(c => c.id)`)
	dir := script[string](b, `fetch("/api/conversations/`+id+`").then(r => r.json()).then(c => c.workspace.working_dir)`)
	files := map[string]string{"site/data.json": `{"main":"` + server.url + `"}`}
	for name, text := range site {
		files[name] = text
	}
	for name, text := range files {
		status := script[int](b, fmt.Sprintf(`(() => { const form = new FormData(); form.append("file", new Blob([%q]), "f");
			return fetch("/api/conversations/%s/file/upload?path=" + encodeURIComponent(%q), {method: "POST", body: form}).then(r => r.status) })()`,
			text, id, dir+"/"+name))
		if status != http.StatusOK {
			t.Fatalf("upload of %s: %d", name, status)
		}
	}
	page := "/api/conversations/" + id + "/workspace/site/index.html"
	b.do("page", chromedp.Navigate(server.url+page), chromedp.WaitVisible(chromedp.CSS("#said")))
	b.sees("module")
	b.do("page works")
	want := `script module {"cookie":"SecurityError","storage":"SecurityError","worker":"SecurityError","main":"TypeError","host":"TypeError"}`
	got := script[string](b, `document.querySelector("#said").textContent`)
	color := script[string](b, `getComputedStyle(document.querySelector("h1")).color`)
	at := script[string](b, `location.href`)
	if got != want || color != "rgb(1, 2, 3)" || !strings.HasPrefix(at, content+"/") {
		t.Errorf("at %s: %s, want %s; colour %s", at, got, want, color)
	}

	b.do("home again", chromedp.Navigate(server.url+"/"), chromedp.WaitVisible(home))
	framed := script[string](b, `new Promise(done => { const f = document.createElement("iframe"); f.src = "`+page+`";
		f.onload = () => done("loaded"); document.addEventListener("securitypolicyviolation", e => done(e.violatedDirective));
		document.body.append(f) })`)
	if framed != "loaded" {
		t.Errorf("in a frame of Canvas: %s", framed)
	}

	if a := ann.ask(http.MethodGet, strings.Replace(at, "localhost", "127.0.0.1", 1), ""); a.status == http.StatusOK {
		t.Errorf("the link works on the main origin: %.100s", a.body)
	}
	if a := ann.ask(http.MethodGet, at, ""); a.status != http.StatusOK || a.body != site["site/index.html"] {
		t.Errorf("the link: %d %s", a.status, a.body)
	}
	script[int](b, `fetch("/account/logout", {method: "POST"}).then(r => r.status)`)
	within(t, 2*time.Second, "the link ends with the session", func() error {
		if a := ann.ask(http.MethodGet, at, ""); a.status != http.StatusNotFound {
			return fmt.Errorf("%d %.100s", a.status, a.body)
		}
		return nil
	})
}

func TestRangesOfAFileAreServedAndAKeyInItStaysMasked(t *testing.T) {
	t.Parallel()
	ann := signedUp(t, shared(t).url)
	id := ann.create("")
	var info struct {
		Workspace struct {
			WorkingDir string `json:"working_dir"`
		}
	}
	ann.want(http.StatusOK, ann.get("/api/conversations/"+id)).json(t, &info)
	dir := info.Workspace.WorkingDir
	text := strings.Repeat("x", 70_000) + world.upstream.Key() + "end"
	masked := strings.Replace(text, world.upstream.Key(), strings.Repeat("*", len(world.upstream.Key())), 1)
	form := "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n" + text + "\r\n--cut--\r\n"
	ann.want(http.StatusOK, ann.send("POST", "/api/conversations/"+id+"/file/upload?path="+url.QueryEscape(dir+"/video.mp4"),
		strings.NewReader(form), "multipart/form-data; boundary=cut"))
	for _, path := range []string{
		"/api/conversations/" + id + "/workspace/video.mp4",
		"/api/conversations/" + id + "/file/download?path=" + url.QueryEscape(dir+"/video.mp4"),
		"/api/file/download?path=" + url.QueryEscape(dir+"/video.mp4"),
	} {
		half := 70_000 + len(world.upstream.Key())/2
		first := ann.ask(http.MethodGet, ann.base+path, fmt.Sprintf("bytes=0-%d", half-1))
		second := ann.ask(http.MethodGet, ann.base+path, fmt.Sprintf("bytes=%d-", half))
		if first.status != 206 || second.status != 206 || first.body+second.body != masked {
			t.Errorf("%s: %d and %d, %.80q", path, first.status, second.status, strings.TrimLeft(first.body+second.body, "x"))
		}
		if want := fmt.Sprintf("bytes %d-%d/%d", half, len(text)-1, len(text)); second.header.Get("Content-Range") != want {
			t.Errorf("%s: %q, want %q", path, second.header.Get("Content-Range"), want)
		}
		if a := ann.ask(http.MethodGet, ann.base+path, "bytes=999999-"); a.status != 416 {
			t.Errorf("%s: behind the end %d %s", path, a.status, a.body)
		}
		if a := ann.ask(http.MethodGet, ann.base+path, "", "If-None-Match: "+first.header.Get("Etag")); a.status != 304 || first.header.Get("Etag") == "" {
			t.Errorf("%s: what the client has: %d", path, a.status)
		}
	}
}

// ask sends one request to an address, with a range and headers ("Name: value").
func (c *client) ask(method, address, ranges string, headers ...string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(context.WithoutCancel(c.t.Context()), method, address, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if ranges != "" {
		r.Header.Set("Range", ranges)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	a, err := do(r)
	if err != nil && !errors.Is(err, io.EOF) {
		c.t.Fatal(err)
	}
	return a
}
