package app

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
)

// IsOurs says whether a path never reaches the proxy.
func IsOurs(path string) bool { return isOurs(path) }

// ClientIP is who asks, as accounts see it.
func (a *App) ClientIP(r *http.Request) string { return a.clientIP(r) }

// AdoptOnce is one run of the job.
func (a *App) AdoptOnce(ctx context.Context) (bool, error) { return a.adoptOnce(ctx) }

// RecordHidden is what the engine tells of hidden access.
func (a *App) RecordHidden(ctx context.Context, h proxy.Hidden) { a.recordHidden(ctx, h) }

// Limits are what the engine is told of the configuration's.
func Limits(cfg *config.Config) proxy.Limits { return (&App{cfg: cfg}).limits() }

// AdminHandler is what operators are answered by, also before Run.
func (a *App) AdminHandler() http.Handler { return a.adminHandler() }

// LookAtUpstream is one run of the job that watches the upstream, as if it was later than it is.
func (a *App) LookAtUpstream(ctx context.Context, later time.Duration) {
	a.upstream.now = func() time.Time { return time.Now().Add(later) }
	a.lookAtUpstream(ctx)
}

// Scoped is the path of the table for what is asked of a team's settings.
func Scoped(path string) (team, upstream string, ok bool) { return scoped(path) }

// OwnRoutes are the paths that echo serves.
func (a *App) OwnRoutes() (paths []string) {
	e := echo.New()
	pages := a.pages()
	a.routes(e, a.accounts(pages), teamhttp.New(a.teams, a.services, a.gate), pages)
	for _, r := range e.Routes() {
		paths = append(paths, r.Path)
	}
	return paths
}

// MailsTo are the mails of a template that wait for an address, with what they say, the newest first.
func (a *App) MailsTo(ctx context.Context, to, template string) (texts []string, err error) {
	waiting, err := a.outbox.Pending(ctx, 1000)
	if err != nil {
		return nil, err
	}
	for _, m := range waiting {
		if m.To != to || m.Template != template {
			continue
		}
		_, content, err := a.outbox.Show(ctx, m.ID)
		if err != nil {
			return nil, err
		}
		texts = append(texts, content.Text)
	}
	return texts, nil
}

// Execute changes the database behind everybody's back; Announce has every cache forget a user.
func (a *App) Execute(ctx context.Context, statement string, args ...any) error {
	_, err := a.db().ExecContext(ctx, statement, args...)
	return err
}

// Announce says that something about a user changed.
func (a *App) Announce(ctx context.Context, user uuid.UUID) error {
	return a.db().InTx(ctx, func(tx *postgres.Tx) error { return tx.Notify(postgres.TopicUser, user) })
}

// Value reads one text from the database.
func (a *App) Value(ctx context.Context, query string, args ...any) (text string, err error) {
	err = a.db().GetContext(ctx, &text, query, args...)
	return text, err
}
