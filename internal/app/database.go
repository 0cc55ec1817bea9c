package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/embedpg"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// DatabaseName is the database inside an embedded server.
const DatabaseName = "openhands_saas"

// databaseWait is how long a start waits for a server before it gives up.
const databaseWait = 30 * time.Second

// database is the pool and, when embedded, the server behind it.
type database struct {
	*postgres.DB
	server *embedpg.Server // nil when external
	wait   time.Duration   // for a server that is still starting, and for the first notification
}

// openDatabase starts or finds the server, creates the database when it is missing, and connects.
func openDatabase(ctx context.Context, cfg *config.Config, wait time.Duration, open embedded, log *slog.Logger) (*database, error) {
	d := &database{wait: wait}
	url := cfg.DatabaseURL.Reveal()
	if cfg.Embedded() {
		server, err := open(ctx, embedpg.Config{DataDir: cfg.DataDir, Log: log, Fsync: true})
		if err != nil {
			return nil, err
		}
		d.server, url = server, server.URL(DatabaseName)
	}
	if err := d.connect(ctx, url, cfg.DBPoolSize, log); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// embedded is how a command comes to the embedded server: embedpg.Start, or attachOrStart beside a running server.
type embedded func(context.Context, embedpg.Config) (*embedpg.Server, error)

// attachOrStart uses the server of another process of ours, and starts one where none runs.
func attachOrStart(ctx context.Context, cfg embedpg.Config) (*embedpg.Server, error) {
	server, err := embedpg.Attach(cfg)
	if errors.Is(err, embedpg.ErrNotRunning) {
		return embedpg.Start(ctx, cfg)
	}
	return server, err
}

// connect waits for a server that is still starting: after a power cut everything comes up at once.
func (d *database) connect(ctx context.Context, url string, pool int, log *slog.Logger) error {
	waiting, cancel := context.WithTimeout(ctx, d.wait)
	defer cancel()
	if err := postgres.WaitFor(waiting, url, log); err != nil {
		return err
	}
	if err := postgres.EnsureDatabase(ctx, url); err != nil {
		return err
	}
	var err error
	d.DB, err = postgres.Open(ctx, postgres.Config{URL: url, MaxOpen: pool, Log: log})
	return err
}

// prepare brings the schema up to date and begins to listen for what other replicas change.
func (d *database) prepare(ctx context.Context, log *slog.Logger) error {
	applied, err := postgres.Migrate(ctx, d.DB, log)
	if err != nil {
		return fmt.Errorf("bring the database up to date: %w", err)
	}
	if applied > 0 {
		log.Info("database brought up to date", "migrations", applied)
	}
	return d.listen(ctx)
}

// listen gives up after a while: notifications that do not arrive would otherwise look like a start that hangs.
func (d *database) listen(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, d.wait)
	defer cancel()
	err := d.Listen(waiting)
	if err != nil && ctx.Err() == nil && waiting.Err() != nil {
		return fmt.Errorf("%w (is a pooler in between? connect directly, not through a pooler in transaction mode)", err)
	}
	return err
}

// ended is closed when a server of ours is gone; an external one is never known to be.
func (d *database) ended() <-chan struct{} {
	if d.server == nil {
		return nil
	}
	return d.server.Done()
}

// close may be called more than once.
func (d *database) close() error {
	var errs []error
	if d.DB != nil {
		errs = append(errs, d.DB.Close())
	}
	if d.server != nil {
		errs = append(errs, d.server.Stop())
	}
	return errors.Join(errs...)
}
