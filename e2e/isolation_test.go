package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// TestAForeignConversationAnswersLikeOneThatNeverExisted compares byte for byte, for every way in which a conversation is
// asked for. The first user's file exists, so that 404 means hidden and not absent.
func TestAForeignConversationAnswersLikeOneThatNeverExisted(t *testing.T) {
	t.Parallel()
	first := signedUp(t, shared(t).url)
	id := first.create("run: echo private > secret.txt")
	first.finished(id)
	first.want(http.StatusOK, first.get("/api/conversations/"+id+"/workspace/secret.txt"))

	second := signedUp(t, first.base)
	var page struct {
		Items []any `json:"items"`
	}
	second.want(http.StatusOK, second.get("/api/conversations/search")).json(t, &page)
	if len(page.Items) != 0 {
		t.Errorf("the second user's list is %v, want it empty", page.Items)
	}
	if batch := second.get("/api/conversations?ids=" + id).body; strings.TrimSpace(batch) != "[null]" {
		t.Errorf("batch = %s, want [null]", batch)
	}

	never := uuid.NewString()
	message := `{"role":"user","content":[{"type":"text","text":"hi"}]}`
	for _, way := range []struct{ method, path, body string }{
		{"GET", "/api/conversations/{id}", ""},
		{"GET", "/api/conversations/{id}/events/search", ""},
		{"GET", "/api/conversations/{id}/events/count", ""},
		{"POST", "/api/conversations/{id}/events", message},
		{"GET", "/api/conversations/{id}/workspace/secret.txt", ""},
		{"GET", "/api/conversations/{id}/file/download?path=/secret.txt", ""},
		{"POST", "/api/conversations/{id}/run", ""},
		{"POST", "/api/conversations/{id}/pause", ""},
		{"POST", "/api/conversations/{id}/interrupt", ""},
		{"PATCH", "/api/conversations/{id}", `{"title":"mine"}`},
		{"DELETE", "/api/conversations/{id}", ""},
		{"GET", "/api/file/download-trajectory/{id}", ""},
	} {
		t.Run(way.method+" "+way.path, func(t *testing.T) {
			foreign, unknown := second.as(t).fill(way.method, way.path, way.body, id), second.as(t).fill(way.method, way.path, way.body, never)
			if foreign != unknown {
				t.Errorf("foreign:\n%s\nunknown:\n%s", foreign, unknown)
			}
			if !strings.HasPrefix(foreign, "404 ") {
				t.Errorf("answer is %s, want 404", foreign)
			}
		})
	}
	for _, target := range []string{id, never} {
		socket := second.socket("/sockets/events/" + target + "?resend_mode=all")
		if code := closeCode(t, socket, 5*time.Second); code != 4004 {
			t.Errorf("the socket of %s closed with %d, want 4004", target, code)
		}
	}
	first.want(http.StatusOK, first.get("/api/conversations/"+id))
}

func TestAnIdOfAnotherTeamCannotBeCreated(t *testing.T) {
	t.Parallel()
	first := signedUp(t, shared(t).url)
	id := first.create("")
	second := signedUp(t, first.base)
	body := map[string]any{"conversation_id": id, "agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""}}
	second.want(http.StatusConflict, second.post("/api/conversations", body))
	again := first.want(http.StatusOK, first.post("/api/conversations", body))
	if first.field(again, "id") != id {
		t.Errorf("creating one's own again gave %.200s", again.body)
	}
}

func TestAMemberOfATeamSeesItsConversationsAndAViewerMayNotWrite(t *testing.T) {
	t.Parallel()
	owner := signedUp(t, shared(t).url)
	viewer := signedUp(t, owner.base)
	a := owner.want(http.StatusCreated, owner.post("/api/teams/", map[string]any{"name": "Research"}))
	team := owner.field(a, "id")
	owner.want(http.StatusCreated, owner.post("/api/teams/"+team+"/members", map[string]any{"email": viewer.email, "role": "viewer"}))

	id := owner.inTeam(team).create("")
	viewer.want(http.StatusOK, viewer.get("/api/conversations/"+id))
	viewer.want(http.StatusForbidden, viewer.post("/api/conversations/"+id+"/run", nil))
	viewer.want(http.StatusForbidden, viewer.send("DELETE", "/api/conversations/"+id, nil, ""))
	viewer.want(http.StatusForbidden, viewer.inTeam(team).post("/api/conversations", map[string]any{"agent_settings": map[string]any{}}))
}

// as is the same user in a sub-test.
func (c *client) as(t *testing.T) *client {
	other := *c
	other.t = t
	return &other
}

// fill sends a request about an id and returns all of the answer that a client can see, but for the date.
func (c *client) fill(method, path, body, id string) string {
	c.t.Helper()
	kind := ""
	if body != "" {
		kind = "application/json"
	}
	a := c.send(method, strings.ReplaceAll(path, "{id}", id), strings.NewReader(body), kind)
	a.header.Del("Date")
	lines := []string{}
	for name, values := range a.header {
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d %s\n%s", a.status, strings.Join(lines, "\n"), a.body)
}
