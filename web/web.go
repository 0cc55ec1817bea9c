// Package web owns the pages that people see before and around the Canvas UI: signing in and out, registering, the first
// administrator's setup, and the overlay that is put into the Canvas page.
//
// It never decides who somebody is (auth does) and never looks into Canvas's markup. Its key idea: every page is plain HTML
// that works without JavaScript, under a policy that allows no script at all.
package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
)

// Config is what the pages need. Fields without a comment are required.
type Config struct {
	Auth       *auth.Service
	CookieName string
	ClientIP   func(r *http.Request) string // the client's address, as far as proxies are believed

	Secure       bool                                     // the cookie is for https only
	Registration string                                   // one of auth's modes; the link to the form shows only when it is open
	Teams        func(*http.Request) ([]Team, error)      // the teams of whoever sent the request; nil: the pages know of none
	SwitchTeam   func(r *http.Request, team string) error // makes one of them the session's current one; required with Teams
	Anonymous    func(context.Context) bool               // whether one may go on without an account; nil: never
	Home         string                                   // where people go who have nowhere else to go; "": "/", the Canvas UI. "/account/" without one
	Log          *slog.Logger                             // nil: silent
}

// Pages answers the account pages.
type Pages struct {
	cfg    Config
	pages  map[string]*template.Template
	assets map[string]asset
}

// New prepares the templates and assets. They are part of the binary, so that a fault in them is a fault of the build.
func New(c Config) *Pages {
	if c.Anonymous == nil {
		c.Anonymous = func(context.Context) bool { return false }
	}
	if c.Home == "" {
		c.Home = start
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Pages{cfg: c, pages: parsePages(), assets: loadAssets()}
}

// client describes where the request came from, for the list of sessions.
func (p *Pages) client(c echo.Context) auth.Client {
	r := c.Request()
	return auth.Client{IP: p.cfg.ClientIP(r), UserAgent: clip(r.UserAgent(), maxUserAgent)}
}

const maxUserAgent = 300

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return s[:limit]
}

// current is who the browser's cookie proves, if anybody.
func (p *Pages) current(c echo.Context) (auth.Identity, bool) {
	cookie, err := c.Cookie(p.cfg.CookieName)
	if err != nil || cookie.Value == "" {
		return auth.Identity{}, false
	}
	id, err := p.cfg.Auth.Authenticate(c.Request().Context(), access.Credential{Form: access.FormCookie, Token: cookie.Value})
	return id, err == nil
}
