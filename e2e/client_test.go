package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

// password is good enough for the rule of the accounts contract.
const password = "correct horse battery"

// client is somebody who uses the product over HTTP, as curl would: without cookies or redirects, with a token when signed in.
type client struct {
	t     *testing.T
	base  string
	token string
	email string
	team  string // sent as X-Team-Id when not empty
}

// answer is what came back, whole.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) json(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("answer %d is not JSON: %v: %.300s", a.status, err, a.body)
	}
}

func newClient(t *testing.T, base string) *client { return &client{t: t, base: base} }

// signedUp is a new user with a personal team and a token.
func signedUp(t *testing.T, base string) *client {
	t.Helper()
	c := newClient(t, base)
	c.email = "user-" + uuid.NewString()[:8] + "@example.com"
	c.want(http.StatusOK, c.post("/api/auth/register-with-team", map[string]any{"email": c.email, "password": password}))
	c.login()
	return c
}

func (c *client) login() {
	c.t.Helper()
	form := url.Values{"username": {c.email}, "password": {password}}
	a := c.send("POST", "/api/auth/jwt/login", strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	c.want(http.StatusOK, a)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	a.json(c.t, &token)
	c.token = token.AccessToken
}

func (c *client) get(path string) answer { c.t.Helper(); return c.send("GET", path, nil, "") }

func (c *client) post(path string, body any) answer {
	c.t.Helper()
	return c.json("POST", path, body)
}

func (c *client) json(method, path string, body any) answer {
	c.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.send(method, path, bytes.NewReader(raw), "application/json")
}

func (c *client) send(method, path string, body io.Reader, contentType string) answer {
	c.t.Helper()
	a, err := c.try(c.t.Context(), method, path, body, contentType)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// try is send for tests that expect the connection itself to fail.
func (c *client) try(ctx context.Context, method, path string, body io.Reader, contentType string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return answer{}, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.team != "" {
		r.Header.Set("X-Team-Id", c.team)
	}
	return do(r)
}

// inTeam is the same user with another current team.
func (c *client) inTeam(team string) *client {
	other := *c
	other.team = team
	return &other
}

// do sends one request on a connection of its own, following nothing.
func do(r *http.Request) (answer, error) {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{status: response.StatusCode, header: response.Header, body: string(body)}, err
}

func (c *client) want(status int, a answer) answer {
	c.t.Helper()
	if a.status != status {
		c.t.Fatalf("status %d, want %d: %.600s", a.status, status, a.body)
	}
	return a
}

// newTalk is the least that a create needs: the operator's model, and a folder of its own.
func newTalk() map[string]any {
	return map[string]any{"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""}}
}

// said is a message of the user's.
func said(message string) map[string]any {
	return map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": message}}}
}

// create starts a conversation with the operator's model that runs the message, and returns its id.
func (c *client) create(message string) string {
	c.t.Helper()
	body := newTalk()
	if message != "" {
		body["initial_message"] = said(message)
	}
	a := c.want(http.StatusCreated, c.post("/api/conversations", body))
	return c.field(a, "id")
}

// field is one string member of an object.
func (c *client) field(a answer, name string) string {
	c.t.Helper()
	var object map[string]any
	a.json(c.t, &object)
	value, ok := object[name].(string)
	if !ok {
		c.t.Fatalf("no text %q in %.300s", name, a.body)
	}
	return value
}

// finished waits until the agent of a conversation has finished.
func (c *client) finished(id string) {
	c.t.Helper()
	within(c.t, 90*time.Second, "the agent finishes", func() error {
		a := c.get("/api/conversations/" + id)
		if a.status != http.StatusOK {
			return fmt.Errorf("status %d: %.300s", a.status, a.body)
		}
		if status := c.field(a, "execution_status"); status != "finished" {
			return fmt.Errorf("execution_status is %q", status)
		}
		return nil
	})
}

// events is the whole history as text.
func (c *client) events(id string) string {
	c.t.Helper()
	return c.want(http.StatusOK, c.get("/api/conversations/"+id+"/events/search?limit=100")).body
}

// socket opens a WebSocket with the token in the handshake.
func (c *client) socket(path string) *websocket.Conn {
	c.t.Helper()
	header := http.Header{}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	conn, _, err := websocket.Dial(c.t.Context(), c.base+path, &websocket.DialOptions{HTTPHeader: header})
	if err != nil {
		c.t.Fatalf("open %s: %v", path, err)
	}
	conn.SetReadLimit(64 << 20)
	c.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// closeCode reads until the socket ends, within the limit, and returns the code; -1 when it ended without one.
func closeCode(t *testing.T, conn *websocket.Conn, limit time.Duration) websocket.StatusCode {
	t.Helper()
	return closing(t, conn, limit).Code
}

// closing is closeCode with the reason, too.
func closing(t *testing.T, conn *websocket.Conn, limit time.Duration) websocket.CloseError {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		if _, _, err := conn.Read(ctx); err != nil {
			if ctx.Err() != nil {
				t.Fatalf("the socket was still open after %s", limit)
			}
			if said, ok := errors.AsType[websocket.CloseError](err); ok {
				return said
			}
			return websocket.CloseError{Code: -1}
		}
	}
}

// contextWithin is the test's context with a limit.
func contextWithin(t *testing.T, limit time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), limit)
}

// within tries until it works or the deadline passes.
func within(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s: %v", limit, what, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
