package stack

import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/openhands-saas/openhands-saas/e2e/stack/child"
)

// Kill ends the server's process with SIGKILL and returns when it is gone. The
// supervisor brings it back: WaitReady waits for that.
func (u *Upstream) Kill() {
	p := u.current()
	if p == nil {
		return
	}
	for {
		u.signal(syscall.SIGKILL)
		select {
		case <-p.Done():
			return
		case <-time.After(pollEvery): // it had not told its process id yet
		}
	}
}

// Pause stops the server's process in its tracks: connections open, no answer.
func (u *Upstream) Pause() { u.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (u *Upstream) Resume() { u.signal(syscall.SIGCONT) }

// Down ends the server and keeps it down until Up.
func (u *Upstream) Down() {
	u.want(false)
	u.end(u.current())
}

// Up starts the server again after Down and returns when it answers.
func (u *Upstream) Up(ctx context.Context) error {
	u.want(true)
	return u.WaitReady(ctx)
}

// Restart ends the server in order and starts it again.
func (u *Upstream) Restart(ctx context.Context) error {
	u.Down()
	return u.Up(ctx)
}

// Stop ends the supervision and the server with everything that it started.
func (u *Upstream) Stop() {
	u.want(false)
	u.stop()
	u.end(u.current())
	<-u.ended
	u.layout.remove()
}

func (u *Upstream) want(wanted bool) {
	u.mu.Lock()
	u.wanted = wanted
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

func (u *Upstream) current() *child.Process {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.process
}

// end lets go of the launcher's lifeline and waits until it has swept.
func (u *Upstream) end(p *child.Process) {
	if p == nil {
		return
	}
	u.mu.Lock()
	_ = u.line.Close()
	u.mu.Unlock()
	select {
	case <-p.Done():
	case <-time.After(30 * time.Second):
		p.Stop(0)
	}
}

// signal reaches the server itself, not its launcher, which must stay to sweep.
func (u *Upstream) signal(sig syscall.Signal) {
	written, err := os.ReadFile(u.layout.path("server.pid"))
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(written))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, sig)
	}
}
