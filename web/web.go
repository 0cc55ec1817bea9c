// Package web owns the pages that people see before and around the Canvas UI: signing in and out, registering, the first
// administrator's setup, and the overlay that is put into the Canvas page.
//
// It never decides who somebody is (auth does) and never looks into Canvas's markup. Its key idea: every page is plain HTML
// that works without JavaScript, under a policy that allows no script at all. Passkeys are the one exception: only a script can ask a
// browser for them, so their pages may run one file of ours.
package web

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/ratelimit"
)

// Config is what the pages need. Fields without a comment are required.
type Config struct {
	Auth       *auth.Service
	CookieName string
	ClientIP   func(r *http.Request) string // the client's address, as far as proxies are believed

	Keys    *apikey.Service // API keys
	Factors *factor.Service // second factors

	Secure       bool                                     // the cookie is for https only
	Registration string                                   // one of auth's modes; the link to the form shows only when it is open
	Teams        func(*http.Request) ([]Team, error)      // the teams of whoever sent the request; nil: the pages know of none
	SwitchTeam   func(r *http.Request, team string) error // makes one of them the session's current one; required with Teams
	Devices      *device.Service                          // required for the pages of devices
	OIDC         *oidc.Service                            // nil: nobody signs in by issuers
	Entries      func(*http.Request) ([]Entry, error)     // which administrators were in the current team; nil: that is not shown
	Outbox       *mail.Outbox                             // nil: administrators see no mail
	Sends        bool                                     // mail goes out from there
	Limiter      *ratelimit.Limiter                       // nil: administrators see no bans
	Export       func(echo.Context) error                 // writes what is held about the caller; nil: nobody gets that
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
	return p.proven(c, p.cfg.Auth.Authenticate)
}

// known is current for the few pages that somebody must reach who has not shown the second factor yet.
func (p *Pages) known(c echo.Context) (auth.Identity, bool) { return p.proven(c, p.cfg.Auth.Identify) }

func (p *Pages) proven(c echo.Context, by func(context.Context, access.Credential) (auth.Identity, error)) (auth.Identity, bool) {
	credential := auth.CookieFrom(c.Request(), p.cfg.CookieName)
	if credential.Form != access.FormCookie {
		return auth.Identity{}, false
	}
	id, err := by(c.Request().Context(), credential)
	return id, err == nil
}
