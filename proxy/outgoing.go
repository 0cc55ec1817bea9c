package proxy

import (
	"fmt"
	"net/http"
	"net/url"
)

// Outgoing is what to ask of the upstream. The zero value asks what the client asked.
type Outgoing struct {
	Method      string     // "" is the client's
	Path        string     // escaped; "" is the client's, with conversation ids in their dashed form
	Query       url.Values // nil is the client's, without session_api_key and cid
	Body        []byte     // nil streams the client's in Forward, and sends none in Fetch, Call and Tunnel
	ContentType string     // of Body; "" means application/json

	// Header is sent too in Fetch and Call. It cannot replace what the engine sets.
	Header http.Header

	// Edit may change the upstream's response in Forward before a byte goes out: headers were scrubbed already, keys are
	// masked afterwards. It sees no 3xx, 401 or 5xx: those are replaced. An error is answered instead of the response.
	Edit func(*http.Response) error

	// Ranges lets Forward answer requests under conditions: with one range of the upstream's answer, or with 304 where the client
	// has it already.
	Ranges bool

	// Frame may change messages of the upstream in Tunnel.
	Frame *FrameEdit

	// Refused makes the answer to a message of a client that may only listen, in Tunnel. nil: such messages are not answered.
	Refused func() []byte

	// Sent is told in Tunnel that the client sent a message, at most once a second.
	Sent func()
}

// FrameEdit changes messages of the upstream, before keys are masked. Each tunnel has one of its own; it is called by one
// goroutine.
type FrameEdit struct {
	// Wants decides by the first bytes, up to some 32 KiB, whether Edit is to have a message. It is asked for every text message.
	// Those of over 16 MiB, or that come in fragments, end the tunnel when they are wanted.
	Wants func(head []byte) bool
	Edit  func(message []byte) (new []byte) // may work in place

	// Pass may change in place what Edit does not get, piece by piece. end says that the message ends with this piece. nil: it
	// goes on as it is.
	Pass func(piece []byte, end bool)
}

// Reply is a response of the upstream that was read whole, scrubbed and masked.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// UpstreamError is the cause of a problem when the upstream answered, but with a failure: find it with errors.As.
type UpstreamError struct{ Status int }

// Error names the status.
func (e *UpstreamError) Error() string { return fmt.Sprintf("the upstream answered %d", e.Status) }
