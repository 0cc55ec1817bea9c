package proxy

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// origins decides whether a request whose authority is ambient (a cookie, or none at all where anonymous callers are let in)
// was made by a page of ours. The semantics are those of http.CrossOriginProtection, with the scheme compared too.
type origins struct {
	own   []string
	hosts map[string]bool // those of own
	peers peers
}

func newOrigins(own []string, p peers) *origins {
	o := &origins{own: own, hosts: map[string]bool{}, peers: p}
	for _, s := range own {
		if u, err := url.Parse(s); err == nil && u.Hostname() != "" {
			o.hosts[plainHost(u.Host)] = true
		}
	}
	return o
}

var strangeHost = problem.New(http.StatusMisdirectedRequest, "This server does not know the name by which you reached it, so it serves "+
	"nobody here who is not signed in: set PUBLIC_URL to the address that people use, or sign in.")

// host judges the name that an anonymous request was sent to. Any site can make its own name resolve to our address, and the
// browser then takes us for a part of that site: with such a name only a credential counts, which the browser would not send
// there. An address cannot be taken over so, nor can localhost.
func (o *origins) host(r *http.Request, form access.Form) error {
	if form != access.FormNone {
		return nil
	}
	host := plainHost(r.Host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || o.hosts[host] {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return strangeHost
}

// CheckHost refuses a request that comes without a credential to a name that is not ours, for handlers beside the engine.
func (e *Engine) CheckHost(r *http.Request) error { return e.origins.host(r, access.FormNone) }

// plainHost is the host of a Host header, in lower case and without port, brackets and trailing dot.
func plainHost(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	} else if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		s = strings.TrimSuffix(inner, "]")
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
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
	if err := o.host(r, form); err != nil {
		return err
	}
	if form == access.FormNone && len(r.Header["Origin"]) == 0 {
		return nil
	}
	return o.matching(r)
}

// CheckOrigin refuses what a page of another site made a browser send, for handlers beside the engine: one rule for both.
func (e *Engine) CheckOrigin(r *http.Request) error { return e.origins.check(r) }

// matching compares parsed origins for equality. The request's own host counts: a cookie is bound to it, and without a
// credential host was asked first.
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
