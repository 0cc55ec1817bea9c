package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack"
	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// TestOneCommandStartsEverythingAndOneInterruptEndsIt is `make run DEMO=1`, as a newcomer does it, with the first ten minutes
// of the README.
func TestOneCommandStartsEverythingAndOneInterruptEndsIt(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp(world.dir, "run-")
	if err != nil {
		t.Fatal(err)
	}
	port := freePort(t)
	command, screen := runCommand(t, "DATA_DIR="+data, "PORT="+port, "DEMO=1")
	within(t, 3*time.Minute, "it is ready", func() error {
		select {
		case <-command.Done():
			t.Fatalf("it ended by itself:\n%s", screen)
		default:
		}
		if !strings.Contains(screen.String(), "Ctrl-C") {
			return fmt.Errorf("it printed:\n%s", screen)
		}
		return nil
	})
	base := "http://localhost:" + port
	for _, says := range []string{"openhands-saas is ready: " + base + "\n", "agent-server 1.49.1 at http://127.0.0.1:", "data      " + data + "\n", "no key needed", "every mail is at http://127.0.0.1:"} {
		if !strings.Contains(screen.String(), says) {
			t.Errorf("it does not say %q:\n%s", says, screen)
		}
	}

	link := regexp.MustCompile(base + `/account/setup/\S+`).FindString(screen.String())
	person := newClient(t, base)
	person.want(http.StatusOK, person.page(strings.TrimPrefix(link, base)))
	form := url.Values{"email": {"admin@example.com"}, "password": {password}, "name": {"The First"}}
	person.want(http.StatusSeeOther, person.send("POST", strings.TrimPrefix(link, base), strings.NewReader(form.Encode()), "application/x-www-form-urlencoded"))
	person.email = "admin@example.com"
	person.login()
	if me := person.want(http.StatusOK, person.get("/api/auth/users/me")).body; !strings.Contains(me, `"is_superuser":true`) {
		t.Errorf("the link did not make an administrator: %s", me)
	}
	again := person.page(strings.TrimPrefix(link, base))
	if again.status == http.StatusOK {
		t.Error("the link works twice")
	}

	smoke := exec.CommandContext(t.Context(), world.binary, "smoke", "--url", base)
	if output, err := smoke.CombinedOutput(); err != nil || !strings.Contains(string(output), "all is well") {
		t.Errorf("smoke: %v\n%s", err, output)
	}

	person.finished(person.create("run: nohup sleep 1000 >/dev/null 2>&1 &"))
	family := descendants(command.PID())
	for _, name := range []string{"openhands-saas", "agent-server", "postgres", "mailpit", "tmux", "sleep 1000"} {
		if !strings.Contains(fmt.Sprint(family), name) {
			t.Errorf("no process is a %s, so that its end proves nothing: %v", name, family)
		}
	}
	if err := syscall.Kill(-command.PID(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-command.Done():
	case <-time.After(45 * time.Second):
		t.Fatalf("it does not end:\n%s", screen)
	}
	if left := alive(family); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left := runningIn(data); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if command.ExitCode() != 0 {
		t.Errorf("it ended with status %d:\n%s", command.ExitCode(), screen)
	}
	for _, kept := range []string{"upstream/api-key", "upstream/secret-key", "demo-model/key"} {
		secret, err := os.ReadFile(filepath.Join(data, kept))
		if err != nil || len(secret) < 16 || strings.Contains(screen.String(), strings.TrimSpace(string(secret))) {
			t.Errorf("the screen shows what %s holds, or it holds no key: %v", kept, err)
		}
	}
}

// runCommand builds the command behind `make run` and starts it in the checkout, with what a user's shell has and extra.
func runCommand(t *testing.T, extra ...string) (*child.Process, *screen) {
	t.Helper()
	binary, err := stack.BuildBinary(t.Context(), stack.BinaryOptions{Package: "./e2e/stack/run", Output: filepath.Join(t.TempDir(), "stack")})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary)
	if cmd.Dir, err = filepath.Abs(".."); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(shell(), extra...)
	printed := &screen{}
	cmd.Stdout, cmd.Stderr = printed, printed
	process, err := child.Start(cmd, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop(30 * time.Second) })
	return process, printed
}

// shell is a user's environment without the settings that they may happen to have for the product.
func shell() (env []string) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		switch {
		case strings.HasPrefix(name, "GO"), strings.HasPrefix(name, "XDG_"), strings.HasPrefix(name, "LC_"):
		case strings.Contains(" PATH HOME USER LOGNAME SHELL LANG TERM TMPDIR TZ CC CGO_ENABLED PYENV_ROOT ", " "+name+" "):
		default:
			continue
		}
		env = append(env, pair)
	}
	return env
}

// screen keeps what was printed.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	return port
}

// relative is a process; begun tells it from a later one with the same id.
type relative struct {
	pid, parent   int
	begun, called string
}

// processes reads all processes of this machine, but for those that ended and wait to be collected.
func processes() map[int]relative {
	found := map[int]relative{}
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		stat, err := os.ReadFile(entry + "/stat")
		_, rest, ok := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if err != nil || !ok || len(fields) < 20 || fields[0] == "Z" {
			continue
		}
		command, _ := os.ReadFile(entry + "/cmdline")
		r := relative{begun: fields[19], called: strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " "))}
		_, _ = fmt.Sscan(filepath.Base(entry), &r.pid)
		_, _ = fmt.Sscan(fields[1], &r.parent)
		found[r.pid] = r
	}
	return found
}

// descendants are a process, what it started, what those started, and so on.
func descendants(pid int) (family []relative) {
	all := processes()
	known := map[int]bool{pid: true}
	for grown := true; grown; {
		grown = false
		for _, r := range all {
			if known[r.parent] && !known[r.pid] {
				known[r.pid], grown = true, true
			}
		}
	}
	for pid := range known {
		family = append(family, all[pid])
	}
	return family
}

func alive(family []relative) (left []relative) {
	all := processes()
	for _, r := range family {
		if now, here := all[r.pid]; here && now.begun == r.begun {
			left = append(left, r)
		}
	}
	return left
}

// runningIn lists the processes that have the folder in their command line or environment.
func runningIn(dir string) (left []relative) {
	for pid, r := range processes() {
		environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if strings.Contains(r.called+string(environment), dir) && pid != os.Getpid() {
			left = append(left, r)
		}
	}
	return left
}
