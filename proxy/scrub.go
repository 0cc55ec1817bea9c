package proxy

import (
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// scrub deletes from a response what must not reach a client, and refuses what must not be shown at all: the error is answered
// in its place.
func (e *Engine) scrub(res *http.Response) error {
	if err := judge(res); err != nil {
		return err
	}
	h := res.Header
	for name := range h {
		if inner(name) || (len(e.custom) > 0 && e.custom[folded(name)]) {
			delete(h, name)
		}
	}
	res.Trailer = nil
	own(h)
	return nil
}

// judge finds the answers that are replaced.
func judge(res *http.Response) error {
	s := res.StatusCode
	switch {
	case s < 200:
		return failed(http.StatusBadGateway).Because(&UpstreamError{Status: s})
	case s >= 300 && s < 400 && s != http.StatusNotModified:
		return problem.NotFound.Because(&UpstreamError{Status: s}) // a redirect tells of the inside, and slashes count
	case s == http.StatusUnauthorized:
		// It is our key that was refused, not the client's credential.
		return failed(http.StatusBadGateway).Because(&UpstreamError{Status: s})
	case s >= 500:
		return failed(s)
	}
	if encoding := res.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return failed(http.StatusBadGateway).Because(errEncoded)
	}
	return nil
}

var errEncoded = problem.New(http.StatusBadGateway, "the upstream answered with an encoded body, which cannot be masked")

// inner says whether a response header tells of the inside. Set-Cookie may hold the upstream's key; the CORS headers there let
// any origin in; ranges are refused because they would fetch a key in halves.
func inner(name string) bool {
	switch name {
	case "Set-Cookie", "Server", "Location", "Content-Location", "Trailer", "Accept-Ranges", "Www-Authenticate",
		"X-Powered-By", "Via", "Alt-Svc", "Refresh", "Link", "Clear-Site-Data", "Strict-Transport-Security",
		"Service-Worker-Allowed", "X-Process-Time":
		return true
	}
	return strings.HasPrefix(name, "Access-Control-") || strings.HasPrefix(name, "X-Archive-") ||
		strings.HasPrefix(name, "X-Openhands-") || strings.HasPrefix(name, "X-Accel-") || strings.HasPrefix(name, "X-Session-")
}

// maskAll masks what is left of a response: header values, and the body as it is read.
func (e *Engine) maskAll(res *http.Response) {
	for _, values := range res.Header {
		for i, v := range values {
			values[i] = e.mask.text(v)
		}
	}
	maskBody(res, e.mask)
}
