package agentserver_test

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const indexPage = `<!DOCTYPE html><html><head lang="x"><title>UI</title><link rel="modulepreload" href="/assets/a-1.js"/></head><body>` +
	`<script>window.first = "<head><script>";</script><p title="<script>">x</p><SCRIPT type="module" async="">import "/assets/a-1.js";</SCRIPT></body></html>`

// build makes a folder with a small UI in it.
func build(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"index.html": indexPage, "assets/a-1.js": "let a", "assets/a-1.css": "a{}", "favicon.ico": "ico", "locales/en/app.json": "{}",
		"site.webmanifest": "{}", ".env": "SECRET=1", ".git/config": "x", "../outside.txt": "outside",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside.txt", filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// bare is a configuration of which only the UI works.
func bare() agentserver.Config {
	return agentserver.Config{
		Conversations: new(conversation.Service), Vault: new(vault.Store), Egress: new(egress.Policy), WorkspaceRoot: workspaceRoot,
	}
}

func withUI(t testing.TB) http.Handler {
	t.Helper()
	config := bare()
	config.FrontendDir = build(t)
	config.Head = func(nonce string) template.HTML {
		return template.HTML(`<script nonce="` + nonce + `" src="/overlay.js"></script>`)
	}
	d, err := agentserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return d.UI()
}

func get(t testing.TB, h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestEveryScriptOfThePageCarriesTheNonceAndOursComeFirst(t *testing.T) {
	t.Parallel()
	w := get(t, withUI(t), "/")
	policy := w.Header().Get("Content-Security-Policy")
	found := regexp.MustCompile(`'nonce-([A-Z2-7]{26,})'`).FindStringSubmatch(policy)
	if found == nil {
		t.Fatalf("no nonce in %q", policy)
	}
	page, mark := w.Body.String(), ` nonce="`+found[1]+`"`
	if n := strings.Count(page, mark); n != 4 {
		t.Errorf("%d scripts carry the nonce, want 4:\n%s", n, page)
	}
	rest := strings.ReplaceAll(page, mark, "")
	before, after, _ := strings.Cut(rest, `<head lang="x">`)
	if before != `<!DOCTYPE html><html>` || !strings.HasPrefix(after, "<script>(() => {") {
		t.Errorf("the page begins with %.200s", rest)
	}
	if !strings.HasSuffix(rest, `<script src="/overlay.js"></script>`+indexPage[len(`<!DOCTYPE html><html><head lang="x">`):]) {
		t.Errorf("the rest of the page was changed:\n%s", rest)
	}
	for _, want := range []string{`placeholder = "cookie"`, "__AGENT_CANVAS_DO_NOT_TRACK__ = true", "openhands-onboarded", "openhands-backend-health", "/account/login?return="} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestNoTwoPagesShareANonce(t *testing.T) {
	t.Parallel()
	h := withUI(t)
	one, two := get(t, h, "/").Header(), get(t, h, "/").Header()
	if one.Get("Content-Security-Policy") == two.Get("Content-Security-Policy") {
		t.Error("the nonce was used twice")
	}
	if one.Get("Cache-Control") != "no-store" || one.Get("ETag") != "" {
		t.Errorf("the page may be kept: %v", one)
	}
}

func TestThePageTalksToItsOwnHostOnly(t *testing.T) {
	t.Parallel()
	h := get(t, withUI(t), "/").Header()
	for _, want := range []string{
		"default-src 'self'", "connect-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'", "form-action 'self'",
	} {
		if !strings.Contains(h.Get("Content-Security-Policy"), want) {
			t.Errorf("the policy lacks %q", want)
		}
	}
	if scripts := regexp.MustCompile(`script-src[^;]*`).FindString(h.Get("Content-Security-Policy")); strings.Contains(scripts, "unsafe") {
		t.Errorf("scripts may be %q", scripts)
	}
	if h.Get("Referrer-Policy") != "same-origin" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers are %v", h)
	}
}

func TestRoutesOfTheUIGetThePageAndMissingFilesDoNot(t *testing.T) {
	t.Parallel()
	h := withUI(t)
	for path, want := range map[string]string{
		"/": "page", "/conversations/8c0f": "page", "/settings/llm": "page", "/index": "page", "/assetsx": "page", "/locales": "page",
		"/index.html": "404", "/assets/none.js": "404", "/assets/": "404", "/assets": "404", "/none.png": "404", "/locales/en/none.json": "404",
		"/.env": "404", "/.git/config": "404", "/link.txt": "404", "/../outside.txt": "404",
	} {
		w := get(t, h, path)
		got := "page"
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>UI</title>") {
			got = http.StatusText(w.Code)
			if w.Code == http.StatusNotFound {
				got = "404"
			}
		}
		if got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		if strings.Contains(w.Body.String(), "outside") || strings.Contains(w.Body.String(), "SECRET") {
			t.Errorf("%s: a foreign file got out", path)
		}
	}
}

func TestFilesHaveTheirTypeAndAreKeptByTheBrowser(t *testing.T) {
	t.Parallel()
	h := withUI(t)
	for path, want := range map[string][2]string{
		"/assets/a-1.js":       {"text/javascript; charset=utf-8", "public, max-age=31536000, immutable"},
		"/assets/a-1.css":      {"text/css; charset=utf-8", "public, max-age=31536000, immutable"},
		"/favicon.ico":         {"image/x-icon", "no-cache"},
		"/locales/en/app.json": {"application/json", "no-cache"},
		"/site.webmanifest":    {"application/manifest+json", "no-cache"},
	} {
		w := get(t, h, path)
		if got := [2]string{w.Header().Get("Content-Type"), w.Header().Get("Cache-Control")}; w.Code != http.StatusOK || got != want {
			t.Errorf("%s: %d %v", path, w.Code, got)
		}
		if again := get(t, h, path, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
			t.Errorf("%s: asked again it was %d", path, again.Code)
		}
	}
}

func TestFilesArePublicAndThePageIsNot(t *testing.T) {
	t.Parallel()
	h, isPublic := withUI(t).(proxy.PublicHandler)
	if !isPublic {
		t.Fatal("the UI says nothing about what is public")
	}
	for path, want := range map[string]bool{
		"/assets/a-1.js": true, "/favicon.ico": true, "/none.js": true, "/": false, "/conversations/1": false,
	} {
		if got := h.Public(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)); got != want {
			t.Errorf("%s: public is %v", path, got)
		}
	}
}

