package proxy

import "net/http"

// Masking exposes the streaming masker to tests that choose where a stream is cut.
type Masking struct{ masking }

// NewMasking makes one.
func NewMasking(secrets ...string) *Masking {
	return &Masking{masking{masker: newMasker(secrets)}}
}

// Next masks the next chunk and returns a copy of what goes out.
func (m *Masking) Next(chunk []byte, end bool) string {
	window := make([]byte, m.room()+len(chunk))
	copy(window[m.room():], chunk)
	return string(m.next(window, end))
}

// Mask masks a whole text.
func (m *Masking) Mask(s string) string { return m.text(s) }

// MaskInPlace masks bytes as a benchmark wants it.
func (m *Masking) MaskInPlace(b []byte) { m.whole(b) }

// Ours says whether a header's name is one that no client may set.
func Ours(name string) bool { return ours(name) }

// AuthFrame reads a first message.
func AuthFrame(message []byte) (string, bool) { return authFrame(message) }

// Strip deletes what no client may set.
func Strip(h http.Header) { strip(h) }

// AcceptKey answers a handshake's key.
func AcceptKey(key string) string { return acceptKey(key) }
