// Package child runs other programs so that none of them outlives us.
//
// It owns the starting, signalling and ending of a process together with
// everything that stays in its process group. It never decides what runs.
//
// The key idea: every child leads a process group of its own, so a Ctrl-C in
// the terminal reaches only us and we end the others in order, and on Linux
// the kernel signals the child when we die without having ended it.
package child

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a started child.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// Start starts cmd as the leader of a process group of its own. The kernel
// sends it orphaned when this process dies (Linux only; zero: SIGTERM).
func Start(cmd *exec.Cmd, orphaned syscall.Signal) (*Process, error) {
	if orphaned == 0 {
		orphaned = syscall.SIGTERM
	}
	cmd.SysProcAttr = attributes(orphaned)
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// run keeps one thread for the child's whole life: the parent-death signal
// belongs to the thread that started the child, not to the process.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID is the child's process id, which is its group's id too.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the child ended. It is for use after Done.
func (p *Process) Err() error { return p.err }

// ExitCode is the child's exit status, -1 when a signal ended it. It is for
// use after Done.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// Signal sends sig to the child and all of its group.
func (p *Process) Signal(sig syscall.Signal) error {
	err := syscall.Kill(-p.PID(), sig)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// Stop asks the child to end, waits for the grace and then kills what is left
// of its group.
func (p *Process) Stop(grace time.Duration) {
	select {
	case <-p.done: // its id may belong to another process by now
	default:
		_ = syscall.Kill(p.PID(), syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-time.After(grace):
	}
	_ = p.Signal(syscall.SIGKILL)
	<-p.done
}

// Run starts cmd, waits until it ends and kills its group when ctx ends first.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	p, err := Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		p.Stop(time.Second)
		return ctx.Err()
	}
}
