package proxy

import (
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/guard"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// scrub deletes from a response what must not reach a client, and refuses what must not be shown at all: the error is answered
// in its place.
func (e *Engine) scrub(res *http.Response) error {
	if err := judge(res); err != nil && guard.Stands(guard.Errors) {
		return err
	}
	for name := range res.Header {
		if guard.Stands(guard.Headers) && !outward(name) {
			delete(res.Header, name)
		}
	}
	res.Trailer = nil
	own(res.Header)
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

// outward says whether a response header is for clients: what describes the body, and when to come back. All others stay inside:
// a cookie may hold the upstream's key, its CORS headers let any origin in, its caching is not for what belongs to a team, ranges
// are ours to offer, and what a next version adds is known to nobody.
func outward(name string) bool {
	switch name {
	case "Content-Type", "Content-Length", "Content-Disposition", "Content-Range", "Content-Language", "Etag", "Last-Modified", "Retry-After":
		return true
	}
	return false
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
