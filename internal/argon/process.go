package argon

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

// niceness is what the process yields to the server: it works at once where a processor is free, and gets a third of one that is
// wanted by others.
const niceness = 5

// Process makes hashes in a process of its own, which is started by the first and again when it has ended. Where that cannot be, they
// are made here.
type Process struct {
	command []string
	log     *slog.Logger

	mu      sync.Mutex
	running *worker // nil: none
	closed  bool
}

// NewProcess makes a Process that runs command, which must call Serve with its standard input and output.
func NewProcess(log *slog.Logger, command ...string) *Process {
	return &Process{command: command, log: log}
}

// errEnded is what a hash fails with whose process has ended.
var errEnded = errors.New("the process that hashes passwords has ended")

// Make implements Maker. When ctx ends, the hash is still made, and thrown away.
func (p *Process) Make(ctx context.Context, j Job) ([]byte, error) {
	w, err := p.worker()
	if err != nil {
		p.log.WarnContext(ctx, "passwords are hashed in the server's own process, which slows it down: there can be no other", "error", err)
		return Here{}.Make(ctx, j)
	}
	return w.make(ctx, j)
}

// Close ends the process, and waits until it has ended.
func (p *Process) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.running != nil {
		p.running.close()
	}
}

// worker is the process that runs, or a new one.
func (p *Process) worker() (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil && !p.running.ended() {
		return p.running, nil
	}
	if p.closed {
		return nil, errEnded
	}
	w, err := start(p.command)
	p.running = w
	return w, err
}

// question and answer are what goes to and fro.
type question struct {
	ID  uint64
	Job Job
}

type answer struct {
	ID  uint64
	Key []byte
}

// worker is one process.
type worker struct {
	command *exec.Cmd
	in      io.WriteCloser
	over    chan struct{} // closed when it has ended

	mu      sync.Mutex
	send    *gob.Encoder
	last    uint64
	waiting map[uint64]chan []byte
}

// start starts the process with nothing of the environment, where secrets are, and out of reach of the terminal's signals: it ends when
// its standard input does, be it that this process was killed.
func start(command []string) (*worker, error) {
	w := &worker{over: make(chan struct{}), waiting: map[uint64]chan []byte{}, command: exec.Command(command[0], command[1:]...)}
	w.command.Env = []string{"GOMAXPROCS=" + strconv.Itoa(max(1, runtime.GOMAXPROCS(0)/2))}
	w.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, errIn := w.command.StdinPipe()
	out, errOut := w.command.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		return nil, fmt.Errorf("connect a process that hashes passwords: %w", err)
	}
	w.in, w.send = in, gob.NewEncoder(in)
	if err := startNice(w.command); err != nil {
		return nil, fmt.Errorf("start a process that hashes passwords: %w", err)
	}
	go w.read(out)
	return w, nil
}

// startNice starts the command with a lower priority, which it inherits from the thread that starts it. That thread ends with this:
// a locked goroutine that ends takes it along.
func startNice(command *exec.Cmd) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, niceness) // without it, it only is less polite
		done <- command.Start()
	}()
	return <-done
}

// read hands out what the process makes, until it ends or says something that is no answer.
func (w *worker) read(out io.Reader) {
	defer func() {
		_ = w.in.Close()
		_ = w.command.Wait()
		close(w.over)
	}()
	for from := gob.NewDecoder(out); ; {
		var a answer
		if from.Decode(&a) != nil {
			return
		}
		w.mu.Lock()
		waits := w.waiting[a.ID]
		delete(w.waiting, a.ID)
		w.mu.Unlock()
		if waits != nil {
			waits <- a.Key
		}
	}
}

func (w *worker) make(ctx context.Context, j Job) ([]byte, error) {
	waits := make(chan []byte, 1)
	if err := w.ask(j, waits); err != nil {
		return nil, fmt.Errorf("%w: %w", errEnded, err)
	}
	select {
	case key := <-waits:
		return key, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.over:
	}
	select {
	case key := <-waits: // it came just before the end
		return key, nil
	default:
		return nil, errEnded
	}
}

func (w *worker) ask(j Job, waits chan []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	w.waiting[w.last] = waits
	return w.send.Encode(question{w.last, j})
}

func (w *worker) ended() bool {
	select {
	case <-w.over:
		return true
	default:
		return false
	}
}

func (w *worker) close() {
	_ = w.in.Close()
	<-w.over
}
