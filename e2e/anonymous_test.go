package e2e_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestAnonymousModeIsATenantThatTheOperatorTurnsOnAndOff(t *testing.T) {
	t.Parallel()
	server := start(t, nil)
	user := signedUp(t, server.url)
	foreign := user.create("")

	nobody := newClient(t, server.url)
	nobody.want(http.StatusUnauthorized, nobody.get("/api/conversations/search"))
	nobody.want(http.StatusFound, nobody.page("/"))

	server.command(t, "anonymous", "on")
	within(t, revocation, "anonymous use works", func() error {
		if status := nobody.get("/api/conversations/search").status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	nobody.want(http.StatusOK, nobody.page("/"))
	nobody.want(http.StatusOK, nobody.get("/api/settings"))
	if list := nobody.get("/api/conversations/search").body; strings.Contains(list, foreign) {
		t.Errorf("the user's conversation is in the anonymous list")
	}
	nobody.want(http.StatusNotFound, nobody.get("/api/conversations/"+foreign))

	id := nobody.create("run: pwd")
	nobody.finished(id)
	if history := nobody.events(id); !strings.Contains(history, "/teams/00000000-0000-4000-8000-0000000a0000/") {
		t.Errorf("the agent did not work in the anonymous team's root")
	}
	user.want(http.StatusNotFound, user.get("/api/conversations/"+id))
	for _, path := range []string{"/api/file/download?path=/etc/passwd", "/api/git/changes?path=/", "/api/file/archive?path=/etc"} {
		nobody.want(http.StatusNotFound, nobody.get(path))
	}
	nobody.want(http.StatusUnprocessableEntity, nobody.post("/api/conversations", map[string]any{
		"agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": "/etc"},
	}))
	bad := newClient(t, server.url)
	bad.token = "no.such.token"
	bad.want(http.StatusUnauthorized, bad.get("/api/conversations/search"))

	socket := nobody.socket("/sockets/events/" + id + "?resend_mode=all")
	if err := socket.Write(t.Context(), 1, []byte(`{"type":"auth","session_api_key":"cookie"}`)); err != nil {
		t.Fatal(err)
	}
	readUntil(t, socket, "full_state")
	server.command(t, "anonymous", "off")
	if code := closeCode(t, socket, revocation); code != 4001 {
		t.Errorf("the anonymous socket closed with %d, want 4001", code)
	}
	within(t, revocation, "anonymous use ends", func() error {
		if status := nobody.get("/api/conversations/search").status; status != http.StatusUnauthorized {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	nobody.want(http.StatusFound, nobody.page("/"))
}

// page asks as a browser does that goes to an address.
func (c *client) page(path string) answer {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), "GET", c.base+path, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	a, err := do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

func TestAConversationWithoutARowIsNobodysUntilItIsAdopted(t *testing.T) {
	t.Parallel()
	server := start(t, map[string]string{"ANONYMOUS_MODE": "passthrough"})
	user := signedUp(t, server.url)
	id := user.create("")
	nobody := newClient(t, server.url)

	db, err := sql.Open("postgres", server.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `DELETE FROM conversations WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
	server = server.restart(t) // a row removed by hand is not notified
	user.base, nobody.base = server.url, server.url
	for _, c := range []*client{user, nobody} {
		c.want(http.StatusNotFound, c.get("/api/conversations/"+id))
		if list := c.want(http.StatusOK, c.get("/api/conversations/search")).body; strings.Contains(list, id) {
			t.Errorf("the conversation is in a list")
		}
	}
	// Its id lives on upstream, so it must not be claimable by a create either.
	user.want(http.StatusConflict, user.post("/api/conversations", map[string]any{
		"conversation_id": id, "agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""},
	}))

	server.command(t, "conversations", "adopt", "--anonymous")
	within(t, 5*time.Second, "the adopted conversation shows", func() error {
		if status := nobody.get("/api/conversations/" + id).status; status != http.StatusOK {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	user.want(http.StatusNotFound, user.get("/api/conversations/"+id))
}
