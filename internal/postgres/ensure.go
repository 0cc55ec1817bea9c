package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
)

// EnsureDatabase creates the database of url when it does not exist and the account may create it.
func EnsureDatabase(ctx context.Context, url string) error {
	d, err := parse(url)
	if err != nil {
		return err
	}
	switch err := d.ping(ctx); {
	case err == nil:
		return nil
	case pq.As(err, pqerror.InvalidCatalogName) == nil:
		return fmt.Errorf("connect to the database %s: %w", d, err)
	}
	return d.create(ctx)
}

// create speaks to a database that every server has. Of several replicas that create at once one wins, and all are content.
func (d dsn) create(ctx context.Context) error {
	pool := d.in("postgres").pool("openhands-saas create", 1)
	defer func() { _ = pool.Close() }()
	name := pq.QuoteIdentifier(d.cfg.Database)
	_, err := pool.ExecContext(ctx, `CREATE DATABASE `+name+` TEMPLATE template0 ENCODING 'UTF8'`)
	switch {
	case err == nil, pq.As(err, pqerror.DuplicateDatabase, pqerror.UniqueViolation) != nil:
		return nil
	case pq.As(err, pqerror.InsufficientPrivilege) != nil:
		return fmt.Errorf("the database %s does not exist and the account %q may not create it; let an administrator run: "+
			"CREATE DATABASE %s OWNER %s ENCODING 'UTF8': %w", d, d.cfg.User, name, pq.QuoteIdentifier(d.cfg.User), err)
	}
	return fmt.Errorf("the database %s does not exist and could not be created: %w", d, err)
}

// WaitFor waits until the server of url answers, and says every few seconds what it waits for. It gives up at ctx's end, and at
// once when waiting cannot help, such as for a wrong password. A database that does not exist yet is an answer.
func WaitFor(ctx context.Context, url string, log *slog.Logger) error {
	d, err := parse(url)
	if err != nil {
		return err
	}
	began, said := time.Now(), time.Time{}
	for {
		err := d.ping(ctx)
		if err == nil || pq.As(err, pqerror.InvalidCatalogName) != nil {
			return nil
		}
		if hopeless(err) {
			return fmt.Errorf("the database %s refuses the connection: %w; check the account, the password and sslmode", d, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the database %s did not answer for %s: %w; start it, or correct the address",
				d, time.Since(began).Round(time.Second), err)
		}
		if time.Since(said) >= 5*time.Second {
			said = time.Now()
			orDiscard(log).Info("waiting for the database", "database", d.String(), "because", err.Error())
		}
		pause(ctx, 300*time.Millisecond)
	}
}

// ping opens one connection and closes it. The reason of a failure is more useful than the context that ended meanwhile.
func (d dsn) ping(ctx context.Context) error {
	pool := d.pool("openhands-saas start", 1)
	defer func() { _ = pool.Close() }()
	return pool.PingContext(ctx)
}

func hopeless(err error) bool {
	return errors.Is(err, pq.ErrSSLNotSupported) ||
		pq.As(err, pqerror.InvalidPassword, pqerror.InvalidAuthorizationSpecification) != nil
}

// pause waits for the time or for ctx, whichever comes first.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
