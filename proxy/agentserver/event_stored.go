package agentserver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// maxEvents is how much of an answer with stored events is looked through before it goes on. What is longer goes on as it
// comes, and ends where a state begins that nobody narrowed.
const maxEvents = 16 << 20

// storedEvents forwards a question about the history. States among the stored events are narrowed as the live ones are.
func (d *Dialect) storedEvents(x *proxy.Exchange) error {
	return x.Forward(d.narrowing(x, proxy.Outgoing{}))
}

// narrowing narrows states in the answer to out, and takes folders of the host out of it.
func (d *Dialect) narrowing(x *proxy.Exchange, out proxy.Outgoing) proxy.Outgoing {
	out.Edit = func(r *http.Response) error {
		room := d.rooms.get(min(r.ContentLength, maxEvents))
		if _, err := room.ReadFrom(io.LimitReader(r.Body, maxEvents+1)); err != nil {
			return err
		}
		if room.Len() > maxEvents {
			r.Body = &tripwire{Reader: io.MultiReader(room, r.Body), Closer: r.Body}
			return nil
		}
		_ = r.Body.Close()
		d.narrowAnswer(x.Principal(), r, room)
		return nil
	}
	return out
}

// narrowAnswer makes what was read the body of the answer. One without a state goes on byte by byte.
func (d *Dialect) narrowAnswer(p *access.Principal, r *http.Response, room *bytes.Buffer) {
	raw := d.narrowRaw(p, room.Bytes())
	r.Body, r.ContentLength = d.rooms.lend(raw, room), int64(len(raw))
	r.Header.Set("Content-Length", strconv.Itoa(len(raw)))
}

// narrowRaw narrows events. It works in place, or makes a text of its own where there is a state.
func (d *Dialect) narrowRaw(p *access.Principal, raw []byte) []byte {
	new(folderEraser).next(raw, true)
	if holdsState(raw) {
		return d.narrowEvents(p, raw)
	}
	return raw
}

// narrowEvents narrows the states among events: a page of them, a list, or one.
func (d *Dialect) narrowEvents(p *access.Principal, raw []byte) []byte {
	var answer any
	if decode(raw, &answer) != nil {
		return raw
	}
	var events []any
	switch v := answer.(type) {
	case []any:
		events = v
	case map[string]any:
		items, isPage := v["items"].([]any)
		if events = items; !isPage {
			events = []any{v}
		}
	}
	found := false
	for _, e := range events {
		if event, isObject := e.(map[string]any); isObject && d.narrowEvent(p, event) {
			found = true
		}
	}
	if !found {
		return raw
	}
	return plainJSON(answer)
}

// tripwire takes folders of the host out of what passes, and ends with an error where a state begins.
type tripwire struct {
	io.Reader
	io.Closer
	folders folderEraser
	tail    []byte // the end of what went before, in which a mark may begin
}

// Read gives nothing of a piece in which a mark ends.
func (t *tripwire) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	seen := append(t.tail, p[:n]...)
	if holdsState(seen) {
		return 0, errUnnarrowed
	}
	t.tail = bytes.Clone(seen[max(0, len(seen)-longestMark):])
	t.folders.next(p[:n], false)
	return n, err
}

// longestMark is at least the length of what holdsState looks for.
const longestMark = 32

var errUnnarrowed = errors.New("an answer of over 16 MiB holds a state: ask for fewer events")
