package agentserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// file is one file of the build. Its tag is made of its content: the build's own times are all alike.
type file struct {
	name    string
	etag    string
	own     bool   // may differ from what the build holds
	content []byte // what is served instead of the build's; nil: the build's
}

// listFiles finds all files but the page, which is served by another way, and hidden ones.
func listFiles(root *os.Root) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case name == indexName || !entry.Type().IsRegular():
			return nil
		}
		etag, err := tagOf(root, name)
		files[name] = file{name: name, etag: etag}
		return err
	})
	return files, err
}

func tagOf(root *os.Root, name string) (string, error) {
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return tag(f)
}

func tag(content io.Reader) (string, error) {
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", err
	}
	return `"` + hex.EncodeToString(sum.Sum(nil)[:16]) + `"`, nil
}

// serveFile sends one file. Those below assets have a hash of their content in their name, the editor's its version: they never
// change, unless we change them.
func (c *canvas) serveFile(w http.ResponseWriter, r *http.Request, f file) {
	content, err := c.open(f)
	if err != nil {
		problem.Write(w, problem.NotFound)
		return
	}
	defer func() { _ = content.Close() }()
	h := w.Header()
	h.Set("Content-Type", contentType(f.name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	if !f.own && (strings.HasPrefix(f.name, "assets/") || strings.HasPrefix(f.name, editorName)) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, content)
}

func (c *canvas) open(f file) (io.ReadSeekCloser, error) {
	if f.content == nil {
		return c.root.Open(f.name)
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(f.content), io.NopCloser(nil)}, nil
}

// contentType knows what a build holds; the tables of the host are not asked, because they differ from host to host.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".xml":
		return "application/xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".ico":
		return "image/x-icon"
	case ".mp3":
		return "audio/mpeg"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	case ".wasm":
		return "application/wasm"
	}
	return "application/octet-stream"
}

func unusable(dir string, err error) error {
	return fmt.Errorf("the Canvas build in %s cannot be served (%w): set FRONTEND_DIR to the build folder of "+
		"@openhands/agent-canvas, the one with index.html in it, or SERVE_FRONTEND=false", dir, err)
}
