package app

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
	"github.com/openhands-saas/openhands-saas/web"
)

// routes are all that is ours, on one page. What is not here goes to the proxy, whose table is proxy/agentserver/routes.go.
func (a *App) routes(e *echo.Echo, accounts *authhttp.Handlers, teams *teamhttp.Handlers, pages *web.Pages) {
	// Accounts, in the contract of FastAPI-Users.
	e.POST("/api/auth/register", accounts.Register, a.ownHost)
	e.POST("/api/auth/register-with-team", accounts.RegisterWithTeam, a.ownHost)
	e.POST("/api/auth/jwt/login", accounts.Login)
	e.POST("/api/auth/jwt/logout", accounts.Logout)
	e.POST("/api/auth/cookie/login", accounts.CookieLogin)
	e.POST("/api/auth/cookie/logout", accounts.CookieLogout)
	e.POST("/api/auth/logout", accounts.LogoutAny)
	e.GET("/api/auth/users/me", accounts.Me)
	e.GET("/api/users/me", accounts.Me)

	// Teams. Both forms of each path answer, without a redirect. Their settings, secrets and profiles are in teamScope.
	both(e, http.MethodGet, "/api/teams", teams.List, a.ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams", teams.Create, a.ownHostUnlessKey)
	both(e, http.MethodGet, "/api/teams/:team_id", teams.Get, a.ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams/:team_id/switch", teams.Switch, a.ownHostUnlessKey)
	both(e, http.MethodPost, "/api/teams/:team_id/members", teams.AddMember, a.ownHostUnlessKey)

	// Pages for people.
	both(e, http.MethodGet, "/account", pages.AccountPage)
	e.GET("/account/login", pages.LoginPage)
	e.POST("/account/login", pages.Login)
	e.GET("/account/register", pages.RegisterPage)
	e.POST("/account/register", pages.Register, a.ownHost)
	e.GET("/account/setup/:token", pages.SetupPage)
	e.POST("/account/setup/:token", pages.Setup)
	e.POST("/account/logout", pages.Logout)
	e.POST("/account/team", pages.SwitchTeam)
	e.GET("/account/assets/*", pages.Asset)

	// For machines that watch us.
	e.GET("/healthz", a.healthz)
	e.GET("/readyz", a.readyz)
	e.GET("/alive", a.healthz)
	e.GET("/health", a.healthz)
	e.GET("/ready", a.readyz)
}

// both registers a path with and without a trailing slash.
func both(e *echo.Echo, method, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) {
	e.Add(method, path, h, m...)
	e.Add(method, path+"/", h, m...)
}
