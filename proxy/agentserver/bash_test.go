package agentserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
)

// filesCommand is what the Canvas UI sends to fill its tree of files.
const filesCommand = "find . \\( -name '.git' -prune -o -name 'node_modules' -prune -o -name '.venv' -prune -o -name 'venv' -prune -o -name '__pycache__' -prune -o -name 'dist' -prune -o -name 'build' -prune -o -name '.next' -prune -o -name '.cache' -prune -o -name '.pytest_cache' -prune -o -name '.mypy_cache' -prune -o -name '.turbo' -prune -o -name '.parcel-cache' -prune -o -name 'target' -prune \\) -o -type f -print 2>/dev/null | sort | head -n 2000"

// gitCommand is what it sends to find the remote and the branch.
const gitCommand = "r=$(git remote get-url origin 2>/dev/null)\n" +
	"b=$(git rev-parse --abbrev-ref HEAD 2>/dev/null)\n" +
	"if [ -z \"$r$b\" ]; then\n" +
	"n=$(find . -mindepth 2 -maxdepth 4 -name .git 2>/dev/null | cut -c3- | sed 's|/.git$||' | sort -u)\n" +
	"c=$(printf '%s\\n' \"$n\" | grep -c '[^[:space:]]')\n" +
	"if [ \"$c\" = \"1\" ] && [ -n \"$n\" ]; then\n" +
	"r=$(git -C \"$n\" remote get-url origin 2>/dev/null)\n" +
	"b=$(git -C \"$n\" rev-parse --abbrev-ref HEAD 2>/dev/null)\n" +
	"fi\n" +
	"fi\n" +
	"printf '%s\\n%s' \"$r\" \"$b\""

func TestACommandIsThatOfItsConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}}).String()
	theirs := w.create("bob", map[string]any{"workspace": map[string]any{"working_dir": w.root("bob") + "/p"}}).String()
	own := conversationsPath + "/" + id + "/bash/execute_bash_command"
	const flat = "/api/bash/execute_bash_command"
	for _, c := range []struct {
		who, path, body string
		want            string // forwarded; "" for nothing
		status          int
	}{
		{"ann", own, `{"command":"id","x":1}`, `{"command":"id"}`, 200},
		{"ann", own, `{"command":"id","cwd":"` + dir + `/","timeout":9}`, `{"command":"id","cwd":"` + dir + `","timeout":9}`, 200},
		{"ann", own, `{"command":"id","cwd":"` + w.root("bob") + `"}`, "", 422},
		{"ann", own, `{"command":"id","cwd":"` + dir + `/../.."}`, "", 422},
		{"ann", own, `{"command":"id","timeout":301}`, "", 422},
		{"ann", own, `{"cwd":"` + dir + `"}`, "", 422},
		{"ann", conversationsPath + "/" + theirs + "/bash/execute_bash_command", `{"command":"id"}`, "", 404},
		{"vic", own, `{"command":"id"}`, "", 403},
		{"ann", flat, `{"command":"id","cwd":"` + dir + `/deep/"}`, `{"command":"id","cwd":"` + dir + `/deep"}`, 200},
		{"ann", "/api/bash/start_bash_command", `{"command":"id","cwd":"` + dir + `","timeout":null}`, `{"command":"id","cwd":"` + dir + `"}`, 200},
		{"ann", flat, `{"command":"id","cwd":"` + w.root("bob") + `/p"}`, "", 404},
		{"ann", flat, `{"command":"id","cwd":"` + w.root("ann") + `"}`, "", 404},
		{"ann", flat, `{"command":"id","cwd":"/"}`, "", 404},
		{"ann", flat, `{"command":"id"}`, "", 422},
		{"ann", flat, `{"command":"id","cwd":"` + dir + `/../q"}`, "", 422},
		{"bob", flat, `{"command":"id","cwd":"` + dir + `"}`, "", 404},
		{"vic", flat, `{"command":"id","cwd":"` + dir + `"}`, "", 403},
		{"vic", "/api/bash/start_bash_command", `{"command":"id","cwd":"` + dir + `"}`, "", 403},
		{"vic", flat, string(must(json.Marshal(map[string]any{"command": filesCommand + " ", "cwd": dir}))), "", 403},
		{"vic", flat, string(must(json.Marshal(map[string]any{"command": gitCommand + "; id", "cwd": dir}))), "", 403},
		{"vic", "/api/bash/start_bash_command", string(must(json.Marshal(map[string]any{"command": gitCommand, "cwd": dir}))), "", 403},
		{"vic", flat, string(must(json.Marshal(map[string]any{"command": gitCommand, "cwd": dir, "timeout": 10}))), "*", 200},
		{"bob", flat, string(must(json.Marshal(map[string]any{"command": gitCommand, "cwd": dir, "timeout": 10}))), "", 404},
		{"vic", flat, string(must(json.Marshal(map[string]any{"command": filesCommand, "cwd": dir, "timeout": 30}))), "*", 200},
	} {
		w.upstream.forget()
		a := w.ask(c.who, "POST", c.path, c.body)
		sent := w.upstream.arrived("/")
		if a.status != c.status || (c.want != "") != (len(sent) == 1) {
			t.Errorf("%s %s %s: %d %s, forwarded %+v", c.who, c.path, c.body, a.status, a.body, sent)
			continue
		}
		if c.want != "" {
			tail := c.path[strings.LastIndex(c.path, "/"):]
			if sent[0].path != conversationsPath+"/"+id+"/bash"+tail || c.want != "*" && sent[0].body != c.want {
				t.Errorf("%s %s became %s %s", c.path, c.body, sent[0].path, sent[0].body)
			}
		}
	}
}

func TestTheLogOfCommandsIsPerConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	w.upstream.script(func(http.ResponseWriter, *http.Request, []byte) bool { return true })
	events := conversationsPath + "/" + id + "/bash/bash_events"
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", events + "/search?limit=2", "", 200}, {"GET", events + "/" + uuid.NewString(), "", 200}, {"DELETE", events, "", 200},
		{"GET", events + "/", `["a"]`, 200}, {"GET", events + "/", `{}`, 422},
		{"GET", "/api/bash/bash_events/search", "", 403}, {"GET", "/api/bash/bash_events/x", "", 403}, {"DELETE", "/api/bash/bash_events", "", 403},
	} {
		w.upstream.forget()
		a := w.ask("ann", c.method, c.path, c.body)
		if sent := w.upstream.arrived("/"); a.status != c.status || (c.status == 200) != (len(sent) == 1) {
			t.Errorf("%s %s: %d %s, forwarded %+v", c.method, c.path, a.status, a.body, sent)
		}
	}
	if a := w.ask("vic", "DELETE", events, nil); a.status != 403 {
		t.Errorf("a Viewer cleared it: %d", a.status)
	}
}

func TestACommandThatWasStartedFlatIsFoundByTheIdThatWasAnswered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}}).String()
	theirs := w.create("bob", map[string]any{"workspace": map[string]any{"working_dir": w.root("bob") + "/p"}}).String()
	command := uuid.NewString()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		_, _ = rw.Write([]byte(`{"id":"` + command + `","command":"id","items":[],"order":12345678901234567890}`))
		return true
	})
	started := w.ask("ann", "POST", "/api/bash/start_bash_command", `{"command":"id","cwd":"`+dir+`"}`)
	if want := `{"command":"id","id":"` + command + "." + id + `","items":[],"order":12345678901234567890}`; started.status != 200 || started.body != want {
		t.Fatalf("started: %d %s", started.status, started.body)
	}
	log := func(named string) string {
		return "/api/bash/bash_events/search?kind__eq=BashOutput&command_id__eq=" + named
	}
	for _, c := range []struct {
		who, path string
		status    int
	}{
		{"ann", log(command + "." + id), 200},
		{"vic", log(command + "." + id), 200},
		{"bob", log(command + "." + id), 404},
		{"ann", log(command + "." + theirs), 404},
		{"ann", log(command + "." + uuid.NewString()), 404},
		{"ann", log("x." + id), 404},
		{"ann", log(command + ".x"), 404},
		{"ann", log(command), 403},
		{"ann", log(command+"."+id) + "&command_id__eq=" + uuid.NewString(), 403},
	} {
		w.upstream.forget()
		a := w.ask(c.who, "GET", c.path, "")
		sent := w.upstream.arrived("/")
		if a.status != c.status || (c.status == 200) != (len(sent) == 1) {
			t.Errorf("%s %s: %d %s, forwarded %+v", c.who, c.path, a.status, a.body, sent)
			continue
		}
		if c.status == 200 && sent[0].path != conversationsPath+"/"+id+"/bash/bash_events/search" {
			t.Errorf("asked %s", sent[0].path)
		}
	}
}

func TestCommandsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	w := newHouse(t, func(c *agentserver.Config) { c.Bash = false })
	dir := w.root("ann") + "/p"
	id := w.create("ann", map[string]any{"workspace": map[string]any{"working_dir": dir}}).String()
	w.upstream.forget()
	for _, o := range agentserver.Routes() {
		if !strings.Contains(o.Path, "/bash/") || o.Permission == access.Nobody {
			continue
		}
		path := parameter.ReplaceAllString(strings.Replace(o.Path, "{conversation_id}", id, 1), "x")
		body := map[string]any{"command": "id", "cwd": dir}
		if a := w.ask("ann", o.Method, path, body); a.status != 403 || len(w.upstream.arrived("/")) != 0 {
			t.Errorf("%s %s: %d %s", o.Method, path, a.status, a.body)
		}
	}
}

func must(raw []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return raw
}
