package proxy

import (
	"net/http"
	"strings"
)

// trustedNames are headers that we set, or that somebody behind us might trust: none of a client's gets through. Accept-
// Encoding is among them because bodies must be readable to be masked, Range because a key could be fetched in halves (ranges.go
// serves it), Expect because our server answers it, Upgrade because only Tunnel upgrades, and Trailer because a trailer is a
// header that comes too late to be judged.
var trustedNames = map[string]bool{
	"cookie": true, "authorization": true, "proxy-authorization": true, "forwarded": true, "x-real-ip": true,
	"x-client-ip": true, "true-client-ip": true, "cf-connecting-ip": true, "client-ip": true, "x-session-api-key": true,
	"x-expose-secrets": true, "x-init-api-key": true, "x-team-id": true, "x-user-id": true, "x-user-email": true,
	"remote-user": true, "x-remote-user": true, "x-original-uri": true, "x-original-url": true, "x-rewrite-url": true,
	"x-http-method-override": true, "x-http-method": true, "x-method-override": true, "via": true,
	"accept-encoding": true, "range": true, "if-range": true, "expect": true, "upgrade": true, "connection": true,
	"http2-settings": true, "te": true, "trailer": true,
}

var trustedPrefixes = []string{
	"x-forwarded-", "x-openhands-user-", "x-openhands-team-", "x-openhands-serverconversation-", "x-openhands-observability-",
	"x-openhands-identity", "x-auth-request-", "sec-websocket-",
}

// ours says whether a header's name, in any case and with underscores for hyphens, is one that no client may set.
func ours(name string) bool {
	var buf [48]byte
	n := 0
	for ; n < len(name) && n < len(buf); n++ {
		buf[n] = lower(name[n])
	}
	plain := buf[:n]
	if n == len(name) && trustedNames[string(plain)] {
		return true
	}
	if n == 0 || (plain[0] != 'x' && plain[0] != 's') {
		return false
	}
	for _, prefix := range trustedPrefixes {
		if strings.HasPrefix(string(plain), prefix) {
			return true
		}
	}
	return false
}

func lower(c byte) byte {
	switch {
	case c == '_':
		return '-'
	case 'A' <= c && c <= 'Z':
		return c + ('a' - 'A')
	}
	return c
}

// strip deletes, by raw key, every header that is ours to set.
func strip(h http.Header, more map[string]bool) {
	for name := range h {
		if ours(name) || (len(more) > 0 && more[folded(name)]) {
			delete(h, name)
		}
	}
}

// folded is a header's name as a backend may read it: in lower case, with hyphens for underscores.
func folded(name string) string {
	b := []byte(name)
	for i, c := range b {
		b[i] = lower(c)
	}
	return string(b)
}
