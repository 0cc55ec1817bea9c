package agentserver_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// upstream is a scripted agent-server for what the real one cannot be made to do: fail in the middle, count, say strange things.
type upstream struct {
	server *httptest.Server

	mu            sync.Mutex
	conversations map[string]map[string]any
	order         []string
	seen          []request
	runtime       string
	appears       string                                                // a folder that is made right after the first look for it
	links         map[string]bool                                       // folders that are none: links or, where false, nothing at all
	before        func(http.ResponseWriter, *http.Request, []byte) bool // true: it answered
}

// request is one that arrived.
type request struct {
	method, path, query, body string
	header                    http.Header
}

func newUpstream(t testing.TB) *upstream {
	u := &upstream{conversations: map[string]map[string]any{}}
	u.server = httptest.NewServer(u)
	t.Cleanup(u.server.Close)
	return u
}

// arrived returns the requests so far whose path begins with prefix.
func (u *upstream) arrived(prefix string) []request {
	u.mu.Lock()
	defer u.mu.Unlock()
	var found []request
	for _, r := range u.seen {
		if strings.HasPrefix(r.path, prefix) {
			found = append(found, r)
		}
	}
	return found
}

func (u *upstream) forget() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.seen = nil
}

// script puts f before the usual answers; nil takes it away.
func (u *upstream) script(f func(http.ResponseWriter, *http.Request, []byte) bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.before = f
}

// add puts a conversation there, as from before or behind our back.
func (u *upstream) add(id uuid.UUID, more map[string]any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.put(id.String(), map[string]any{"working_dir": "/elsewhere"}, more)
}

func (u *upstream) remove(id uuid.UUID) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.conversations, id.String())
}

func (u *upstream) put(id string, workspace, more map[string]any) map[string]any {
	c := map[string]any{
		"id": id, "title": nil, "workspace": workspace, "persistence_dir": "/var/upstream/" + id, "execution_status": "idle",
		"sub_conversation_ids": []any{}, "parent_conversation_id": nil, "agent": map[string]any{"llm": map[string]any{}},
		"created_at": "2026-01-02T03:04:05.678901Z", "updated_at": "2026-01-02T03:04:05.678901Z",
	}
	for name, v := range more {
		c[name] = v
	}
	u.conversations[id] = c
	u.order = append(u.order, id)
	return c
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	u.mu.Lock()
	// What is looked up for a request is not the request: it is not noted.
	if r.URL.Path == "/api/file/search_subdirs" && r.URL.Query().Get("include_hidden") == "true" {
		defer u.mu.Unlock()
		u.look(w, r)
		return
	}
	if r.URL.Path != "/server_info" || r.Header.Get("X-Openhands-Team-Id") != "" { // else we asked for ourselves
		u.seen = append(u.seen, request{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, string(body), r.Header.Clone()})
	}
	before := u.before
	u.mu.Unlock()
	if before != nil && before(w, r, body) {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	status, v := u.answer(r, body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// look lists folders for us. All exist, but for those that links names. Like the real one it begins with what page_id names, in
// lower case, and lists no link.
func (u *upstream) look(w http.ResponseWriter, r *http.Request) {
	dir, name := r.URL.Query().Get("path"), r.URL.Query().Get("page_id")
	if isLink, named := u.links[dir]; named && !isLink {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"detail":"Directory not found"}`)
		return
	}
	items := []any{map[string]any{"name": "zz", "path": dir + "/zz"}}
	_, named := u.links[dir+"/"+name]
	if late := dir+"/"+name == u.appears; late {
		named, u.appears = true, ""
	}
	if !named && name != "" {
		items = append([]any{map[string]any{"name": name, "path": dir + "/" + name}}, items...)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"items": items, "next_page_id": nil})
}

// link makes folders links (true), or takes them away.
func (u *upstream) link(isLink bool, folders ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.links = map[string]bool{}
	for _, f := range folders {
		u.links[f] = isLink
	}
}

// appear has a folder be made right after the first look for it.
func (u *upstream) appear(folder string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.appears = folder
}

func (u *upstream) answer(r *http.Request, body []byte) (int, any) {
	const c = "/api/conversations"
	if document, is := described(r.URL.Path); is {
		return 200, document
	}
	if r.URL.Path == "/server_info" {
		return 200, map[string]any{"version": "1.49.1", "conversation_runtime": u.runtime}
	}
	id, _ := strings.CutPrefix(r.URL.Path, c+"/")
	switch {
	case r.URL.Path == c && r.Method == "POST":
		return u.start(body)
	case r.URL.Path == c:
		batch := []any{}
		for _, id := range r.URL.Query()["ids"] {
			batch = append(batch, u.conversations[id])
		}
		return 200, batch
	case r.URL.Path == c+"/search":
		return 200, u.search(r)
	case strings.HasSuffix(id, "/fork") && r.Method == "POST":
		return u.fork(strings.TrimSuffix(id, "/fork"), body)
	case u.conversations[id] != nil && r.Method == "GET":
		return 200, u.conversations[id]
	case u.conversations[id] != nil && r.Method == "DELETE":
		delete(u.conversations, id)
		return 200, map[string]any{"success": true}
	case r.Method == "DELETE":
		return 400, map[string]any{"detail": "Bad Request"}
	case r.Method == "PATCH":
		return 200, map[string]any{"success": u.conversations[id] != nil}
	}
	return 200, map[string]any{"success": true}
}

func (u *upstream) start(body []byte) (int, any) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	id, _ := in["conversation_id"].(string)
	if known := u.conversations[id]; known != nil {
		return 200, known
	}
	workspace, _ := in["workspace"].(map[string]any)
	if u.runtime == "docker" {
		workspace = map[string]any{"working_dir": "/workspace"}
	}
	return 201, u.put(id, workspace, map[string]any{"parent_conversation_id": in["parent_conversation_id"]})
}

// fork loses the key of the model, as the real one does.
func (u *upstream) fork(source string, body []byte) (int, any) {
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	from := u.conversations[source]
	if from == nil {
		return 404, map[string]any{"detail": "Source conversation not found"}
	}
	return 201, u.put(in["id"].(string), from["workspace"].(map[string]any), map[string]any{
		"title": in["title"], "forked_from_conversation_id": source, "agent": from["agent"],
	})
}

// search pages by two, with the next conversation's id as the cursor.
func (u *upstream) search(r *http.Request) any {
	from := max(0, slices.Index(u.order, r.URL.Query().Get("page_id")))
	to := min(from+2, len(u.order))
	items := []any{}
	for _, id := range u.order[from:to] {
		items = append(items, u.conversations[id])
	}
	var next any
	if to < len(u.order) {
		next = u.order[to]
	}
	return map[string]any{"items": items, "next_page_id": next}
}
