package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// elsewhere serves the Canvas UI as somebody else's server might: the files, and nothing of ours.
func elsewhere(t *testing.T) *httptest.Server {
	t.Helper()
	files := http.FileServer(http.Dir(world.canvas))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if info, err := os.Stat(filepath.Join(world.canvas, filepath.Clean(r.URL.Path))); err == nil && !info.IsDir() {
			files.ServeHTTP(w, r)
			return
		}
		http.ServeFile(w, r, filepath.Join(world.canvas, "index.html"))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestACanvasOfAnotherOriginHasUsAsABackendByAKey(t *testing.T) {
	t.Parallel()
	canvas, stranger := elsewhere(t), elsewhere(t)
	i := start(t, map[string]string{"PERMITTED_CORS_ORIGINS": canvas.URL})
	ann := signedUp(t, i.url)
	key := ann.apiKey()
	talk := ann.create("run: echo from $((40+2)) far away")
	ann.finished(talk)

	b := newBrowser(t, "cors")
	b.do("the page of the other origin", chromedp.Navigate(canvas.URL+"/nothing"))
	backends, err := json.Marshal([]map[string]string{{"id": "ours", "name": "Ours", "host": i.url, "apiKey": key, "kind": "local"}})
	if err != nil {
		t.Fatal(err)
	}
	script[bool](b, fmt.Sprintf(`(localStorage["openhands-onboarded"] = "1", localStorage["openhands-backends"] = %q,
		localStorage["openhands-active-backend"] = JSON.stringify({backendId: "ours"}), true)`, backends))
	b.do("the conversation", chromedp.Navigate(canvas.URL+"/conversations/"+talk))
	b.sees("from 42 far away")
	b.do("a message", send("run: echo and $((1+2)) more"))
	b.sees("and 3 more")
	if text := b.text(); strings.Contains(text, "Disconnected") {
		t.Errorf("Canvas misses something: %.1500s", text)
	}

	asks := func(options string) string {
		return script[string](b, fmt.Sprintf(`fetch(%q, %s).then(r => "" + r.status, () => "blocked")`, i.url+"/api/conversations/search", options))
	}
	for options, want := range map[string]string{
		fmt.Sprintf(`{headers: {"X-Session-API-Key": %q}}`, key): "200",
		`{}`:                       "401",
		`{credentials: "include"}`: "blocked",
	} {
		if got := asks(options); got != want {
			t.Errorf("fetch with %.30s: %s, want %s", options, got, want)
		}
	}
	b.do("the page of a stranger", chromedp.Navigate(stranger.URL+"/nothing"))
	if got := asks(fmt.Sprintf(`{headers: {"X-Session-API-Key": %q}}`, key)); got != "blocked" {
		t.Errorf("an origin that is not permitted: %s", got)
	}
}
