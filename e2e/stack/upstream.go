package stack

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// UpstreamOptions say how an upstream is started.
type UpstreamOptions struct {
	AgentServer string        // the program, as setup.Ensure found it
	DataDir     string        // all of its folders and keys; kept between starts
	Workspaces  string        // the workspace root; default: DataDir/workspaces
	Environment []string      // added to the otherwise closed environment
	Patience    time.Duration // how long a start with all its retries may take; default: 5 minutes
}

// Upstream is a supervised agent-server. When its process ends by itself it is
// started again on the same address with the same data.
type Upstream struct {
	options UpstreamOptions
	layout  *layout
	key     string
	secret  string

	wake  chan struct{}      // tells the supervisor that wanted changed
	stop  context.CancelFunc // ends the supervisor
	ended chan struct{}      // closed when it has ended

	mu      sync.Mutex
	version string
	port    int
	settled bool // it was ready once: the port must not change any more
	wanted  bool
	process *child.Process
	line    io.Closer // the launcher's standard input: its lifeline
	starts  int
}

// StartUpstream starts an agent-server with keys of its own on a free loopback
// port, supervises it and returns when it answers.
func StartUpstream(ctx context.Context, o UpstreamOptions) (*Upstream, error) {
	if o.Patience == 0 {
		o.Patience = 5 * time.Minute
	}
	u := &Upstream{options: o, wake: make(chan struct{}, 1), ended: make(chan struct{}), wanted: true}
	if err := u.prepare(); err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.Background())
	u.stop = stop
	go u.supervise(life)
	if err := u.WaitReady(ctx); err != nil {
		u.Stop()
		return nil, fmt.Errorf("start the upstream: %w; the end of %s:\n%s", err, u.LogFile(), tail(u.Log(), 30))
	}
	return u, nil
}

func (u *Upstream) prepare() (err error) {
	if u.layout, err = newLayout(u.options.DataDir, u.options.Workspaces); err != nil {
		return err
	}
	if u.key, err = u.layout.secret("api-key"); err != nil {
		return err
	}
	if u.secret, err = u.layout.secret("secret-key"); err != nil {
		return err
	}
	return os.WriteFile(u.LogFile(), nil, 0o600)
}

// URL is the upstream's base address.
func (u *Upstream) URL() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return "http://127.0.0.1:" + strconv.Itoa(u.port)
}

// Key is the key that opens everything of the upstream.
func (u *Upstream) Key() string { return u.key }

// SecretKey is the key with which the upstream seals what it stores.
func (u *Upstream) SecretKey() string { return u.secret }

// KeyFile is the file that holds Key.
func (u *Upstream) KeyFile() string { return u.layout.path("api-key") }

// Workspaces is the workspace root: the folder below which agents work.
func (u *Upstream) Workspaces() string { return u.layout.workspaces }

// Version is the upstream's own version.
func (u *Upstream) Version() string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.version
}

// LogFile is where its output goes.
func (u *Upstream) LogFile() string { return u.layout.path("agent-server.log") }

// Log is what it has printed so far.
func (u *Upstream) Log() string {
	text, _ := os.ReadFile(u.LogFile())
	return string(text)
}

// Starts counts how often its process was started.
func (u *Upstream) Starts() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.starts
}

// launch starts the process if it is still wanted; nil without an error means
// that it is not.
func (u *Upstream) launch() (*child.Process, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.wanted {
		return nil, nil
	}
	if err := u.choosePort(); err != nil {
		return nil, err
	}
	if err := u.layout.writeConfig(u.key, u.secret); err != nil {
		return nil, err
	}
	_ = os.Remove(u.layout.path("server.pid"))
	p, line, err := u.startProcess()
	if err != nil {
		return nil, err
	}
	u.process, u.line = p, line
	u.starts++
	return p, nil
}

// startProcess returns the process and its lifeline.
func (u *Upstream) startProcess() (*child.Process, io.Closer, error) {
	log, err := os.OpenFile(u.LogFile(), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open the upstream's log: %w", err)
	}
	defer func() { _ = log.Close() }()
	python := filepath.Join(filepath.Dir(u.options.AgentServer), "python")
	cmd := exec.Command(python, "-I", u.layout.path("launcher.py"), u.layout.path("server.pid"),
		u.options.AgentServer, "--host", "127.0.0.1", "--port", strconv.Itoa(u.port))
	cmd.Dir = u.layout.path("run")
	cmd.Env = append(u.layout.environment(), u.options.Environment...)
	cmd.Stdout, cmd.Stderr = log, log
	line, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("tie the upstream to us: %w", err)
	}
	p, err := child.Start(cmd, syscall.SIGTERM)
	return p, line, err
}

// choosePort takes a new port until the server was ready once: somebody else
// may be quicker to take a port that was free a moment ago.
func (u *Upstream) choosePort() error {
	if u.settled {
		return nil
	}
	port, err := freePort()
	u.port = port
	return err
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
