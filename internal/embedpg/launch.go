//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// launchPatiently tries again while processes of a former server, whose main process was killed, still hold its memory.
func (s *Server) launchPatiently(ctx context.Context, a account) error {
	for deadline := time.Now().Add(s.cfg.StopTimeout); ; time.Sleep(100 * time.Millisecond) {
		err := s.launch(ctx, a)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) || !strings.Contains(err.Error(), "pre-existing shared memory") {
			return err
		}
		if s.folder, err = open(s.cfg.DataDir); err != nil { // the failed launch gave the lock back
			return err
		}
	}
}

// launch starts the program and waits until it is ready or has ended.
func (s *Server) launch(ctx context.Context, a account) error {
	s.words, s.done, s.err = &tail{}, make(chan struct{}), nil
	s.cmd = a.command(context.WithoutCancel(ctx), s.bin.path("postgres"), s.arguments()...)
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.WaitDelay = s.words, s.words, time.Second
	started := make(chan error)
	go s.run(started)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.cmd.Path, err)
	}
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.Stop())
	}
	return nil
}

// run stays on one thread for the child's whole life: the kernel ends the child with the thread that started it.
func (s *Server) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	defer s.folder.release()
	err := s.cmd.Start()
	started <- err
	if err == nil {
		s.err = s.cmd.Wait()
	}
}

func (s *Server) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began, said := time.Now(), time.Now()
	for {
		if now, found := s.folder.server(); found && now.pid == s.cmd.Process.Pid && now.ready {
			return nil
		}
		select {
		case <-s.done:
			return s.failure()
		case <-ctx.Done():
			return fmt.Errorf("the database server was not ready after %s: %w", time.Since(began).Round(time.Second), ctx.Err())
		case <-tick.C:
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			s.cfg.Log.Info("the database server is still starting, perhaps it recovers from a crash", "for", time.Since(began).Round(time.Second))
		}
	}
}

// failure says why the server ended, in its own last words.
func (s *Server) failure() error {
	words := s.words.String() + "\n" + lastLines(s.folder.cluster)
	if strings.Contains(words, `lock file "postmaster.pid" already exists`) {
		return fmt.Errorf("%w: another PostgreSQL server uses %s:\n%s", ErrInUse, s.folder.cluster, strings.TrimSpace(words))
	}
	return fmt.Errorf("the database server ended (%v); its last words:\n%s", s.err, strings.TrimSpace(words)) //nolint:errorlint // nil after exit 0
}
