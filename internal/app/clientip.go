package app

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientIP is the address of who asks: the peer's, or, when the peer is a trusted proxy, the right-most forwarded address
// that is not trusted itself. What a client wrote further left is never believed.
func (a *App) clientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil || !a.trusts(peer.Unmap()) {
		return host
	}
	return a.forwardedFor(r, host)
}

func (a *App) forwardedFor(r *http.Request, peer string) string {
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		address, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			return peer
		}
		if !a.trusts(address.Unmap()) {
			return address.Unmap().String()
		}
		peer = address.Unmap().String()
	}
	return peer
}
