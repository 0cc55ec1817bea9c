package app

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// healthz says that the process answers; nothing else, to anybody.
func (a *App) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// readyz says whether requests can be served, and nothing else: details are the admin listener's.
func (a *App) readyz(c echo.Context) error {
	if err := a.ready(c.Request().Context()); err != nil {
		return problem.Unavailable("not ready", err)
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ready"})
}

// ready says whether requests can be served: that is, whether the database answers. The upstream's absence does not make a
// replica useless, since accounts and pages still work.
func (a *App) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return a.db().PingContext(ctx)
}
