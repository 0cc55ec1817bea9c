package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// OpenHands' own clients, as they are published, with a key of ours in the place of the server's.

// apiKey makes a key of its own for the client, as a program would get it.
func (c *client) apiKey() string {
	c.t.Helper()
	return c.field(c.want(201, c.post("/api/keys", map[string]any{"name": "a program"})), "key")
}

// walk runs a client's script as ann, who knows of a conversation of somebody else's, and returns what each step came to and what
// was asked.
func walk(t *testing.T, name string, program ...string) (steps map[string]string, asked []string) {
	t.Helper()
	i := shared(t)
	ann, bob := signedUp(t, i.url), signedUp(t, i.url)
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "PRODUCT_URL="+i.url, "PRODUCT_KEY="+ann.apiKey(), "PRODUCT_FOREIGN="+bob.create(""),
		"LITELLM_LOCAL_MODEL_COST_MAP=True", "OPENHANDS_SUPPRESS_BANNER=1")
	var out, failures bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &failures
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, &out, &failures)
	}
	steps = map[string]string{}
	for lines := bufio.NewScanner(&out); lines.Scan(); {
		step, outcome, isStep := strings.Cut(lines.Text(), "\t")
		switch {
		case isStep && step == "asked":
			asked = append(asked, outcome)
		case isStep:
			steps[step] = outcome
		}
	}
	return steps, asked
}

// onNode is a script in the folder where Node finds the clients' packages.
func onNode(t *testing.T, script string) []string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "clients", script))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), script)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(world.node, "node_modules"), filepath.Join(filepath.Dir(path), "node_modules")); err != nil {
		t.Fatal(err)
	}
	return []string{"node", path}
}

func pythonOfTheUpstream() string { return filepath.Join(filepath.Dir(world.agentServer), "python") }

func TestThePythonSDKWorksWithAnAPIKey(t *testing.T) {
	t.Parallel()
	steps, asked := walk(t, "the Python SDK", pythonOfTheUpstream(), filepath.Join("testdata", "clients", "walk.py"), t.TempDir())
	want := map[string]string{
		"server": "1.49.1", "alive": "True", "model": "openai/scripted", "saved secrets": "[]",
		"status": "finished", "events by socket": "True", "saved events": "True",
		"upload": "True", "download": "sent by the SDK", "a file of the host": "False",
		"command": "made by 42", "git changes": "['made.txt', 'sent.txt']",
		"title": "None", "policy": "None", "secrets": "None", "pause": "None", "fork": "True", "come back": "True",
		"foreign": "refused 409", "a bad key": "refused 401",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	refusedAsSaid(t, "Python SDK", asked)
}

func TestTheTypeScriptClientWorksWithAnAPIKey(t *testing.T) {
	t.Parallel()
	steps, _ := walk(t, "the TypeScript client", onNode(t, "walk.mjs")...)
	want := map[string]string{
		"model": "openai/scripted", "start": "started", "socket": "open", "message": "sent", "run": "asked", "finished": "true",
		"events by socket": "true", "title": "set", "command": "made by 42", "upload": "true", "download": "sent by the client",
		"batch of bash events": "refused 403", "workspaces": "true", "foreign": "refused 404", "close": "closed", "a bad key": "refused 401",
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheTypeScriptClientSignsADeviceIn(t *testing.T) {
	t.Parallel()
	i := shared(t)
	ann := signedUp(t, i.url)
	program := onNode(t, "device.mjs")
	cmd := exec.CommandContext(t.Context(), program[0], program[1:]...)
	cmd.Env = append(os.Environ(), "PRODUCT_URL="+i.url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	device := newClient(t, i.url)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), "\t"); name {
		case "code":
			ann.approves(value)
		case "page":
			if !strings.HasSuffix(value, "/account/device") {
				t.Errorf("people are sent to %s", value)
			}
		case "key":
			device.token = value
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if me := device.want(200, device.get("/api/users/me")); !strings.Contains(me.body, ann.email) {
		t.Errorf("the key is of %s", me.body)
	}
}

func TestWhatTheTypeScriptClientIsRefusedIsSaid(t *testing.T) {
	t.Parallel()
	program := onNode(t, "calls.mjs")
	out, err := exec.CommandContext(t.Context(), program[0], program[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	refusedAsSaid(t, "TypeScript client", strings.Split(strings.TrimSpace(string(out)), "\n"))
}

// refusedAsSaid compares what of the calls the table of the product refuses with the list in the documentation.
func refusedAsSaid(t *testing.T, name string, asked []string) {
	t.Helper()
	table := operations(t)
	refused := map[string]bool{}
	for _, call := range asked {
		method, path, _ := strings.Cut(call, " ")
		if !strings.HasPrefix(path, "/api/") || strings.Contains(path, "undefined") || strings.Contains(path, "bject%20Object") {
			continue // what the script's strange arguments made
		}
		if !served(table, method, path) {
			refused[method+" "+asNamed(path)] = true
		}
	}
	if len(asked) < 20 {
		t.Errorf("only %d calls were seen", len(asked))
	}
	if diff := cmp.Diff(documented(t, name), sortedNames(refused)); diff != "" {
		t.Errorf("docs/accounts.md, what the %s is refused: -said +is\n%s", name, diff)
	}
}

// operation is a line of the product's own table of operations.
type operation struct{ Method, Path, Treatment string }

func operations(t *testing.T) []operation {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), world.binary, "routes", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var table []operation
	if err := json.Unmarshal(out, &table); err != nil {
		t.Fatal(err)
	}
	return table
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// served says whether the table has the call and does not deny it. A row without parameters comes before one with.
func served(table []operation, method, path string) bool {
	for _, exact := range []bool{true, false} {
		for _, o := range table {
			pattern := regexp.MustCompile("^" + parameter.ReplaceAllString(o.Path, "[^/]+") + "$")
			if (o.Method == method || o.Method == "*") && pattern.MatchString(path) && exact == (o.Path == path) {
				return o.Treatment != "DENY"
			}
		}
	}
	return false
}

// asNamed writes a path with {id} for every argument of the scripts.
func asNamed(path string) string {
	segments := strings.Split(path, "/")
	for n, s := range segments {
		if s == "ID" || s == "none" || len(s) == 36 && strings.Count(s, "-") == 4 {
			segments[n] = "{id}"
		}
	}
	return strings.Join(segments, "/")
}

// documented is the list of the documentation below the line that names the client.
func documented(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", "accounts.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, list, found := strings.Cut(string(text), "<!-- refused: "+name+" -->\n")
	list, _, closed := strings.Cut(list, "<!-- end -->")
	if !found || !closed {
		t.Fatalf("docs/accounts.md has no list for the %s", name)
	}
	calls := []string{}
	for _, call := range regexp.MustCompile("`([A-Z]+ /[^`]*)`").FindAllStringSubmatch(list, -1) {
		calls = append(calls, call[1])
	}
	slices.Sort(calls)
	return calls
}

func sortedNames(set map[string]bool) []string {
	names := []string{}
	for name := range set {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
