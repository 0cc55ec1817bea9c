package e2e_test

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// talk is a conversation as a stranger may know it.
type talk struct{ id, dir string }

// upload is a form with one file, and its content type.
const (
	upload = "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"new.txt\"\r\n\r\nnew\r\n--cut--\r\n"
	asForm = "multipart/form-data; boundary=cut"
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

	target := talk{id, first.workingDir(id)}
	never := talk{uuid.NewString(), path.Join(path.Dir(target.dir), uuid.NewString())}
	message := `{"role":"user","content":[{"type":"text","text":"hi"}]}`
	for _, way := range []struct{ method, path, body string }{
		{"GET", "/api/conversations/{id}", ""},
		{"GET", "/api/conversations/{id}/agent_final_response", ""},
		{"GET", "/api/conversations/{id}/events/search", ""},
		{"GET", "/api/conversations/{id}/events/count", ""},
		{"GET", "/api/conversations/{id}/events", `["` + uuid.NewString() + `"]`},
		{"GET", "/api/conversations/{id}/events/" + uuid.NewString(), ""},
		{"POST", "/api/conversations/{id}/events/respond_to_confirmation", `{"accept":true}`},
		{"POST", "/api/conversations/{id}/events", message},
		{"GET", "/api/conversations/{id}/workspace/secret.txt", ""},
		{"GET", "/api/conversations/{id}/file/download?path={dir}/secret.txt", ""},
		{"GET", "/api/conversations/{id}/file/archive?path={dir}", ""},
		{"POST", "/api/conversations/{id}/file/upload?path={dir}/new.txt", upload},
		{"POST", "/api/conversations/{id}/file/create_directory?path={dir}/new", ""},
		{"GET", "/api/conversations/{id}/git/changes?path={dir}", ""},
		{"GET", "/api/conversations/{id}/git/diff?path={dir}/secret.txt", ""},
		{"GET", "/api/conversations/{id}/git/commits?path={dir}", ""},
		{"GET", "/api/conversations/{id}/file/download-trajectory/{id}", ""},
		{"GET", "/api/file/download?path={dir}/secret.txt", ""},
		{"GET", "/api/file/archive?path={dir}", ""},
		{"POST", "/api/file/upload?path={dir}/new.txt", upload},
		{"POST", "/api/file/create_directory?path={dir}/new", ""},
		{"GET", "/api/git/changes?path={dir}", ""},
		{"GET", "/api/git/diff?path={dir}/secret.txt", ""},
		{"GET", "/api/git/commits?path={dir}", ""},
		{"POST", "/api/conversations/{id}/run", ""},
		{"POST", "/api/conversations/{id}/pause", ""},
		{"POST", "/api/conversations/{id}/interrupt", ""},
		{"PATCH", "/api/conversations/{id}", `{"title":"mine"}`},
		{"DELETE", "/api/conversations/{id}", ""},
		{"GET", "/api/file/download-trajectory/{id}", ""},
	} {
		t.Run(way.method+" "+way.path, func(t *testing.T) {
			foreign, unknown := second.as(t).fill(way.method, way.path, way.body, target), second.as(t).fill(way.method, way.path, way.body, never)
			if foreign != unknown {
				t.Errorf("foreign:\n%s\nunknown:\n%s", foreign, unknown)
			}
			if !strings.HasPrefix(foreign, "404 ") {
				t.Errorf("answer is %s, want 404", foreign)
			}
		})
	}
	for _, kind := range []string{"events", "session"} {
		foreign := closing(t, second.socket("/sockets/"+kind+"/"+target.id+"?resend_mode=all"), 5*time.Second)
		unknown := closing(t, second.socket("/sockets/"+kind+"/"+never.id+"?resend_mode=all"), 5*time.Second)
		if foreign.Code != 4004 || foreign != unknown {
			t.Errorf("the %s socket closed with %v, and with %v for an unknown id; want 4004 for both", kind, foreign, unknown)
		}
	}
	first.want(http.StatusOK, first.get("/api/conversations/"+id))
	for _, kept := range []struct {
		path   string
		status int
	}{{"secret.txt", http.StatusOK}, {"new.txt", http.StatusNotFound}} {
		first.want(kept.status, first.get("/api/conversations/"+id+"/workspace/"+kept.path))
	}
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
func (c *client) fill(method, path, body string, about talk) string {
	c.t.Helper()
	kind := ""
	switch body {
	case "":
	case upload:
		kind = asForm
	default:
		kind = "application/json"
	}
	path = strings.NewReplacer("{id}", about.id, "{dir}", about.dir).Replace(path)
	a := c.send(method, path, strings.NewReader(body), kind)
	a.header.Del("Date")
	lines := []string{}
	for name, values := range a.header {
		lines = append(lines, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d %s\n%s", a.status, strings.Join(lines, "\n"), a.body)
}
