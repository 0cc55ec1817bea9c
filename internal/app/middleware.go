package app

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// accountPaths are the paths of the account routes, in segments.
func accountPaths(e *echo.Echo) (paths [][]string) {
	for _, route := range e.Routes() {
		if isAccountPath(route.Path) {
			paths = append(paths, strings.Split(route.Path, "/"))
		}
	}
	return paths
}

func isAccountPath(path string) bool {
	return strings.HasPrefix(path, "/api/auth/") || strings.HasPrefix(path, "/api/users/")
}

// withoutSlash answers a trailing slash on an account route as FastAPI does: 307 to the path without it, query kept, before
// any authentication. What leads to none of these routes, segment by segment, is not there. Team routes take both forms and are left
// alone.
func withoutSlash(known [][]string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			path := c.Request().URL.EscapedPath()
			if !isAccountPath(path) {
				return next(c)
			}
			target, slash := strings.CutSuffix(path, "/")
			segments := strings.Split(target, "/")
			if !slices.ContainsFunc(known, func(route []string) bool { return leadsTo(route, segments) }) {
				return problem.NotFound
			}
			if !slash {
				return next(c)
			}
			if query := c.Request().URL.RawQuery; query != "" {
				target += "?" + query
			}
			return c.Redirect(http.StatusTemporaryRedirect, target)
		}
	}
}

// leadsTo compares a path with that of a route, whose parameters stand for anything but nothing.
func leadsTo(route, path []string) bool {
	return slices.EqualFunc(route, path, func(want, got string) bool {
		return want == got || strings.HasPrefix(want, ":") && got != ""
	})
}

// wholeSegments keeps a parameter one segment elsewhere, too: echo lets the last one of a path take all that follows.
func wholeSegments(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !strings.HasSuffix(c.Path(), "*") && slices.ContainsFunc(c.ParamValues(), func(v string) bool { return strings.Contains(v, "/") }) {
			return problem.NotFound
		}
		return next(c)
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

// onPages applies m to the pages for people alone.
func onPages(m echo.MiddlewareFunc) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		page := m(next)
		return func(c echo.Context) error {
			if path := c.Path(); strings.HasPrefix(path, "/account") && !strings.HasPrefix(path, "/account/assets/") {
				return page(c)
			}
			return next(c)
		}
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
