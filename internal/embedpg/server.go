//go:build unix

package embedpg

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"syscall"
	"time"
)

// superuser is the database's account. The socket's folder is what guards it.
const superuser = "postgres"

// Server is a running server: our own child, or another process's that we are attached to.
type Server struct {
	cfg    Config
	folder *folder
	socket string
	bin    binaries

	cmd   *exec.Cmd // nil when attached
	words *tail
	done  chan struct{}
	err   error // why it ended; read after done
}

// Start starts the server and returns when it takes connections. ctx bounds the start only.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	f, err := open(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, folder: f}
	a, err := s.prepare(ctx)
	if err != nil {
		f.release()
		return nil, err
	}
	if err := s.launchPatiently(ctx, a); err != nil {
		return nil, err
	}
	cfg.Log.Info("database server started", "postgres", s.bin.version, "data", f.cluster)
	return s, nil
}

// Attach finds the server that another process of ours runs on the data folder. Stop leaves it alone.
func Attach(cfg Config) (*Server, error) {
	f, err := locate(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	running, found := f.server()
	if !found || !running.ready || !alive(running.pid) || !isPostgres(running.pid) {
		return nil, fmt.Errorf("%w %s", ErrNotRunning, f.dir)
	}
	return &Server{cfg: cfg.withDefaults(), folder: f, socket: running.socketDir, done: make(chan struct{})}, nil
}

// prepare does everything up to the launch. Data that do not fit are left exactly as they are.
func (s *Server) prepare(ctx context.Context) (account, error) {
	f := s.folder
	major, err := f.major()
	if err != nil {
		return account{}, err
	}
	if s.bin, err = find(ctx, s.cfg.BinDir, major); err != nil {
		return account{}, f.unfit(major, err)
	}
	a, err := accountFor(f.cluster)
	if err != nil {
		return a, err
	}
	if err := errors.Join(f.admit(a), a.reaches(ctx, f.dir, s.bin)); err != nil {
		return a, err
	}
	if major == "" {
		err = f.initialize(ctx, a, s.bin, s.cfg)
	} else {
		err = f.reclaim(a)
	}
	if err != nil {
		return a, err
	}
	if err := f.awaitFormer(ctx, s.cfg.StopTimeout); err != nil {
		return a, err
	}
	s.socket, err = f.socketDir(s.cfg.SocketDir, a)
	return a, err
}

// unfit explains that the data are of a version that this machine does not have.
func (f *folder) unfit(major string, err error) error {
	if _, other := errors.AsType[errOtherMajor](err); !other {
		return err
	}
	return fmt.Errorf("the data in %s are of PostgreSQL %s, and %w; nothing was changed. Install PostgreSQL %s (Debian, Ubuntu: "+
		"apt install postgresql-%s), or move the data to the newer version with pg_upgrade or pg_dump", f.cluster, major, err, major, major)
}

// URL is the connection string of one database of the server.
func (s *Server) URL(database string) string {
	query := url.Values{"host": {s.socket}, "port": {port}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(superuser), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// Done is closed when the server has ended, whether asked to or not.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why the server ended without being asked; nil while it runs and after a clean end.
func (s *Server) Err() error {
	select {
	case <-s.done:
		if s.err != nil {
			return s.failure()
		}
	default:
	}
	return nil
}

// Stop ends the server: a fast shutdown, which rolls back what is open; when that takes too long an immediate one, after which
// the next start recovers; at last by force. It may be called more than once.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	for _, step := range []struct {
		signal   syscall.Signal
		patience time.Duration
	}{{syscall.SIGINT, s.cfg.StopTimeout}, {syscall.SIGQUIT, 5 * time.Second}, {syscall.SIGKILL, 5 * time.Second}} {
		_ = s.cmd.Process.Signal(step.signal) // fails only when it has ended
		select {
		case <-s.done:
			return nil
		case <-time.After(step.patience):
			s.cfg.Log.Warn("the database server does not end", "signal", step.signal.String(), "after", step.patience)
		}
	}
	return fmt.Errorf("the database server (process %d) could not be ended", s.cmd.Process.Pid)
}
