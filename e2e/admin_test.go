package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestAnOperationThatTheUpstreamAddsIsNamedToOperatorsAndDenied gives the upstream an operation that no row of the table names.
func TestAnOperationThatTheUpstreamAddsIsNamedToOperatorsAndDenied(t *testing.T) {
	t.Parallel()
	upstream, asked := newerUpstream(t, "/api/conversations/{conversation_id}/surprise")
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "admin.sock") // a port could be taken by the time that it is listened on
	site := start(t, map[string]string{"UPSTREAM_URL": upstream, "ADMIN_LISTEN": socket})

	const line = "POST /api/conversations/{conversation_id}/surprise"
	within(t, 30*time.Second, "operators are told", func() error {
		var told struct {
			Answers    bool
			Version    string
			Comparison *struct {
				Tested           bool
				Unknown, Missing []string
			}
		}
		text := operatorsAsk(t, socket, "/upstream")
		if err := json.Unmarshal([]byte(text), &told); err != nil || told.Comparison == nil {
			return errors.New(text)
		}
		if c := told.Comparison; !told.Answers || told.Version != "1.49.1" || !c.Tested || !slices.Equal(c.Unknown, []string{line}) || len(c.Missing) != 0 {
			t.Fatalf("not what the upstream is: %s", text)
		}
		return nil
	})
	if !strings.Contains(site.Log(), line) {
		t.Error("the log does not name it")
	}
	if text := operatorsAsk(t, socket, "/readyz?verbose"); !strings.Contains(text, "agent-server 1.49.1 answers") {
		t.Errorf("readiness: %s", text)
	}

	owner := signedUp(t, site.url)
	path := "/api/conversations/" + owner.create("") + "/surprise"
	if a := owner.want(http.StatusNotFound, owner.json("POST", path, nil)); a.body != `{"detail":"Not Found"}` {
		t.Errorf("another answer than for what does not exist: %s", a.body)
	}
	stranger := newClient(t, site.url)
	stranger.want(http.StatusUnauthorized, stranger.json("POST", path, nil))
	if n := asked.Load(); n != 0 {
		t.Errorf("the upstream was asked %d times for what no row names", n)
	}

	examined := site.command(t, "doctor", "--url", site.url)
	for _, says := range []string{"ok       upstream's WebSocket: ", "ok       admin listener: answers at " + socket, "denied: " + line} {
		if !strings.Contains(examined, says) {
			t.Errorf("doctor does not say %q:\n%s", says, examined)
		}
	}
}

// newerUpstream is the upstream with one more POST in its list of operations. It counts who asks for that.
func newerUpstream(t *testing.T, path string) (string, *atomic.Int64) {
	t.Helper()
	target, err := url.Parse(world.upstream.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:  func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ErrorLog: log.New(io.Discard, "", 0), // callers hang up
		ModifyResponse: func(r *http.Response) error {
			if r.Request.URL.Path != "/openapi.json" {
				return nil
			}
			return publish(r, path)
		},
	}
	asked := &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		if strings.HasSuffix(in.URL.Path, "/surprise") {
			asked.Add(1)
		}
		in.Header.Del("Accept-Encoding") // the list is read here
		proxy.ServeHTTP(w, in)
	}))
	t.Cleanup(server.Close)
	return server.URL, asked
}

// publish adds an operation to a list of them.
func publish(r *http.Response, path string) error {
	var document map[string]any
	if err := json.NewDecoder(r.Body).Decode(&document); err != nil {
		return err
	}
	paths, ok := document["paths"].(map[string]any)
	if !ok {
		return fmt.Errorf("no paths in %s", r.Request.URL)
	}
	paths[path] = map[string]any{"post": map[string]any{}}
	body, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_ = r.Body.Close()
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return nil
}

// operatorsAsk asks at the admin listener.
func operatorsAsk(t *testing.T, socket, path string) string {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	response, err := client.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
