package app

import (
	"net/http"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// ours are the prefixes that never reach the proxy, even where no route matches: a typing error in a path of ours must not be
// asked of the upstream. What is the proxy's below /api/teams is in teamScope.
var ours = []string{"/api/auth", "/api/users", "/api/teams", "/api/keys", "/api/admin", "/oauth/device", "/account", "/healthz", "/readyz", "/alive", "/health", "/ready"}

// keySetPath is where the keys are that sign access tokens. What else is well-known is not ours.
const keySetPath = "/.well-known/jwks.json"

// isOurs decides between our routes and the proxy. The workspace session is the upstream's, though its path looks like ours.
func isOurs(path string) bool {
	switch path {
	case workspaceSession:
		return false
	case keySetPath:
		return true
	}
	for _, prefix := range ours {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return false
}

// handler splits requests before echo sees them: the proxy must get the raw writer (echo loses a status behind a 1xx) and
// the raw target.
func (a *App) handler() http.Handler {
	own, isContent := a.guard(a.ownHandler()), a.contentHost()
	here := newCORS(canonicalOrigins(a.cfg.PermittedCORSOrigins), canonicalOrigins(a.origins())).wrap(a.split(own))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.inFlight.Add(1)
		defer a.inFlight.Add(-1)
		answering(r)
		if isContent(r.Host) {
			a.engine.ServeContent(w, r)
			return
		}
		here.ServeHTTP(w, r)
	})
}

// split sends what is ours to own, and the rest to the proxy.
func (a *App) split(own http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if inner := ofTeam(r); inner != nil {
			a.engine.ServeHTTP(w, inner)
			return
		}
		if isOurs(r.URL.EscapedPath()) {
			own.ServeHTTP(w, r)
			return
		}
		a.engine.ServeHTTP(w, r)
	})
}

// guard bounds how long the body of a stranger may take (not on the whole server, where uploads stream for long), and refuses
// paths that are not canonical and what another site's page made a browser send: by the engine's own rules.
func (a *App) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(a.bodyTimeout)); err != nil {
			a.log.Warn("a request's body has no deadline", "error", err)
		}
		if _, err := proxy.ParseTarget(r.RequestURI); err != nil {
			problem.Write(w, err)
			return
		}
		if err := a.checkOrigin(r); err != nil {
			problem.Write(w, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// checkOrigin spares who brings a key: no page of another site can make a browser add one.
func (a *App) checkOrigin(r *http.Request) error {
	credential, err := auth.CredentialFrom(r, a.cookieName())
	if err == nil && (credential.Form == access.FormBearer || credential.Form == access.FormKey) {
		return nil
	}
	return a.engine.CheckOrigin(r)
}