func TestTheUIIsOnlyRead(t *testing.T) {
	t.Parallel()
	h := withUI(t)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("a POST got %d", w.Code)
	}
}

func TestWithoutABuildEverythingIsMissing(t *testing.T) {
	t.Parallel()
	d, err := agentserver.New(bare())
	if err != nil {
		t.Fatal(err)
	}
	w := get(t, d.UI(), "/")
	if w.Code != http.StatusNotFound || w.Body.String() != `{"detail":"Not Found"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestAFolderThatIsNoBuildIsSaidSoAtStart(t *testing.T) {
	t.Parallel()
	empty, headless := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(headless, "index.html"), []byte("<p>no head</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{empty, headless, filepath.Join(empty, "none")} {
		config := bare()
		config.FrontendDir = dir
		if _, err := agentserver.New(config); err == nil || !strings.Contains(err.Error(), "FRONTEND_DIR") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestTheEditorComesFromOurOwnOriginWhereItIs(t *testing.T) {
	t.Parallel()
	const asset = "/assets/diff-1.js"
	const theirs = "vs:`https://cdn.jsdelivr.net/npm/monaco-editor@9.8.7/min/vs`"
	for _, c := range []struct{ name, folder, want string }{
		{"absent", "", theirs},
		{"another version", "monaco-editor@9.8.6/min/vs", theirs},
		{"present", "monaco-editor@9.8.7/min/vs", "vs:`/monaco-editor@9.8.7/min/vs`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			config := bare()
			config.FrontendDir = build(t)
			put(t, config.FrontendDir+asset, theirs)
			if c.folder != "" {
				put(t, filepath.Join(config.FrontendDir, c.folder, "loader.js"), "the loader")
			}
			d, err := agentserver.New(config)
			if err != nil {
				t.Fatal(err)
			}
			w := get(t, d.UI(), asset)
			if w.Body.String() != c.want || w.Header().Get("Cache-Control") != "no-cache" {
				t.Errorf("the asset is %q, %q", w.Body, w.Header().Get("Cache-Control"))
			}
			if again := get(t, d.UI(), asset, "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified {
				t.Errorf("asked again it was %d", again.Code)
			}
			if c.folder == "" {
				return
			}
			w = get(t, d.UI(), "/"+c.folder+"/loader.js")
			if w.Body.String() != "the loader" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
				t.Errorf("the loader is %d %q, %q", w.Code, w.Body, w.Header().Get("Cache-Control"))
			}
		})
	}
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAnswersNameTheConversationsThatOneMayOnlyRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": w.root("ann") + "/p"}}).String()
	foreign := w.create("bob", map[string]any{"workspace": map[string]any{"working_dir": w.root("bob") + "/p"}}).String()
	for who, want := range map[string]string{"ann": "", "vic": id} {
		for _, path := range []string{conversationsPath + "/" + id, conversationsPath + "?ids=" + id + "&ids=" + foreign} {
			a := w.ask(who, "GET", path, "")
			if got := a.header.Get("X-OpenHands-Read-Only"); a.status != http.StatusOK || got != want {
				t.Errorf("%s %s: %d, read-only %q, want %q", who, path, a.status, got, want)
			}
		}
	}
}
