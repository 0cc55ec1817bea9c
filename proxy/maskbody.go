package proxy

import (
	"io"
	"net/http"
)

// maskedBody masks a response's body as it is read.
type maskedBody struct {
	body    io.ReadCloser
	mask    masking
	res     *http.Response
	buf     []byte // made only for readers with little room
	pending []byte // masked, not yet given out
	err     error
}

// maskBody puts the masker between the upstream and whoever reads res.
func maskBody(res *http.Response, m *masker) {
	if res.Body == nil || res.Body == http.NoBody || len(m.secrets) == 0 {
		return
	}
	res.Body = &maskedBody{body: res.Body, mask: masking{masker: m}, res: res}
}

// Read masks in the reader's own buffer where that is large enough.
func (b *maskedBody) Read(p []byte) (int, error) {
	for len(b.pending) == 0 && b.err == nil && len(p) > 0 {
		if len(p) < 4*b.mask.longest {
			if b.buf == nil {
				b.buf = make([]byte, 8*b.mask.longest)
			}
			b.pending = b.fill(b.buf)
			continue
		}
		if out := b.fill(p); len(out) > 0 {
			return copy(p, out), b.end()
		}
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, b.end()
}

// end reports the upstream's end once all was given out. Trailers would pass unmasked, so they do not pass.
func (b *maskedBody) end() error {
	if len(b.pending) > 0 {
		return nil
	}
	if b.err != nil {
		b.res.Trailer = nil
	}
	return b.err
}

// fill reads once into p and returns what may go out.
func (b *maskedBody) fill(p []byte) []byte {
	room := b.mask.room()
	n, err := b.body.Read(p[room:])
	b.err = err
	return b.mask.next(p[:room+n], err != nil)
}

// Close closes the upstream's body.
func (b *maskedBody) Close() error { return b.body.Close() }
