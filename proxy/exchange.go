package proxy

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// Exchange is one authorised request on its way through an operation.
type Exchange struct {
	Writer    http.ResponseWriter
	Request   *http.Request
	Operation *Operation
	Target    Target
	Caller    access.Caller
	Object    access.Object // the conversation of the path, where the template names one

	engine    *Engine
	params    params
	canonical string    // the escaped path that is forwarded: conversation ids dashed and in lower case
	socket    *socket   // of a WebSocket operation: accepted and authenticated
	body      *incoming // nil where none comes
	shares    shares    // places of the fair shares, held until the end
	answered  bool
	linked    bool // it came by a link, to the content origin
}

// Principal is who asks.
func (x *Exchange) Principal() *access.Principal { return x.Caller.Principal }

// Team is the team that counts: the conversation's, else the caller's current one.
func (x *Exchange) Team() uuid.UUID {
	if x.Object.State != access.StateNone {
		return x.Object.Team
	}
	return x.Principal().CurrentTeam
}

// Param returns a parameter of the path, decoded; conversation ids in their dashed form. Unknown names give "".
func (x *Exchange) Param(name string) string { return x.params.get(name) }

// Query returns the parameters of the query. They are shared: copy before changing.
func (x *Exchange) Query() url.Values { return x.Target.query }

// JSON answers with v.
func (x *Exchange) JSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := x.Writer.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	own(h)
	x.answered = true
	x.Writer.WriteHeader(status)
	_, _ = x.Writer.Write(body)
	return nil
}

// Text answers with plain text.
func (x *Exchange) Text(status int, text string) error {
	h := x.Writer.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	own(h)
	x.answered = true
	x.Writer.WriteHeader(status)
	_, _ = io.WriteString(x.Writer, text)
	return nil
}

// NoContent answers without a body.
func (x *Exchange) NoContent(status int) error {
	own(x.Writer.Header())
	x.answered = true
	x.Writer.WriteHeader(status)
	return nil
}

// inert is what a browser may do with an answer that it takes for a page, a picture or whatever else could act: nothing.
const inert = "default-src 'none'; sandbox"

// own sets what every answer about a tenant's data carries. What has an ETag may be kept, but must be asked for again, so that
// a right that ended counts. What is to be shown as a page says so by a policy of its own.
func own(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", inert)
	}
	if h.Get("Etag") != "" {
		h.Set("Cache-Control", "private, no-cache")
		return
	}
	h.Set("Cache-Control", "no-store")
}
