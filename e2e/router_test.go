package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// router is the upstream's own server and routes without its handlers (testdata/router.py): it says what it would do.
type router struct{ line *line }

// verdict is what the upstream makes of a request line.
type verdict struct {
	Operation  string            `json:"operation"` // "" where no operation is reached: then the status says why
	Parameters map[string]string `json:"parameters"`
	Query      [][2]string       `json:"query"`
	status     int
	target     string // as it was asked
}

func (v verdict) String() string {
	if v.Operation == "" {
		return fmt.Sprintf("no operation (%d)", v.status)
	}
	return fmt.Sprintf("%s %q %q", v.Operation, v.Parameters, v.Query)
}

// query is the parameters by name, but for those that never reach the upstream.
func (v verdict) query() map[string][]string {
	all := map[string][]string{}
	for _, pair := range v.Query {
		if pair[0] != "session_api_key" && pair[0] != "cid" {
			all[pair[0]] = append(all[pair[0]], pair[1])
		}
	}
	return all
}

func (v verdict) same(other verdict) bool {
	return v.Operation == other.Operation && maps.Equal(v.Parameters, other.Parameters) && maps.EqualFunc(v.query(), other.query(), slices.Equal)
}

func startRouter(t testing.TB) *router {
	t.Helper()
	dir, script := t.TempDir(), "testdata/router.py"
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "port")
	cmd := exec.Command(filepath.Join(filepath.Dir(world.agentServer), "python"), "-I", script, file)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LITELLM_LOCAL_MODEL_COST_MAP=True", "OH_ENABLE_VSCODE=false",
		"OH_CONVERSATIONS_PATH=" + filepath.Join(dir, "conversations"), "OH_PERSISTENCE_DIR=" + filepath.Join(dir, "persistence")}
	printed := &screen{}
	cmd.Stdout, cmd.Stderr = printed, printed
	process, err := child.Start(cmd, syscall.SIGKILL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(5 * time.Second) })
	for deadline := time.Now().Add(90 * time.Second); ; {
		if port, err := os.ReadFile(file); err == nil {
			return &router{&line{address: "127.0.0.1:" + string(port)}}
		}
		select {
		case <-process.Done():
			t.Fatalf("the router ended:\n%s", printed)
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the router did not start:\n%s", printed)
		}
	}
}

// ask says what the upstream would do with a request line. The method WS is an upgrade.
func (r *router) ask(method, target string) (verdict, error) {
	a, err := r.line.ask(method, target, nil, "")
	if err != nil {
		return verdict{}, err
	}
	v := verdict{status: a.status, target: target}
	said := a.body
	if method == "WS" {
		said = a.header.Get("X-Operation")
	}
	if said == "" || a.status != http.StatusOK && a.status != http.StatusSwitchingProtocols {
		return v, nil
	}
	return v, json.Unmarshal([]byte(said), &v)
}

// line is a connection to a server on which request lines are sent byte for byte. It is made anew when the server ended it.
type line struct {
	address string

	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

// ask sends one request and reads its answer; one that finds the connection ended is sent again on a new one.
func (l *line) ask(method, target string, header http.Header, body string) (answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept := l.conn != nil
	a, err := l.once(method, target, header, body)
	if err != nil && kept {
		a, err = l.once(method, target, header, body)
	}
	return a, err
}

func (l *line) once(method, target string, header http.Header, body string) (answer, error) {
	if method == "WS" {
		l.hangUp() // so that nothing is left to be read from before
		defer l.hangUp()
	}
	if l.conn == nil {
		conn, err := net.Dial("tcp", l.address)
		if err != nil {
			return answer{}, err
		}
		l.conn, l.in = conn, bufio.NewReader(conn)
	}
	_ = l.conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(l.conn, l.request(method, target, header, body)); err != nil {
		l.hangUp()
		return answer{}, err
	}
	a, err := l.read(method)
	if err != nil {
		l.hangUp()
	}
	return a, err
}

func (l *line) request(method, target string, header http.Header, body string) string {
	var text strings.Builder
	verb := method
	if method == "WS" {
		verb = "GET"
	}
	text.WriteString(verb + " " + target + " HTTP/1.1\r\nHost: " + l.address + "\r\n")
	switch {
	case method == "WS":
		text.WriteString("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
	case body != "" || verb == "POST" || verb == "PUT" || verb == "PATCH":
		text.WriteString("Content-Type: application/json\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	_ = header.Write(&text)
	return text.String() + "\r\n" + body
}

func (l *line) read(method string) (answer, error) {
	verb := method
	if method == "WS" {
		verb = "GET"
	}
	response, err := http.ReadResponse(l.in, &http.Request{Method: verb})
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	if response.StatusCode == http.StatusSwitchingProtocols {
		if a.header.Get("X-Operation") != "" {
			return a, nil
		}
		_, err := l.in.Peek(2) // what comes first says that all has been decided
		return a, err
	}
	if method == "WS" && response.ContentLength < 0 {
		return a, nil // the upstream does not end the body of a refused handshake
	}
	body, err := io.ReadAll(response.Body)
	a.body = string(body)
	if response.Close || err != nil {
		l.hangUp()
	}
	return a, err
}

func (l *line) hangUp() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn, l.in = nil, nil
	}
}
