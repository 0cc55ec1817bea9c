// Package app is the composition root: it opens the database, makes every service, joins them, and serves.
//
// It holds no rule of its own: what is allowed is decided in access, auth, tenancy and proxy; here one sees which of them are
// connected and, in routes.go, every route that is ours. Its key idea: the program is a value, New → Run → Close, which tests
// start like main does.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

// shutdownGrace is how long requests in flight may take once a stop was asked for.
const shutdownGrace = 10 * time.Second

// Options are what the program may be given beside its configuration. The zero value is useful.
type Options struct {
	Log *slog.Logger // default: slog.Default()
	Out io.Writer    // where a person reads the first administrator's link; default: nowhere
}

// App is the whole program.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	out      io.Writer
	listener net.Listener
	database *database
	secret   config.Secret // signs access tokens
	auth     *auth.Service
	teams    *tenancy.Service
	mode     *tenancy.Anonymous
	objects  *conversation.Service
	dialect  *agentserver.Dialect
	engine   *proxy.Engine
	server   *http.Server
	jobs     sync.WaitGroup
}

// New takes the port, opens the database and joins the services. Its errors say what to do; after an error nothing is left
// running.
func New(ctx context.Context, cfg *config.Config, opts Options) (*App, error) {
	a := &App{cfg: cfg, log: opts.Log, out: opts.Out}
	if a.log == nil {
		a.log = slog.Default()
	}
	if a.out == nil {
		a.out = io.Discard
	}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// open takes the port first: the cheapest thing that can fail, and the one people meet most.
func (a *App) open(ctx context.Context) error {
	var err error
	address := net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.Port))
	if a.listener, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("listen on %s: %w (is another program using the port? set PORT to a free one)", address, err)
	}
	if a.database, err = openDatabase(ctx, a.cfg, embedpg.Start, a.log); err != nil {
		return err
	}
	if err := a.database.prepare(ctx, a.log); err != nil {
		return err
	}
	if err := a.composeTenants(); err != nil {
		return err
	}
	if err := a.composeProxy(); err != nil {
		return err
	}
	a.server = a.httpServer()
	return nil
}

func (a *App) httpServer() *http.Server {
	return &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// Addr is the address that is listened on, useful when the port was 0.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Run serves until ctx ends or serving fails; then it lets requests in flight finish and ends live connections.
func (a *App) Run(ctx context.Context) error {
	jobs, stop := context.WithCancel(ctx)
	defer a.jobs.Wait()
	defer stop()
	a.startJobs(jobs)
	if err := a.announce(ctx); err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() { failed <- a.server.Serve(a.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
		return a.shutdown()
	}
}

// shutdown ends the sockets first, since http.Server knows nothing of hijacked connections.
func (a *App) shutdown() error {
	a.log.Info("stopping")
	a.engine.Close()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	if err := a.server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stop: %w", err), a.server.Close())
	}
	return nil
}

// Close gives everything back. It may be called more than once, and after a failed New.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.engine != nil {
		a.engine.Close()
	}
	if a.auth != nil {
		a.auth.Close()
	}
	if a.database != nil {
		errs = append(errs, a.database.close())
		a.database = nil
	}
	return errors.Join(errs...)
}

// announce says where the program is reached and, while there is no administrator, how to become the first.
func (a *App) announce(ctx context.Context) error {
	token, needed, err := a.auth.SetupLink(ctx)
	if err != nil {
		return fmt.Errorf("make the first administrator's link: %w", err)
	}
	a.log.Info("serving", "address", a.Addr().String(), "url", a.cfg.PublicURL)
	if !needed {
		return nil
	}
	link, err := url.JoinPath(a.baseURL(), "account/setup", token)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "\nThere is no administrator yet. Within 30 minutes, open\n\n    %s\n\n", link)
	return err
}

// baseURL is PUBLIC_URL, or where the listener is reached from this machine.
func (a *App) baseURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	_, port, _ := net.SplitHostPort(a.Addr().String())
	return "http://" + net.JoinHostPort("localhost", port)
}

// db is shorthand for the one connection pool.
func (a *App) db() *postgres.DB { return a.database.DB }
