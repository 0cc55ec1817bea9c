package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"
)

func (a *App) httpServer() *http.Server {
	return &http.Server{
		Handler:           a.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnContext:       remember,
		ConnState:         answered,
		ErrorLog:          slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),

		DisableGeneralOptionsHandler: true, // "OPTIONS *" is no path that we have
	}
}

// Run serves until ctx ends or serving fails; then it lets requests in flight finish and ends live connections. The end of ctx
// is an ordinary stop and no error.
func (a *App) Run(ctx context.Context) error {
	jobs, stop := context.WithCancel(ctx)
	defer a.jobs.Wait()
	defer func() { _ = a.admin.close() }() // last, so that operators can watch the stop
	defer stop()
	a.startJobs(jobs)
	if err := a.announce(ctx); err != nil && ctx.Err() == nil {
		return err
	}
	failed := make(chan error, 2)
	a.startAdmin(failed)
	go func() { failed <- a.server.Serve(listener{a.listener}) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-a.database.ended():
		return errors.Join(a.databaseEnded(ctx), a.shutdown())
	case <-ctx.Done():
		return a.shutdown()
	}
}

// databaseEnded is the error that lets a supervisor start us again: the embedded server does not come back by itself. Where a
// stop was asked for at the same moment, from both of us, there is nothing wrong.
func (a *App) databaseEnded(ctx context.Context) error {
	if ctx.Err() != nil {
		return nil
	}
	err := errors.New("the embedded database server ended by itself; start openhands-saas again")
	if cause := a.database.server.Err(); cause != nil {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	a.log.Error("cannot serve any longer", "error", err)
	return err
}

// shutdown ends the sockets first, since http.Server knows nothing of hijacked connections. Requests that take longer than the
// grace are cut: that was asked for, and is no failure.
func (a *App) shutdown() error {
	a.log.Info("stopping")
	a.engine.Close()
	ctx, cancel := context.WithTimeout(context.Background(), a.grace)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if err == nil {
		return nil
	}
	cut := a.inFlight.Load()
	if !errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("stop: %w", err), a.server.Close())
	}
	a.log.Warn("requests were cut, because they took longer than a stop waits", "count", cut, "grace", a.grace)
	_ = a.server.Close() // fails only where a connection is gone already
	return nil
}

// announce says where the program is reached and, while there is no administrator, how to become the first.
func (a *App) announce(ctx context.Context) error {
	token, needed, err := a.auth.SetupLink(ctx)
	if err != nil {
		return fmt.Errorf("make the first administrator's link: %w", err)
	}
	a.log.Info("serving", "address", a.Addr().String(), "url", a.cfg.PublicURL)
	a.sayWhereMailsWait()
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
