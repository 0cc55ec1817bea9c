package proxy_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// A file of a conversation, and one of its pages.
const (
	talks    = "/api/conversations/"
	pagePath = "/workspace/site/index.html"
)

// gallery is a stand with a content origin.
type gallery struct {
	*stand
	content string // the address of its server
	ahead   atomic.Int64
}

func newGallery(t *testing.T, upstream http.HandlerFunc, change func(*proxy.Config)) *gallery {
	t.Helper()
	g := &gallery{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g.content = "http://" + listener.Addr().String()
	g.stand = newStand(t, upstream, func(c *proxy.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(g.ahead.Load())) }
		c.Content = &proxy.ContentConfig{Origin: g.content, Key: []byte(strings.Repeat("k", 32)), Prefix: talks}
		c.Origins = []string{"https://agents.example.com"}
		for i := range c.Operations {
			if strings.Contains(c.Operations[i].Path, "/workspace/") {
				c.Operations[i].Content, c.Operations[i].Handle = true, showPage
			}
		}
		if change != nil {
			change(c)
		}
	})
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(g.engine.ServeContent)}}
	server.Start()
	t.Cleanup(server.Close)
	return g
}

func showPage(x *proxy.Exchange) error {
	if to, ok := x.Link(); ok {
		return x.Redirect(to)
	}
	return x.Forward(proxy.Outgoing{Ranges: true})
}

// link asks for a page and returns where it leads.
func (g *gallery) link(t *testing.T, token string) string {
	t.Helper()
	a := g.ask(t, "GET", talks+ours.String()+pagePath, token)
	to := a.Header.Get("Location")
	if a.StatusCode != http.StatusFound || !strings.HasPrefix(to, g.content+"/") {
		t.Fatalf("no link: %d %s to %q", a.StatusCode, a.body, to)
	}
	return to
}

// open asks the content origin.
func (g *gallery) open(t *testing.T, method, address string, adapt ...func(*http.Request)) answer {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = u.EscapedPath()
	for _, f := range adapt {
		f(r)
	}
	return do(t, r)
}

