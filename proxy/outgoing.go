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

	// Frame may change messages of the upstream in Tunnel.
	Frame *FrameEdit

	// Refused makes the answer to a message of a client that may only listen, in Tunnel. nil: such messages are not answered.
	Refused func() []byte

	// Sent is told in Tunnel that the client sent a message, at most once a second.
	Sent func()
}

// FrameEdit changes text messages of the upstream that come as one frame of at most 1 MiB; others pass as they are. It is called
// before keys are masked, by one goroutine of each tunnel.
type FrameEdit struct {
	Wants func(head []byte) bool            // decides by the first bytes, up to some 32 KiB; it is asked for every message
	Edit  func(message []byte) (new []byte) // may work in place
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
