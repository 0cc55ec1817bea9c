package app

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// cors lets pages of foreign origins call us, such as a Canvas UI that somebody serves elsewhere. It never lets them use what a
// browser adds by itself: their cookies do not count, and without an API key they are told nothing, the anonymous tenant's things
// included. What comes from any other origin is left alone, for the checks that every request meets.
type cors struct {
	permitted []string
	own       []string // by which people reach us; the host that was asked is, too
	health    []string // the paths that answer everybody the same
}

// corsAge is how long a browser may remember a preflight, in seconds.
const corsAge = "600"

// corsExposed are the response headers that clients read beside those that browsers show anyway.
const corsExposed = "Content-Disposition, Content-Range, ETag, Location, Retry-After"

// workspaceSession is asked by OpenHands' clients in a mode that browsers refuse where credentials are not allowed. Allowing them there
// gives nobody a right: what the browser sends along does not count.
const workspaceSession = "/api/auth/workspace-session"

func newCORS(permitted, own []string) cors {
	return cors{permitted: permitted, own: own, health: []string{"/health", "/healthz", "/alive", "/ready", "/readyz"}}
}

// wrap answers preflights and marks the answers to permitted origins; next does the rest.
func (c cors) wrap(next http.Handler) http.Handler {
	if len(c.permitted) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		origin, ok := c.origin(r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origin)
		if r.URL.Path == workspaceSession {
			w.Header().Set("Access-Control-Allow-Credentials", "true")
		}
		switch {
		case isPreflight(r):
			preflight(w, r)
		case !c.admits(r):
			problem.Write(w, problem.Unauthorized)
		default:
			w.Header().Set("Access-Control-Expose-Headers", corsExposed)
			next.ServeHTTP(w, withoutCookies(r))
		}
	})
}

// origin is the one that the request names, when it is permitted and none of ours. Browsers write origins in one way, so equal texts are
// equal origins; what is written in another way is no browser's. A page of ours needs no permission and keeps its cookies, even where
// somebody listed it: the checks that every request meets know it.
func (c cors) origin(r *http.Request) (string, bool) {
	named := r.Header["Origin"]
	if len(named) != 1 || !slices.Contains(c.permitted, named[0]) {
		return "", false
	}
	_, host, _ := strings.Cut(named[0], "://")
	return named[0], !strings.EqualFold(host, r.Host) && !slices.Contains(c.own, named[0])
}

// admits says whether a request brings a key, or may bring one yet: in the first frame of a WebSocket. A key that is no good is for
// the handlers to refuse.
func (c cors) admits(r *http.Request) bool {
	if slices.Contains(c.health, r.URL.Path) || strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return true
	}
	credential, err := auth.CredentialFrom(withoutCookies(r), "")
	return err != nil || credential.Form != access.FormNone
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// preflight allows every method and header: what they lead to is decided by the key.
func preflight(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
	if asked := r.Header.Get("Access-Control-Request-Headers"); isHeaderList(asked) {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", corsAge)
	h.Add("Vary", "Access-Control-Request-Headers")
	w.WriteHeader(http.StatusNoContent)
}

// isHeaderList bounds what is sent back.
func isHeaderList(s string) bool {
	const most = 1024
	strange := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_, ", r))
	}
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, strange)
}

func withoutCookies(r *http.Request) *http.Request {
	if len(r.Header["Cookie"]) == 0 {
		return r
	}
	inner := r.WithContext(r.Context())
	inner.Header = r.Header.Clone()
	inner.Header.Del("Cookie")
	return inner
}

// canonicalOrigins writes origins as browsers do: in lower case, without the port that the scheme implies.
func canonicalOrigins(configured []string) []string {
	written := make([]string, 0, len(configured))
	for _, origin := range configured {
		u, err := url.Parse(origin)
		if err != nil {
			continue // the configuration has refused it
		}
		host := strings.ToLower(u.Host)
		host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[u.Scheme])
		written = append(written, u.Scheme+"://"+host)
	}
	return written
}
