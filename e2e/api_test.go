package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

func TestWithATokenAClientCreatesDrivesAndReadsAConversation(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)

	id := user.create("run: echo first-$((20+3))")
	user.finished(id)
	if history := user.events(id); !strings.Contains(history, "first-23") {
		t.Errorf("the command's output is not in the history: %.2000s", history)
	}

	socket := user.socket("/sockets/events/" + id + "?resend_mode=all")
	frame := `{"role":"user","content":[{"type":"text","text":"run: echo second-$((40+2))"}],"run":true}`
	if err := socket.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
		t.Fatal(err)
	}
	readUntil(t, socket, "second-42")

	var page struct {
		Items []struct {
			ID string `json:"id"`
		} `json:"items"`
		Next *string `json:"next_page_id"`
	}
	user.want(http.StatusOK, user.get("/api/conversations/search")).json(t, &page)
	if len(page.Items) != 1 || page.Items[0].ID != id || page.Next != nil {
		t.Errorf("the list is %+v, want only %s", page, id)
	}
	if count := user.get("/api/conversations/count").body; count != "1" {
		t.Errorf("count = %s, want 1", count)
	}
}

func TestASocketMayBringItsTokenInTheFirstFrame(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	id := user.create("")

	stranger := newClient(t, user.base)
	socket := stranger.socket("/sockets/events/" + id + "?resend_mode=all")
	frame, _ := json.Marshal(map[string]string{"type": "auth", "session_api_key": user.token})
	if err := socket.Write(t.Context(), websocket.MessageText, frame); err != nil {
		t.Fatal(err)
	}
	readUntil(t, socket, "ConversationStateUpdateEvent")

	socket = stranger.socket("/sockets/events/" + id)
	if err := socket.Write(t.Context(), websocket.MessageText, []byte(`{"type":"auth","session_api_key":"wrong"}`)); err != nil {
		t.Fatal(err)
	}
	if code := closeCode(t, socket, 5*time.Second); code != 4001 {
		t.Errorf("a wrong token closed with %d, want 4001", code)
	}
}

func TestWhatAConversationIsDoneWithLater(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	id := user.create("run: mkdir -p sub && echo content-7 > sub/file.txt")
	user.finished(id)
	path := "/api/conversations/" + id

	user.want(http.StatusOK, user.json("PATCH", path, map[string]any{"title": "A new name"}))
	if title := user.field(user.get(path), "title"); title != "A new name" {
		t.Errorf("title = %q", title)
	}
	file := user.want(http.StatusOK, user.get(path+"/workspace/sub/file.txt"))
	if file.body != "content-7\n" || !strings.HasPrefix(file.header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("the file is %q with policy %q", file.body, file.header.Get("Content-Security-Policy"))
	}
	var info struct {
		Workspace struct {
			Dir string `json:"working_dir"`
		} `json:"workspace"`
	}
	user.get(path).json(t, &info)
	flat := user.want(http.StatusOK, user.get("/api/file/download?path="+info.Workspace.Dir+"/sub/file.txt"))
	if flat.body != "content-7\n" {
		t.Errorf("the download is %q", flat.body)
	}
	user.want(http.StatusOK, user.get("/api/git/changes?path="+info.Workspace.Dir))

	user.want(http.StatusOK, user.send("DELETE", path, nil, ""))
	user.want(http.StatusNotFound, user.get(path))
	user.want(http.StatusConflict, user.post("/api/conversations", map[string]any{
		"conversation_id": id, "agent_settings": map[string]any{}, "workspace": map[string]any{"working_dir": ""},
	}))
}

func TestABrokenOrHostileRequestGetsAClearAnswer(t *testing.T) {
	t.Parallel()
	user := signedUp(t, shared(t).url)
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"malformed JSON":            {"POST", "/api/conversations", `{"agent_settings":`, 422},
		"no object":                 {"POST", "/api/conversations", `[]`, 422},
		"bad id":                    {"POST", "/api/conversations", `{"conversation_id":"x","workspace":{"working_dir":""},"agent_settings":{}}`, 422},
		"folder outside":            {"POST", "/api/conversations", `{"workspace":{"working_dir":"/etc"},"agent_settings":{}}`, 422},
		"folder climbing":           {"POST", "/api/conversations", `{"workspace":{"working_dir":"/tmp/../etc"},"agent_settings":{}}`, 422},
		"dot segments":              {"GET", "/api/file/../conversations/search", "", 400},
		"encoded slash":             {"GET", "/api%2fconversations/search", "", 400},
		"double slash":              {"GET", "/api//conversations/search", "", 400},
		"needless escape":           {"GET", "/api/conversations/%73earch", "", 400},
		"semicolon":                 {"GET", "/api/conversations/search;x=1", "", 400},
		"unknown operation":         {"GET", "/api/desktop/url", "", 404},
		"another method":            {"PUT", "/api/conversations/search", "", 404},
		"the shell of the host":     {"POST", "/api/bash/execute_bash_command", `{"command":"id","cwd":"/"}`, 404},
		"a file of the host":        {"GET", "/api/file/download?path=/etc/passwd", "", 404},
		"a shell socket":            {"GET", "/sockets/bash-events", "", 403},
		"the editor's address":      {"GET", "/api/vscode/url", "", 403},
		"settings of a wrong type":  {"PATCH", "/api/settings", `{"agent_settings_diff":"x"}`, 422},
		"the team's, without a say": {"PATCH", "/api/settings", `{"operator_model":false}`, 422},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var body *strings.Reader
			kind := ""
			if c.body != "" {
				body, kind = strings.NewReader(c.body), "application/json"
			} else {
				body = strings.NewReader("")
			}
			a := (&client{t: t, base: user.base, token: user.token}).send(c.method, c.path, body, kind)
			var problem struct {
				Detail any `json:"detail"`
			}
			if a.status != c.status || json.Unmarshal([]byte(a.body), &problem) != nil || problem.Detail == nil {
				t.Errorf("%d %.300s, want %d with a detail", a.status, a.body, c.status)
			}
		})
	}
	large := user.send("POST", "/api/conversations", strings.NewReader(`{"x":"`+strings.Repeat("a", 40<<20)+`"}`), "application/json")
	user.want(http.StatusRequestEntityTooLarge, large)
}

// readUntil reads frames until one holds the text.
func readUntil(t *testing.T, socket *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := contextWithin(t, time.Minute)
	defer cancel()
	for {
		_, data, err := socket.Read(ctx)
		if err != nil {
			t.Fatalf("no frame with %q before: %v", text, err)
		}
		if strings.Contains(string(data), text) {
			return
		}
	}
}
