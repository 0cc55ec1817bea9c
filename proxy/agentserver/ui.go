package agentserver

import (
	"crypto/rand"
	"html/template"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// UI serves the Canvas UI: its files as they are, and its one page for every path that is no file, so that its own routes work
// after a reload. Without a FrontendDir everything is 404.
func (d *Dialect) UI() http.Handler {
	if d.canvas == nil {
		return noUI{}
	}
	return d.canvas
}

// noUI is what there is without a build: nothing, and everybody may know. Asked for a credential first, people would be sent
// to sign in for a page that does not exist.
type noUI struct{}

var _ proxy.PublicHandler = noUI{}

// Public says yes.
func (noUI) Public(*http.Request) bool { return true }

func (noUI) ServeHTTP(w http.ResponseWriter, _ *http.Request) { problem.Write(w, problem.NotFound) }

// canvas is the build as it was found at start.
type canvas struct {
	root  *os.Root
	files map[string]file
	page  page
	head  func(nonce string) template.HTML

	content string // the origin of what agents wrote; may be empty
}

var _ proxy.PublicHandler = (*canvas)(nil)

// openCanvas reads the build once. What is added to the folder later does not exist.
func openCanvas(dir, content string, head func(nonce string) template.HTML) (*canvas, error) {
	if dir == "" {
		return nil, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unusable(dir, err)
	}
	index, err := root.ReadFile(indexName)
	if err != nil {
		return nil, unusable(dir, err)
	}
	files, err := listFiles(root)
	if err == nil {
		err = useOwnEditor(root, files)
	}
	if err != nil {
		return nil, unusable(dir, err)
	}
	p, err := preparePage(index)
	if err != nil {
		return nil, unusable(dir, err)
	}
	if head == nil {
		head = func(string) template.HTML { return "" }
	}
	return &canvas{root: root, files: files, page: p, head: head, content: content}, nil
}

const indexName = "index.html"

// Public says that the files of the build are for everybody, as they are in its package. The page is for those who may call
// the API: others are better off at the sign-in page.
func (c *canvas) Public(r *http.Request) bool {
	_, known := c.files[nameIn(r)]
	return known || looksLikeFile(r.URL.Path)
}

func (c *canvas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		problem.Write(w, problem.MethodNotAllowed)
		return
	}
	if f, known := c.files[nameIn(r)]; known {
		c.serveFile(w, r, f)
		return
	}
	if looksLikeFile(r.URL.Path) {
		problem.Write(w, problem.NotFound)
		return
	}
	c.servePage(w, r)
}

// nameIn is the path of a file inside the build.
func nameIn(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }

// looksLikeFile tells a missing file from a route of the UI: routes have no dot in their last segment.
func looksLikeFile(urlPath string) bool {
	hidden := strings.Contains(urlPath, "/.")
	return hidden || urlPath == "/assets" || strings.HasPrefix(urlPath, "/assets/") || strings.Contains(path.Base(urlPath), ".")
}

// servePage gives the page with a new nonce. It is never kept: it changes with every answer.
func (c *canvas) servePage(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(nonce, c.content))
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // which conversation somebody reads is no other site's business
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(c.page.render(nonce, string(c.head(nonce)))))
}

// policy lets the page run its own scripts and talk to its own host, and nothing else: a key typed in for another backend
// cannot leave, and neither can what an agent wrote into a conversation. Styles are inline all over the build. Workspace
// previews are frames and images of this host, or of the content origin to which it sends them on; no other page may frame this one.
func policy(nonce, content string) string {
	if content != "" {
		content = " " + content
	}
	return strings.Join([]string{
		"default-src 'self'",
		"script-src 'self' 'nonce-" + nonce + "'",
		"style-src 'self' 'unsafe-inline'",
		"img-src 'self' data: blob:" + content,
		"font-src 'self' data:",
		"media-src 'self' data: blob:" + content,
		"connect-src 'self'" + content,
		"worker-src 'self' blob:",
		"frame-src 'self' blob:" + content,
		"frame-ancestors 'none'",
		"form-action 'self'",
		"base-uri 'none'",
		"object-src 'none'",
	}, "; ")
}
