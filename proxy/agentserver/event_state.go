package agentserver

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// The keys of live events that hold what the conversation's object holds: all of it, or its agent.
const (
	fullState  = "full_state"
	agentState = "agent"
)

// states narrows live events that hold the conversation's state, as its object is narrowed elsewhere, and takes folders of the
// host out of all others. The upstream sends a state whenever a socket opens.
func (d *Dialect) states(p *access.Principal) *proxy.FrameEdit {
	var folders folderEraser
	return &proxy.FrameEdit{
		Wants: holdsState,
		Edit: func(message []byte) []byte {
			folders.next(message, true)
			return d.narrowState(p, message)
		},
		Pass: folders.next,
	}
}

// stateKey begins an event's member that says what its value is.
var stateKey = []byte(`"key"`)

// holdsState looks for the key, which stands before what it names. Ordinary events are not parsed. It looks for the letter k,
// because there are few.
func holdsState(head []byte) bool {
	for rest := head; ; {
		k := bytes.IndexByte(rest, 'k')
		if k < 0 {
			return false
		}
		if k > 0 && bytes.HasPrefix(rest[k-1:], stateKey) && namesState(rest[k-1+len(stateKey):]) {
			return true
		}
		rest = rest[k+1:]
	}
}

// namesState looks at what follows a stateKey.
func namesState(b []byte) bool {
	b, found := bytes.CutPrefix(trimSpace(b), []byte(":"))
	b = trimSpace(b)
	return found && (bytes.HasPrefix(b, []byte(`"`+fullState+`"`)) || bytes.HasPrefix(b, []byte(`"`+agentState+`"`)))
}

func trimSpace(b []byte) []byte {
	for len(b) > 0 && isSpace(b[0]) {
		b = b[1:]
	}
	return b
}

func (d *Dialect) narrowState(p *access.Principal, message []byte) []byte {
	var frame map[string]any
	if decode(message, &frame) != nil {
		return message
	}
	event := frame
	if inner, isEnvelope := frame["event"].(map[string]any); isEnvelope { // of /sockets/session
		event = inner
	}
	if !d.narrowEvent(p, event) {
		return message
	}
	return plainJSON(frame)
}

// narrowEvent narrows one event in place, and says whether it was one that holds state.
func (d *Dialect) narrowEvent(p *access.Principal, event map[string]any) bool {
	value, _ := event["value"].(map[string]any)
	switch {
	case value != nil && event["key"] == fullState:
		d.narrowSocket(p, value)
	case value != nil && event["key"] == agentState:
		hideModels(value)
	default:
		return false
	}
	return true
}

// plainJSON encodes what was decoded from JSON without escapes for HTML: keys are masked afterwards, and must be found.
func plainJSON(v any) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil { // what was decoded from JSON can be encoded
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// narrowSocket narrows where no request waits. Without the database no other conversation is shown.
func (d *Dialect) narrowSocket(p *access.Principal, i info) {
	ctx, cancel := context.WithTimeout(context.Background(), touchTimeout)
	defer cancel()
	if err := d.narrow(ctx, p, i); err != nil {
		d.log.Warn("a state could not be narrowed; related conversations are left out", "error", err)
		i.keep(nil)
		i.hide()
	}
}
