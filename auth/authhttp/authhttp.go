// Package authhttp owns the HTTP face of accounts: echo handlers that decode, call auth and answer in the contract's form.
//
// It never writes an error itself: errors are returned, and the application writes them. Its key idea: what FastAPI-Users' clients
// send and read works here unchanged.
package authhttp

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/device"
	"github.com/openhands-saas/openhands-saas/auth/factor"
)

// Options is what the handlers need beside the service.
type Options struct {
	CookieName string                     // auth.CookieName(Secure) by default
	Secure     bool                       // people reach us over https
	ClientIP   func(*http.Request) string // required: the client's address, as far as proxies are believed
	// CheckTeam judges the header that selects a team, for somebody who has proved who they are. Required for Me: a team that one is
	// not in answers 404 there as everywhere.
	CheckTeam func(r *http.Request, id auth.Identity) error
	Keys      *apikey.Service // required for the routes of API keys
	Devices   *device.Service // required for the routes of devices
	Factors   *factor.Service // required for the routes of second factors
	OAuth     OAuth           // required for the routes of other issuers
	// TeamOf gives the team that RegisterWithTeam answers with: the personal one. Required for that route.
	TeamOf func(ctx context.Context, userID uuid.UUID) (any, error)
	// Export writes what is held about the caller, as JSON. Required for ExportOwn.
	Export func(ctx context.Context, w io.Writer, id auth.Identity) error
}

// Handlers answers the account routes.
type Handlers struct {
	auth *auth.Service
	opts Options
}

// New makes the handlers.
func New(s *auth.Service, opts Options) *Handlers {
	if opts.CookieName == "" {
		opts.CookieName = auth.CookieName(opts.Secure)
	}
	return &Handlers{auth: s, opts: opts}
}

// maxBody bounds every body here: enough for the longest password in its longest escape.
const maxBody = 64 << 10

// identity is whose credential the request carries, in any form.
func (h *Handlers) identity(c echo.Context) (auth.Identity, error) {
	credential, err := auth.CredentialFrom(c.Request(), h.opts.CookieName)
	if err != nil {
		return auth.Identity{}, err
	}
	return h.auth.Authenticate(c.Request().Context(), credential)
}

// own is identity for what changes the account itself: whoever holds a key needs that scope, and a key that is bound to one team
// changes nothing of its owner's account.
func (h *Handlers) own(c echo.Context, least access.Scope) (auth.Identity, error) {
	id, err := h.identity(c)
	if err != nil {
		return auth.Identity{}, err
	}
	if !id.Scope.Covers(least) {
		return auth.Identity{}, access.ErrScope
	}
	if id.Bound != uuid.Nil {
		return auth.Identity{}, access.ErrBound
	}
	return id, nil
}

func (h *Handlers) client(c echo.Context) auth.Client {
	return auth.Client{IP: h.opts.ClientIP(c.Request()), UserAgent: c.Request().UserAgent()}
}

// reply writes JSON with exactly the contract's content type.
func reply(c echo.Context, status int, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode an answer: %w", err)
	}
	return c.Blob(status, "application/json", data)
}