func TestALinkShowsThePageAndWhatLiesBesideItWithoutACredential(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	a := g.ask(t, "GET", talks+strings.ToUpper(ours.String())+"/workspace/a%23b/c%20d.html?v=1&cid=x", "dev")
	to := a.Header.Get("Location")
	base, found := strings.CutSuffix(to, "/workspace/a%23b/c%20d.html?v=1")
	if a.StatusCode != http.StatusFound || !found || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("%d to %q, %v", a.StatusCode, to, a.Header)
	}
	for path, want := range map[string]string{
		"/workspace/a%23b/c%20d.html": "/workspace/a%23b/c%20d.html", "/workspace/style.css": "/workspace/style.css", "/workspace/": "/workspace/",
	} {
		a := g.open(t, "GET", base+path, header("Cookie", cookieName+"=other"), header("Authorization", "Bearer other"), header("X-Session-Api-Key", "other"))
		if a.StatusCode != 200 || !strings.Contains(a.body, `"Target":"`+talks+ours.String()+want+`"`) || !strings.Contains(a.body, `"X-Openhands-User-Email":["dev+1@example.com"]`) ||
			strings.Contains(a.body, `"other"`) || len(a.Cookies()) > 0 {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	if again := g.link(t, "dev"); !strings.HasPrefix(again, base) {
		t.Errorf("the link changed at once: %s", again)
	}
	if other := g.link(t, "viewer"); strings.HasPrefix(other, base) {
		t.Error("two people have one link")
	}
}

func TestOnTheContentOriginThereIsNothingElse(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, func(c *proxy.Config) { c.Fallback = http.NotFoundHandler() })
	page := g.link(t, "dev")
	base := strings.TrimSuffix(page, pagePath)
	dev := header("Authorization", "Bearer dev")
	for _, path := range []string{
		"/", "/index.html", "/api/models", talks + "search", talks + ours.String(), talks + ours.String() + pagePath, "/account/login", "/healthz",
		"/sockets/events/" + ours.String(), "/server_info", "/robots.txt", "//", "/a/../b",
	} {
		if a := g.open(t, "GET", g.content+path, dev); a.StatusCode != 404 || a.body != `{"detail":"Not Found"}` {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"", "/", "/events", "/workspace", "/events/search", "/workspace/../events", "//workspace/x", "/../" + ours.String()} {
		if a := g.open(t, "GET", base+path, dev); a.StatusCode != 404 {
			t.Errorf("below the link, %q: %d %s", path, a.StatusCode, a.body)
		}
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"} {
		if a := g.open(t, method, page, dev); a.StatusCode != 404 {
			t.Errorf("%s: %d", method, a.StatusCode)
		}
	}
	if a := g.open(t, "GET", page, header("Service-Worker", "script")); a.StatusCode != 404 {
		t.Errorf("a service worker's script: %d", a.StatusCode)
	}
	if a := g.ask(t, "GET", strings.TrimPrefix(page, g.content), "dev"); a.StatusCode == 200 {
		t.Errorf("a link works on the main origin: %s", a.body)
	}
}

func TestAForgedLinkLeadsNowhere(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	text := strings.TrimSuffix(strings.TrimPrefix(g.link(t, "dev"), g.content+"/"), pagePath)
	forged := []string{text[:len(text)-1], text + "A", strings.Repeat("A", len(text)), text + "=", "%41" + text[1:], strings.ToLower(text)}
	for at := range text { // a change of any letter
		other := byte('A')
		if text[at] == 'A' {
			other = 'B'
		}
		forged = append(forged, text[:at]+string(other)+text[at+1:])
	}
	for _, f := range forged {
		if a := g.open(t, "GET", g.content+"/"+f+pagePath); a.StatusCode != 404 || a.body != `{"detail":"Not Found"}` {
			t.Errorf("%s: %d %s", f, a.StatusCode, a.body)
		}
	}
	elsewhere := newGallery(t, nil, func(c *proxy.Config) { c.Content.Key = []byte(strings.Repeat("K", 32)) })
	if a := elsewhere.open(t, "GET", elsewhere.content+"/"+text+pagePath); a.StatusCode != 404 {
		t.Errorf("signed by another key: %d", a.StatusCode)
	}
}

func TestALinkShowsNoIds(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	text := strings.TrimSuffix(strings.TrimPrefix(g.link(t, "dev"), g.content+"/"), pagePath)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	p := g.people["dev"]
	for name, id := range map[string]uuid.UUID{"conversation": ours, "user": p.User, "session": p.Session} {
		if bytes.Contains(raw, id[:8]) || bytes.Contains(raw, id[8:]) {
			t.Errorf("the %s stands in the link", name)
		}
	}
}

func TestALinkLivesForFiveToTenMinutes(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	page := g.link(t, "dev")
	g.ahead.Store(int64(5*time.Minute - time.Second))
	if a := g.open(t, "GET", page); a.StatusCode != 200 {
		t.Errorf("before five minutes: %d %s", a.StatusCode, a.body)
	}
	g.ahead.Store(int64(10 * time.Minute))
	has(t, g.open(t, "GET", page), http.StatusGone, "open the file again")
	reload := g.open(t, "GET", page+"?v=1", header("Sec-Fetch-Dest", "document"))
	if to := reload.Header.Get("Location"); reload.StatusCode != http.StatusFound || !strings.HasPrefix(to, "https://agents.example.com"+talks+ours.String()+pagePath) {
		t.Errorf("a reload: %d to %q", reload.StatusCode, to)
	}
	if a := g.open(t, "GET", g.content+"/"+strings.Repeat("A", 96)+pagePath, header("Sec-Fetch-Dest", "document")); a.StatusCode != 404 {
		t.Errorf("a forged one that is over: %d", a.StatusCode)
	}
}

func TestALinkIsWorthWhatItsSessionIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world)
		status int
	}{
		"the session ended":             {func(w *world) { delete(w.people, "viewer") }, 404},
		"the membership ended":          {func(w *world) { w.people["viewer"].Memberships = nil }, 404},
		"the conversation was deleted":  {func(w *world) { o := w.objects[ours]; o.State = access.StateDeleted; w.objects[ours] = o }, 404},
		"it became private":             {func(w *world) { o := w.objects[ours]; o.Private = true; w.objects[ours] = o }, 404},
		"it was given to another team":  {func(w *world) { o := w.objects[ours]; o.Team = blue; w.objects[ours] = o }, 404},
		"nobody can be asked about it":  {func(w *world) { w.away = errAway }, 503},
		"nothing that is its business":  {func(w *world) { delete(w.people, "dev") }, 200},
		"the role went up by one or so": {func(w *world) { w.people["viewer"].Memberships[0].Role = access.Admin }, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGallery(t, nil, nil)
			page := g.link(t, "viewer")
			if a := g.open(t, "GET", page); a.StatusCode != 200 {
				t.Fatalf("before: %d %s", a.StatusCode, a.body)
			}
			g.change(func() { c.change(g.world) })
			if a := g.open(t, "GET", page); a.StatusCode != c.status || c.status == 404 && a.body != `{"detail":"Not Found"}` {
				t.Errorf("after: %d %s, want %d", a.StatusCode, a.body, c.status)
			}
		})
	}
}

