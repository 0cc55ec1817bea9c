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

// narrowing narrows states in the answer to out. An answer without any goes on byte by byte.
func (d *Dialect) narrowing(x *proxy.Exchange, out proxy.Outgoing) proxy.Outgoing {
	out.Edit = func(r *http.Response) error {
		raw, err := readUpTo(r, maxEvents+1)
		if err != nil {
			return err
		}
		if len(raw) > maxEvents {
			r.Body = &tripwire{Reader: io.MultiReader(bytes.NewReader(raw), r.Body), Closer: r.Body}
			return nil
		}
		if holdsState(raw) {
			raw = d.narrowEvents(x.Principal(), raw)
		}
		_ = r.Body.Close()
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		r.Header.Set("Content-Length", strconv.Itoa(len(raw)))
		return nil
	}
	return out
}

// readUpTo reads at most limit bytes, into room of the size that the upstream announces.
func readUpTo(r *http.Response, limit int64) ([]byte, error) {
	var raw bytes.Buffer
	raw.Grow(int(min(max(r.ContentLength, 0), limit)) + bytes.MinRead)
	_, err := raw.ReadFrom(io.LimitReader(r.Body, limit))
	return raw.Bytes(), err
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

// tripwire ends with an error where a state begins.
type tripwire struct {
	io.Reader
	io.Closer
	tail []byte // the end of what went before, in which a mark may begin
}

// Read gives nothing of a piece in which a mark ends.
func (t *tripwire) Read(p []byte) (int, error) {
	n, err := t.Reader.Read(p)
	seen := append(t.tail, p[:n]...)
	if holdsState(seen) {
		return 0, errUnnarrowed
	}
	t.tail = bytes.Clone(seen[max(0, len(seen)-longestMark):])
	return n, err
}

// longestMark is at least the length of what holdsState looks for.
const longestMark = 32

var errUnnarrowed = errors.New("an answer of over 16 MiB holds a state: ask for fewer events")
