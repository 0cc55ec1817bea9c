package proxy

import (
	"net/http"
	"net/netip"
	"strings"
)

// peers are the proxies in front of us whose word is believed.
type peers []netip.Prefix

// trusted says whether the connection itself comes from one of them.
func (p peers) trusted(r *http.Request) bool { return p.contain(remote(r)) }

func (p peers) contain(a netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// client walks X-Forwarded-For from the right, past those we trust, to the first address that nobody vouches for.
func (p peers) client(r *http.Request) netip.Addr {
	at := remote(r)
	chain := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(chain) - 1; i >= 0 && p.contain(at); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			return at
		}
		at = next.Unmap()
	}
	return at
}

// scheme is the one that the client's browser shows.
func (p peers) scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if len(p) == 0 || !p.trusted(r) {
		return "http"
	}
	values := r.Header["X-Forwarded-Proto"]
	if len(values) == 1 && strings.EqualFold(strings.TrimSpace(values[0]), "https") {
		return "https"
	}
	return "http"
}

func remote(r *http.Request) netip.Addr {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return a.Addr().Unmap()
}

// ClientAddress is who is at the other end, as far as the trusted proxies tell.
func (e *Engine) ClientAddress(r *http.Request) netip.Addr { return e.peers.client(r) }

func (p peers) clientText(r *http.Request) string {
	a := p.client(r)
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
