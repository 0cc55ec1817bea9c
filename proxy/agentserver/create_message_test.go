package agentserver_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// For many a model the server itself fetches the image.
func TestImagesOfAMessageComeFromWhereTheyMay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	events := conversationsPath + "/" + w.create("ann", nil).String() + "/events"
	w.upstream.forget()
	for _, address := range []string{
		"http://169.254.169.254/latest", "http://127.0.0.1:8000/", "https://10.0.0.1/x.png", "http://user@203.0.113.1/", "file:///etc/passwd", "/etc/passwd",
	} {
		a := w.ask("ann", "POST", events, pictures("data:image/png;base64,xx", address))
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"loc":["body","content",0,"image_urls",1]`) {
			t.Errorf("%s: %d %s, want 422 at its place", address, a.status, a.body)
		}
	}
	many := slices.Repeat([]string{"http://203.0.113.1/"}, 20)
	if a := w.ask("ann", "POST", events, pictures(append(many, many[0])...)); a.status != http.StatusUnprocessableEntity {
		t.Errorf("images without end: %d %s", a.status, a.body)
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("%d requests reached the upstream", len(got))
	}
	for _, call := range []string{events, conversationsPath} {
		body := pictures(append(many, "data:image/png;base64,xx")...)
		if call == conversationsPath {
			body = startBody(map[string]any{"initial_message": body})
		}
		if a := w.ask("ann", "POST", call, body); a.status >= 300 {
			t.Errorf("%s: %d %s", call, a.status, a.body)
		}
	}
}

// What is compressed would be judged as one thing and read as another, or unpacked without end.
func TestACompressedBodyIsRefusedAsItCame(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write(append([]byte(`{"agent_settings":{}}`), bytes.Repeat([]byte(" "), 10<<20)...))
	_ = z.Close()
	for _, encoding := range []string{"gzip", "deflate", "br", "identity", ""} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", w.url+conversationsPath, bytes.NewReader(packed.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer ann")
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Content-Encoding", encoding)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d, want 400", encoding, res.StatusCode)
		}
	}
	if got := w.upstream.arrived("/"); len(got) != 0 {
		t.Errorf("%d requests reached the upstream", len(got))
	}
}
