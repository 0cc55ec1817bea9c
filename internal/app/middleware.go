package app

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// accountPaths are the paths of the account routes. None has a parameter.
func accountPaths(e *echo.Echo) map[string]bool {
	paths := map[string]bool{}
	for _, route := range e.Routes() {
		if strings.HasPrefix(route.Path, "/api/auth/") || strings.HasPrefix(route.Path, "/api/users/") {
			paths[route.Path] = true
		}
	}
	return paths
}

// withoutSlash answers a trailing slash on an account route as FastAPI does: 307 to the path without it, query kept, before
// any authentication. Team routes take both forms and are left alone.
func withoutSlash(known map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			target, slash := strings.CutSuffix(c.Request().URL.EscapedPath(), "/")
			if !slash || !known[target] {
				return next(c)
			}
			if query := c.Request().URL.RawQuery; query != "" {
				target += "?" + query
			}
			return c.Redirect(http.StatusTemporaryRedirect, target)
		}
	}
}

// listedMethods answers methods that a path does not have: OPTIONS, too, which echo would answer by itself, and list.
func listedMethods(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		allow, _ := c.Get(echo.ContextKeyHeaderAllow).(string)
		if allow == "" {
			return next(c)
		}
		allow = strings.TrimPrefix(allow, http.MethodOptions+", ")
		c.Response().Header().Set(echo.HeaderAllow, allow)
		return problem.MethodNotAllowed
	}
}

// ownHost refuses a host name that is not ours where a stranger gets a right: otherwise a page of any site, whose name is made to
// point here, could sign up through a visitor's browser (DNS rebinding).
func (a *App) ownHost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := a.engine.CheckHost(c.Request()); err != nil {
			return err
		}
		return next(c)
	}
}

// ownHostUnlessKey is ownHost for those without a credential, who may be the anonymous tenant.
func (a *App) ownHostUnlessKey(next echo.HandlerFunc) echo.HandlerFunc {
	checked := a.ownHost(next)
	return func(c echo.Context) error {
		credential, err := auth.CredentialFrom(c.Request(), a.cookieName())
		if err != nil {
			return err
		}
		if credential.Form == access.FormNone {
			return checked(c)
		}
		return next(c)
	}
}
