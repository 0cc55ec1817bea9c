package web_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/web"
)

func TestAssetsComeWithATypeAndATagAndAreNotSentTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for path, kind := range map[string]string{
		"/account/assets/style.css":  "text/css; charset=utf-8",
		"/account/assets/overlay.js": "text/javascript; charset=utf-8",
		"/account/assets/scope.js":   "text/javascript; charset=utf-8",
		"/account/assets/mark.svg":   "image/svg+xml",
	} {
		res := s.get(path)
		tag := res.Header.Get("ETag")
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || tag == "" || body(t, res) == "" {
			t.Fatalf("%s: %d %v", path, res.StatusCode, res.Header)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", tag)
		if res := s.do(r); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s: asked again it was %d", path, res.StatusCode)
		}
	}
}

func TestOtherNamesBelowAssetsAreMissing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, path := range []string{"/account/assets/", "/account/assets/none.js", "/account/assets/../web.go", "/account/assets/..%2fweb.go"} {
		if res := s.get(path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
}

func TestTheOverlaysScriptsCarryTheNonceAndNothingElseOfIt(t *testing.T) {
	t.Parallel()
	if got := string(web.OverlayHead("abc")); got != `<script nonce="abc" src="/account/assets/scope.js" defer></script><script nonce="abc" src="/account/assets/overlay.js" defer></script>` {
		t.Error(got)
	}
	if got := string(web.OverlayHead(`"><script>`)); strings.Contains(got, `"><script>`) {
		t.Errorf("a nonce broke out: %s", got)
	}
}
