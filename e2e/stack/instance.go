package stack

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// InstanceOptions say how one instance of the product is started.
type InstanceOptions struct {
	Binary   string            // as BuildBinary made it
	Args     []string          // default: serve
	DataDir  string            // its DATA_DIR; several starts may share one, one after the other
	Port     int               // default: a free one
	Env      map[string]string // settings; an empty value is passed as empty
	Dir      string            // its working directory; default: DataDir
	Output   *os.File          // where its output goes; default: a file that Log reads
	Patience time.Duration     // how long it may take to be ready; default: 90 seconds
}

// Instance is one running process of the product.
type Instance struct {
	options InstanceOptions
	process *child.Process
	logFile string
}

// Exited is the error of an instance that ended before it was ready.
type Exited struct {
	Code int // its exit status, -1 when a signal ended it
	Log  string
}

// Error implements error.
func (e *Exited) Error() string {
	text := fmt.Sprintf("the product ended with status %d before it was ready", e.Code)
	if e.Log == "" {
		return text
	}
	return text + "; it said:\n" + tail(e.Log, 30)
}

// StartInstance runs the product's binary as a child process, in a closed
// environment but for Env, and returns when it is ready to serve. When it ends
// first, the error is an *Exited.
func StartInstance(ctx context.Context, o InstanceOptions) (*Instance, error) {
	i, err := LaunchInstance(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := i.WaitReady(ctx); err != nil {
		i.Kill()
		return nil, err
	}
	return i, nil
}

// LaunchInstance is StartInstance without the wait.
func LaunchInstance(_ context.Context, o InstanceOptions) (*Instance, error) {
	i := &Instance{options: o}
	if err := i.fill(); err != nil {
		return nil, err
	}
	output := i.options.Output
	if output == nil {
		file, err := os.OpenFile(i.logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open the product's log: %w", err)
		}
		defer func() { _ = file.Close() }()
		output = file
	}
	cmd := exec.Command(i.options.Binary, i.options.Args...)
	cmd.Env = i.environment()
	cmd.Dir = i.options.Dir
	cmd.Stdout, cmd.Stderr = output, output
	process, err := child.Start(cmd, syscall.SIGTERM)
	i.process = process
	return i, err
}

func (i *Instance) fill() (err error) {
	o := &i.options
	if len(o.Args) == 0 {
		o.Args = []string{"serve"}
	}
	if o.Patience == 0 {
		o.Patience = 90 * time.Second
	}
	if o.Port == 0 {
		if o.Port, err = freePort(); err != nil {
			return err
		}
	}
	if o.DataDir, err = filepath.Abs(o.DataDir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.DataDir, 0o711); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	if o.Dir == "" {
		o.Dir = o.DataDir
	}
	i.logFile = filepath.Join(o.DataDir, "openhands-saas-"+strconv.Itoa(o.Port)+".log")
	return nil
}

// environment is closed: what a developer happens to have set must not decide
// how a test ends. Env wins over what is set here.
func (i *Instance) environment() []string {
	set := map[string]string{
		"LANG":     "C.UTF-8",
		"HOST":     "127.0.0.1",
		"PORT":     strconv.Itoa(i.options.Port),
		"DATA_DIR": i.options.DataDir,
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ"} {
		if value, here := os.LookupEnv(name); here {
			set[name] = value
		}
	}
	maps.Copy(set, i.options.Env)
	env := make([]string, 0, len(set))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		env = append(env, name+"="+set[name])
	}
	return env
}

// URL is the instance's base address.
func (i *Instance) URL() string {
	host := i.options.Env["HOST"]
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(i.options.Port))
}

// Log is everything it has printed since its data folder was made.
func (i *Instance) Log() string {
	text, _ := os.ReadFile(i.logFile)
	return string(text)
}

// PID is its process id.
func (i *Instance) PID() int { return i.process.PID() }

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.process.Done() }

// ExitCode is its exit status, -1 when a signal ended it; for use after Done.
func (i *Instance) ExitCode() int { return i.process.ExitCode() }

// Kill ends it as a crash does, with SIGKILL, and returns when it is gone.
func (i *Instance) Kill() {
	_ = syscall.Kill(i.PID(), syscall.SIGKILL)
	<-i.Done()
}

// Stop ends it in order, as Ctrl-C does, and kills it when it takes too long.
func (i *Instance) Stop() { i.process.Stop(30 * time.Second) }

// WaitReady returns when the instance says that it is ready.
func (i *Instance) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, i.options.Patience)
	defer cancel()
	for !i.ready(ctx) {
		select {
		case <-i.Done():
			return &Exited{Code: i.ExitCode(), Log: i.Log()}
		case <-ctx.Done():
			return fmt.Errorf("the product is not ready: %w; it said:\n%s", ctx.Err(), tail(i.Log(), 30))
		case <-time.After(pollEvery):
		}
	}
	select {
	case <-i.Done(): // somebody else answered on this port
		return &Exited{Code: i.ExitCode(), Log: i.Log()}
	default:
		return nil
	}
}

func (i *Instance) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
