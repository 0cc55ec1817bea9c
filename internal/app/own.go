package app

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
	"github.com/openhands-saas/openhands-saas/web"
)

// maxOwnBody bounds the bodies of our own routes: the largest is a registration.
const maxOwnBody = "64K"

// ownHandler is echo with our routes, behind the check that no other site's page makes a browser call them.
func (a *App) ownHandler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(a.log)
	e.IPExtractor = a.clientIP
	e.Pre(withoutSlash)
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisableErrorHandler: true, LogErrorFunc: a.logPanic}))
	e.Use(middleware.BodyLimit(maxOwnBody))
	a.routes(e, a.accounts(), teamhttp.New(a.teams, a.gate()), a.pages())

	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		problem.Write(w, problem.New(http.StatusForbidden, "This request came from another site's page and was refused."))
	}))
	return guard.Handler(e)
}

func (a *App) logPanic(c echo.Context, err error, stack []byte) error {
	a.log.Error("panic in a handler", "path", c.Path(), "error", err, "stack", string(stack))
	return err
}

func (a *App) accounts() *authhttp.Handlers {
	return authhttp.New(a.auth, authhttp.Options{
		CookieName: a.cookieName(),
		Secure:     a.cfg.Secure(),
		ClientIP:   a.clientIP,
		TeamOf:     func(ctx context.Context, user uuid.UUID) (any, error) { return a.teams.PersonalOf(ctx, user) },
	})
}

func (a *App) pages() *web.Pages {
	return web.New(web.Config{
		Auth:         a.auth,
		CookieName:   a.cookieName(),
		Secure:       a.cfg.Secure(),
		ClientIP:     a.clientIP,
		Registration: a.cfg.Registration,
		Anonymous:    func(ctx context.Context) bool { on, err := a.mode.On(ctx); return on && err == nil },
	})
}

// withoutSlash answers a trailing slash on an account route as FastAPI does: 307 to the path without it, query kept, before
// any authentication. Team routes take both forms and are left alone.
func withoutSlash(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		path := c.Request().URL.EscapedPath()
		account := strings.HasPrefix(path, "/api/auth/") || strings.HasPrefix(path, "/api/users/")
		if !account || !strings.HasSuffix(path, "/") {
			return next(c)
		}
		target := strings.TrimSuffix(path, "/")
		if query := c.Request().URL.RawQuery; query != "" {
			target += "?" + query
		}
		return c.Redirect(http.StatusTemporaryRedirect, target)
	}
}
