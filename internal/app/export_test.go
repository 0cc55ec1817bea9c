package app

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/config"
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
	a.routes(e, a.accounts(), teamhttp.New(a.teams, a.gate), a.pages())
	for _, r := range e.Routes() {
		paths = append(paths, r.Path)
	}
	return paths
}
