package app

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
	"github.com/openhands-saas/openhands-saas/web"
)

// maxOwnBody bounds the bodies of our own routes, in bytes: the largest is a registration.
const maxOwnBody = 64 << 10

// ownHandler is echo with our routes.
func (a *App) ownHandler() http.Handler {
	e := echo.New()
	e.HTTPErrorHandler = errorHandler(a.log)
	e.IPExtractor = a.clientIP
	pages := a.pages()
	a.routes(e, a.accounts(pages), teamhttp.New(a.teams, a.services, a.gate), pages)
	e.Pre(withoutSlash(accountPaths(e)))
	e.Use(middleware.RecoverWithConfig(middleware.RecoverConfig{DisableErrorHandler: true, LogErrorFunc: a.logPanic}))
	e.Use(wholeSegments, listedMethods, middleware.BodyLimit(strconv.Itoa(maxOwnBody)), onPages(pages.Recognised))
	return e
}

func (a *App) logPanic(c echo.Context, err error, stack []byte) error {
	a.log.Error("panic in a handler", "path", c.Path(), "error", err, "stack", string(stack))
	return err
}

func (a *App) accounts(pages *web.Pages) *authhttp.Handlers {
	return authhttp.New(a.auth, authhttp.Options{
		CookieName: a.cookieName(),
		Secure:     a.cfg.Secure(),
		ClientIP:   a.clientIP,
		CheckTeam:  a.gate.CheckTeam,
		Keys:       a.apiKeys,
		Devices:    a.devices,
		Factors:    a.factors,
		OAuth:      authhttp.OAuth{Service: a.oidc, Return: pages.Landing, Page: pages.SignInFault},
		Export:     a.exportAccount,
		TeamOf:     func(ctx context.Context, user uuid.UUID) (any, error) { return a.teams.PersonalOf(ctx, user) },
	})
}

func (a *App) pages() *web.Pages {
	return web.New(web.Config{
		Auth:         a.auth,
		Keys:         a.apiKeys,
		CookieName:   a.cookieName(),
		Secure:       a.cfg.Secure(),
		ClientIP:     a.clientIP,
		Registration: a.cfg.Registration,
		OIDC:         a.oidc,
		Home:         a.home(),
		Log:          a.log,
		Teams:        a.teamsOf,
		SwitchTeam:   a.switchTeam,
		Devices:      a.devices,
		Factors:      a.factors,
		Entries:      a.entriesOf,
		Outbox:       a.outbox,
		Sends:        a.cfg.SMTPURL != "",
		Limiter:      a.limiter,
		Export:       authhttp.New(a.auth, authhttp.Options{CookieName: a.cookieName(), Export: a.exportAccount}).ExportOwn,
		Anonymous:    func(ctx context.Context) bool { on, err := a.mode.On(ctx); return on && err == nil },
	})
}

// home is where people land who signed in: the UI, or without one the page that says who they are.
func (a *App) home() string {
	if a.cfg.ServeFrontend {
		return "/"
	}
	return "/account/"
}
