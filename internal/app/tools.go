package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// commandLine is the actor that the audit log names for what was done here.
const commandLine = "command line"

// Tools are the services behind the commands that change an installation without serving it. They work on the same database
// as a running server, which learns of changes by notification.
type Tools struct {
	app *App
}

// NewUser is what `user create` was given.
type NewUser struct {
	Email, Password string
	Name, Team      string // empty: none
	Admin           bool
}

// OpenTools connects to the database, of a running server too when it is embedded, and brings nothing up to date: that is
// what Migrate is for.
func OpenTools(ctx context.Context, cfg *config.Config, log *slog.Logger) (*Tools, error) {
	here := *cfg
	here.ServeFrontend = false // nothing is served
	a := &App{cfg: &here, log: log, out: io.Discard}
	t := &Tools{app: a}
	var err error
	if a.database, err = openDatabase(ctx, cfg, databaseWait, attachOrStart, log); err != nil {
		return nil, err
	}
	// No tokens are made or read here, so the secret's file is not needed and not made.
	if err := a.composeTenants(""); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Close gives the connections back.
func (t *Tools) Close() error { return t.app.Close() }

// Migrate goes up to the newest schema, down by steps, or prints the status. direction is "up", "down" or "status".
func (t *Tools) Migrate(ctx context.Context, direction string, steps int, out io.Writer) error {
	switch direction {
	case "up":
		return report(out, "applied", func() (int, error) { return postgres.Migrate(ctx, t.app.db(), t.app.log) })
	case "down":
		return report(out, "taken back", func() (int, error) { return postgres.MigrateDown(ctx, t.app.db(), steps) })
	case "status":
		return t.migrationStatus(ctx, out)
	}
	return fmt.Errorf("unknown direction %q: use up, down or status", direction)
}

func report(out io.Writer, verb string, run func() (int, error)) error {
	n, err := run()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d migrations %s\n", n, verb)
	return err
}

func (t *Tools) migrationStatus(ctx context.Context, out io.Writer) error {
	list, err := postgres.MigrationStatus(ctx, t.app.db())
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, m := range list {
		applied := "pending"
		if m.AppliedAt != nil {
			applied = m.AppliedAt.UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(w, "%s\t%s\n", m.ID, applied)
	}
	return w.Flush()
}

// CreateUser makes an account whatever the registration mode; Admin makes it a superuser.
func (t *Tools) CreateUser(ctx context.Context, u NewUser) (auth.User, error) {
	return t.app.auth.CreateUser(ctx, auth.Registration{
		Email: u.Email, Password: u.Password, Name: optional(u.Name), TeamName: optional(u.Team),
	}, u.Admin)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Anonymous says whether the anonymous mode is on, and where that was set: "kept" or "environment".
func (t *Tools) Anonymous(ctx context.Context) (on bool, source string, err error) {
	on, err = t.app.mode.On(ctx)
	return on, t.app.mode.Source(ctx), err
}

// SetAnonymous turns the mode on or off, for every replica, kept and audited.
func (t *Tools) SetAnonymous(ctx context.Context, on bool) error {
	return t.app.mode.Set(ctx, on, commandLine)
}

// Adopt gives all conversations of the upstream that nobody owns to team.
func (t *Tools) Adopt(ctx context.Context, team uuid.UUID) (int, error) {
	if err := t.app.composeProxy(); err != nil {
		return 0, err
	}
	return t.app.dialect.Adopt(ctx, team)
}
