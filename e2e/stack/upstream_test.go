package stack_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
	"github.com/openhands-saas/openhands-saas/e2e/stack/llm"
)

// The tests of the shared upstream disturb it, so they run one after the other.
func TestTheUpstream(t *testing.T) {
	u := world.upstream
	model, err := llm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Close)

	t.Run("answers to its own key only, in the version that was set up", func(t *testing.T) {
		if u.Version() != "1.49.1" {
			t.Errorf("version %q", u.Version())
		}
		if status, _ := call(t, u, http.MethodGet, "/api/conversations/count", "another key", nil); status != http.StatusUnauthorized {
			t.Errorf("another key: %d", status)
		}
	})
	t.Run("holds its keys where no agent's terminal finds them in the environment", func(t *testing.T) {
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(u.KeyFile()), "config.json")); len(left) > 0 {
			t.Error("the configuration with the keys is still on the disk")
		}
		info, err := os.Stat(u.KeyFile())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key's file: %v %v", info, err)
		}
	})
	t.Run("runs the scripted model's commands in a terminal without keys", func(t *testing.T) {
		id := converse(t, u, model, "run: env\nrun: echo from $((40+2))\nrun: nohup sleep 1000 >/dev/null 2>&1 &")
		events := history(t, u, id)
		for _, secret := range []string{u.Key(), u.SecretKey(), "provider-key-of-the-developer"} {
			if strings.Contains(events, secret) {
				t.Errorf("the terminal's environment holds %.12s…", secret)
			}
		}
		if !strings.Contains(events, "from 42") {
			t.Errorf("the terminal did not answer: %s", events)
		}
		if got := model.Requests(); len(got) < 4 || got[len(got)-1].Conversation != id {
			t.Errorf("the model recorded %d requests", len(got))
		}
	})
	t.Run("comes back by itself after a crash, on the same address with its data", func(t *testing.T) {
		url, starts := u.URL(), u.Starts()
		u.Kill()
		if err := u.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		if u.URL() != url || u.Starts() <= starts {
			t.Errorf("address %s before, %s after; %d starts before, %d after", url, u.URL(), starts, u.Starts())
		}
		if _, body := call(t, u, http.MethodGet, "/api/conversations/count", u.Key(), nil); body != "1" {
			t.Errorf("%s conversations, want 1", body)
		}
	})
	t.Run("stays down until it is wanted again", func(t *testing.T) {
		u.Down()
		if _, err := http.Get(u.URL() + "/alive"); err == nil {
			t.Error("it answers although it is down")
		}
		if err := u.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("does not answer while it is paused", func(t *testing.T) {
		u.Pause()
		impatient := http.Client{Timeout: 300 * time.Millisecond}
		if _, err := impatient.Get(u.URL() + "/alive"); err == nil {
			t.Error("it answers although it is paused")
		}
		u.Resume()
		if err := u.WaitReady(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNothingOfAnUpstreamIsLeftWhenItIsStopped(t *testing.T) {
	t.Parallel()
	model, err := llm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Close)
	dir := t.TempDir()
	u, err := stack.StartUpstream(t.Context(), stack.UpstreamOptions{AgentServer: world.agentServer, DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	leaveBehind(t, u, model)
	if got := len(runningIn(dir)); got < 3 {
		t.Errorf("only %d processes run, so this test proves nothing: %s", got, runningIn(dir))
	}
	u.Stop()
	if left := runningIn(dir); len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, "\n"))
	}
}

func TestNothingOfAnUpstreamIsLeftWhenItsOwnerIsKilled(t *testing.T) {
	t.Parallel()
	model, err := llm.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(model.Close)
	dir := t.TempDir()
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerOf+"="+dir, "AGENT_SERVER="+world.agentServer)
	owner.Stderr = os.Stderr
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process, err := child.Start(owner, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(0) })
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the owner did not start its upstream: %v", err)
	}
	key, err := os.ReadFile(filepath.Join(dir, "api-key"))
	if err != nil {
		t.Fatal(err)
	}
	leaveBehind(t, remote{strings.TrimSpace(url), strings.TrimSpace(string(key)), filepath.Join(dir, "workspaces")}, model)
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everything that belonged to the killed owner is gone", func() bool { return len(runningIn(dir)) == 0 })
}

// server is an upstream, ours or that of another process.
type server interface {
	URL() string
	Key() string
	Workspaces() string
}

type remote struct{ url, key, workspaces string }

func (r remote) URL() string        { return r.url }
func (r remote) Key() string        { return r.key }
func (r remote) Workspaces() string { return r.workspaces }

// leaveBehind makes an agent start a terminal and a process in the background.
func leaveBehind(t *testing.T, u server, model *llm.Server) {
	t.Helper()
	converse(t, u, model, "run: nohup sleep 1000 >/dev/null 2>&1 &")
}

// converse holds a conversation until its run has finished.
func converse(t *testing.T, u server, model *llm.Server, message string) (id string) {
	t.Helper()
	status, body := call(t, u, http.MethodPost, "/api/conversations", u.Key(), map[string]any{
		"agent_settings":  map[string]any{"llm": map[string]any{"model": model.Model(), "base_url": model.URL(), "api_key": model.Key()}},
		"workspace":       map[string]any{"working_dir": filepath.Join(u.Workspaces(), "talk")},
		"initial_message": map[string]any{"role": "user", "content": []any{map[string]any{"type": "text", "text": message}}, "run": true},
	})
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusCreated {
		t.Fatalf("create a conversation: %d %s", status, body)
	}
	eventually(t, "the conversation has finished", func() bool {
		_, body := call(t, u, http.MethodGet, "/api/conversations/"+made.ID, u.Key(), nil)
		var now struct {
			Status string `json:"execution_status"`
		}
		return json.Unmarshal([]byte(body), &now) == nil && now.Status == "finished"
	})
	return made.ID
}

func history(t *testing.T, u server, id string) string {
	t.Helper()
	_, body := call(t, u, http.MethodGet, "/api/conversations/"+id+"/events/search?limit=100", u.Key(), nil)
	return body
}

func call(t *testing.T, u server, method, path, key string, body any) (int, string) {
	t.Helper()
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, u.URL()+path, content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Session-API-Key", key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Sprint(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
