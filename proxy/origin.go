package proxy

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// origins decides whether a request whose authority is ambient (a cookie, or none at all where anonymous callers are let in)
// was made by a page of ours. The semantics are those of http.CrossOriginProtection, with the scheme compared too.
type origins struct {
	own   []string
	peers peers
}

var crossSite = problem.New(http.StatusForbidden, "This request came from a page of another site. Use the pages of this server, or an API key.")

// ambient says whether a browser adds the credential by itself.
func ambient(f access.Form) bool { return f == access.FormCookie || f == access.FormNone }

// check lets safe methods pass, what the browser itself calls same-origin or typed by its user, a matching Origin, and what
// has neither header: that is no browser.
func (o *origins) check(r *http.Request) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	site := r.Header["Sec-Fetch-Site"]
	if len(site) > 1 {
		return crossSite
	}
	if len(site) == 1 && site[0] != "" {
		if site[0] == "same-origin" || site[0] == "none" {
			return nil
		}
		return crossSite
	}
	if len(r.Header["Origin"]) == 0 {
		return nil
	}
	return o.matching(r)
}

// checkSocket judges upgrades: browsers always send an Origin there, so a cookie without one is refused. Programs that come
// anonymously send none.
func (o *origins) checkSocket(r *http.Request, form access.Form) error {
	if form == access.FormNone && len(r.Header["Origin"]) == 0 {
		return nil
	}
	return o.matching(r)
}

// matching compares parsed origins for equality.
func (o *origins) matching(r *http.Request) error {
	values := r.Header["Origin"]
	if len(values) != 1 {
		return crossSite
	}
	origin, ok := canonicalOrigin(values[0])
	if !ok {
		return crossSite
	}
	if here, ok := canonicalOrigin(o.peers.scheme(r) + "://" + r.Host); ok && origin == here {
		return nil
	}
	for _, own := range o.own {
		if own, ok := canonicalOrigin(own); ok && origin == own {
			return nil
		}
	}
	return crossSite
}

// canonicalOrigin writes scheme://host:port in lower case, with the port spelled out and no trailing dot.
func canonicalOrigin(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.User != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return "", false
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port, true
}
