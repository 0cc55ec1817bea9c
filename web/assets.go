package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

//go:embed assets
var assetFiles embed.FS

// assetTypes are the only kinds of files there are.
var assetTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

type asset struct {
	body []byte
	etag string
	kind string
}

func loadAssets() map[string]asset {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // embedded: cannot fail in a binary that was built
	}
	loaded := map[string]asset{}
	for _, e := range entries {
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(body)
		loaded[e.Name()] = asset{body: body, etag: `"` + hex.EncodeToString(sum[:16]) + `"`, kind: assetTypes[path.Ext(e.Name())]}
	}
	return loaded
}

// Asset serves the style sheet and the overlay. Their names do not change with their content, so browsers ask each time and
// are mostly told that nothing changed.
func (p *Pages) Asset(c echo.Context) error {
	a, known := p.assets[c.Param("*")]
	if !known {
		return problem.NotFound
	}
	w := c.Response()
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", a.etag)
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, c.Request(), "", time.Time{}, bytes.NewReader(a.body))
	return nil
}

// OverlayHead is what the Canvas page needs in its head for the overlay: its scripts, allowed by the page's nonce. What listens comes
// before what tells.
func OverlayHead(nonce string) template.HTML {
	var head strings.Builder
	for _, name := range []string{"scope.js", "overlay.js"} {
		head.WriteString(`<script nonce="` + template.HTMLEscapeString(nonce) + `" src="/account/assets/` + name + `" defer></script>`)
	}
	return template.HTML(head.String())
}