func TestAnAnonymousLinkEndsWithTheMode(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	g.change(func() {
		g.anonymous = &access.Principal{Anonymous: true, CurrentTeam: red, Memberships: []access.Membership{{Team: red, Role: access.Developer}}}
	})
	page := g.link(t, "")
	if a := g.open(t, "GET", page); a.StatusCode != 200 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	g.change(func() { g.anonymous = nil })
	if a := g.open(t, "GET", page); a.StatusCode != 404 {
		t.Errorf("after the mode ended: %d %s", a.StatusCode, a.body)
	}
}

func TestWhoHasNoSessionGetsTheFileItself(t *testing.T) {
	t.Parallel()
	g := newGallery(t, nil, nil)
	g.change(func() { p := *g.people["dev"]; p.Session = [16]byte{}; g.people["dev"] = &p })
	has(t, g.ask(t, "GET", talks+ours.String()+pagePath, "dev"), 200, pagePath)
}

func TestADownloadByALinkEndsWithItsSession(t *testing.T) {
	t.Parallel()
	g := newGallery(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", decimal(64<<20))
		_, _ = io.WriteString(w, strings.Repeat("begun", 64<<10))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}, nil)
	r, err := http.NewRequestWithContext(t.Context(), "GET", g.link(t, "viewer"), nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if _, err := io.ReadFull(res.Body, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	g.ahead.Store(int64(time.Hour)) // what runs goes on when its link is over
	if g.engine.Live().Len() != 1 {
		t.Errorf("%d live", g.engine.Live().Len())
	}
	g.change(func() { delete(g.people, "viewer") })
	began := time.Now()
	if _, err := io.ReadAll(res.Body); err == nil || time.Since(began) > 2*time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}

func TestNoLogHoldsALink(t *testing.T) {
	t.Parallel()
	g := newGallery(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, nil)
	page := g.link(t, "dev")
	if a := g.open(t, "GET", page); a.StatusCode != 500 {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	g.change(func() { g.away = errAway })
	g.open(t, "GET", page)
	text := strings.TrimSuffix(strings.TrimPrefix(page, g.content+"/"), pagePath)
	if log := g.log.String(); strings.Contains(log, text[:20]) || !strings.Contains(log, talks+ours.String()+pagePath) {
		t.Errorf("the log: %s", log)
	}
}

func TestALinkNeedsAnOriginAndAKey(t *testing.T) {
	t.Parallel()
	for _, c := range []proxy.ContentConfig{
		{Origin: "content.example.com", Key: []byte(strings.Repeat("k", 32)), Prefix: talks},
		{Origin: "https://content.example.com", Key: []byte("short"), Prefix: talks},
	} {
		w := newWorld()
		at, _ := url.Parse("http://127.0.0.1:1")
		if _, err := proxy.New(proxy.Config{Upstream: at, Key: key, Gate: w, Objects: w, Events: w, Content: &c}); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

var errAway = problem.Unavailable("away", nil)
