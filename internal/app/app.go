// Package app is the composition root: it opens the database, makes every service, joins them, and serves.
//
// It holds no rule of its own: what is allowed is decided in access, auth, tenancy and proxy; here one sees which of them are
// connected and, in routes.go, every route that is ours. Its key idea: the program is a value, New → Run → Close, which tests
// start like main does.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Options are what the program may be given beside its configuration. The zero value is useful.
type Options struct {
	Log *slog.Logger // default: slog.Default()
	Out io.Writer    // where a person reads the first administrator's link; default: nowhere

	BodyTimeout   time.Duration // how long the body of a request to our own routes may take; 30 s by default
	ShutdownGrace time.Duration // how long requests in flight may take once a stop was asked for; 10 s by default
	DatabaseWait  time.Duration // how long a start waits for the database; 30 s by default

	Hash   auth.HashParams // the cost of new password hashes; the contract's by default
	Hashes argon.Maker     // where passwords are hashed; here by default
}

// App is the whole program.
type App struct {
	cfg      *config.Config
	log      *slog.Logger
	out      io.Writer
	listener net.Listener
	admin    *admin // nil: there is none
	database *database
	secret   config.Secret // signs tokens; tools have none
	auth     *auth.Service
	apiKeys  *apikey.Service
	factors  *factor.Service
	teams    *tenancy.Service
	services *tenancy.ServiceAccounts
	mode     *tenancy.Anonymous
	oidc     *oidc.Service
	gate     *tenancy.Gate
	objects  *conversation.Service
	keys     *sealed.Source
	outbox   *mail.Outbox // nil for commands without keys
	limiter  *ratelimit.Limiter
	devices  *device.Service
	vault    *vault.Store // nil for commands without keys
	dialect  *agentserver.Dialect
	engine   *proxy.Engine
	server   *http.Server
	upstream *upstreamWatch
	jobs     sync.WaitGroup
	inFlight atomic.Int64 // requests that are being answered

	bodyTimeout, grace, wait time.Duration

	hash   auth.HashParams
	hashes argon.Maker
}

// New takes the ports, opens the database and joins the services. Its errors say what to do; after an error nothing is left
// running.
func New(ctx context.Context, cfg *config.Config, opts Options) (*App, error) {
	a := &App{
		cfg: cfg, log: cmp.Or(opts.Log, slog.Default()), out: opts.Out, upstream: newUpstreamWatch(),
		bodyTimeout: cmp.Or(opts.BodyTimeout, 30*time.Second),
		grace:       cmp.Or(opts.ShutdownGrace, 10*time.Second),
		wait:        cmp.Or(opts.DatabaseWait, databaseWait),
		hash:        opts.Hash,
		hashes:      opts.Hashes,
	}
	if a.out == nil {
		a.out = io.Discard
	}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// open takes the ports first: the cheapest thing that can fail, and the one people meet most.
func (a *App) open(ctx context.Context) error {
	var err error
	address := net.JoinHostPort(a.cfg.Host, strconv.Itoa(a.cfg.Port))
	if a.listener, err = net.Listen("tcp", address); err != nil {
		return fmt.Errorf("listen on %s: %w (is another program using the port? set PORT to a free one)", address, err)
	}
	if a.admin, err = openAdmin(a.cfg.AdminListen); err != nil {
		return err
	}
	if a.database, err = openDatabase(ctx, a.cfg, a.wait, embedpg.Start, a.log); err != nil {
		return err
	}
	if err := a.database.prepare(ctx, a.log); err != nil {
		return err
	}
	secret, err := signingSecret(a.cfg)
	if err != nil {
		return err
	}
	if err := a.composeTenants(secret); err != nil {
		return err
	}
	if err := a.vault.CheckKeys(ctx); err != nil {
		return err
	}
	if err := a.checkBeside(ctx); err != nil {
		return err
	}
	if err := a.settleMode(ctx); err != nil {
		return err
	}
	if err := a.composeProxy(); err != nil {
		return err
	}
	a.server = a.httpServer()
	if a.admin != nil {
		a.admin.server = a.adminServer()
	}
	return nil
}

// Addr is the address that is listened on, useful when the port was 0.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// AdminAddr is where operators are answered; nil when they are not.
func (a *App) AdminAddr() net.Addr {
	if a.admin == nil {
		return nil
	}
	return a.admin.listener.Addr()
}

// Close gives everything back. It may be called more than once, and after a failed New.
func (a *App) Close() error {
	var errs []error
	if a.listener != nil {
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.server != nil {
		errs = append(errs, a.server.Close())
	}
	errs = append(errs, a.admin.close())
	if a.engine != nil {
		a.engine.Close()
	}
	if a.auth != nil {
		a.auth.Close()
	}
	if a.database != nil {
		errs = append(errs, a.database.close())
	}
	return errors.Join(errs...)
}

// settleMode declares what this server needs of the anonymous mode, and says where another setting than the configuration's
// counts.
func (a *App) settleMode(ctx context.Context) error {
	if err := a.mode.Declare(ctx); err != nil {
		return err
	}
	on, err := a.mode.On(ctx)
	if err != nil {
		return err
	}
	if on != a.cfg.Anonymous() && a.mode.Source(ctx) == tenancy.SourceKept {
		a.log.Warn("anonymous mode is as it was set at run time, which wins over ANONYMOUS_MODE", "on", on, "ANONYMOUS_MODE", a.cfg.AnonymousMode)
	}
	return nil
}

// db is shorthand for the one connection pool.
func (a *App) db() *postgres.DB { return a.database.DB }
