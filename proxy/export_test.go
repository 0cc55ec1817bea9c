package proxy

import (
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

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

// AuthFrame reads a first message.
func AuthFrame(message []byte) (string, bool) { return authFrame(message) }

// Strip deletes what no client may set.
func Strip(h http.Header) { strip(h, nil) }

// AcceptKey answers a handshake's key.
func AcceptKey(key string) string { return acceptKey(key) }

// TokensKept signs for many users, and says how many tokens are kept.
func TokensKept(key []byte, users int) (kept int) {
	s := newSigner(Config{IdentityKey: key, Now: time.Now})
	for range users {
		s.token(&access.Principal{User: uuid.New()}, uuid.New(), access.Viewer)
	}
	s.made.DropIf(func(seat, signed) bool { kept++; return false })
	return kept
}

// TokenFor is the hot path of a token.
func TokenFor(key []byte, p *access.Principal, team uuid.UUID) func() string {
	s := newSigner(Config{IdentityKey: key, Now: time.Now})
	return func() string { return s.token(p, team, access.Developer) }
}

// NoteHidden counts hidden answers of many callers.
func NoteHidden(e *Engine, callers int) {
	for range callers {
		p := &access.Principal{User: uuid.New()}
		x := &Exchange{engine: e, Caller: access.Caller{Principal: p}, Operation: &Operation{Path: "/"}}
		x.note(access.ErrHidden)
	}
}

// TeamsPaced has many teams start something, one after the other, and says how many are remembered.
func TeamsPaced(teams int) int {
	now := time.Now()
	p := newFair(Limits{}.withDefaults(), func() time.Time { return now }).starts
	for range teams {
		_ = p.begin(uuid.New())
		now = now.Add(time.Minute)
	}
	return len(p.begun)
}

// Incoming is a body that is read with patience.
type Incoming struct{ *incoming }

// NewIncoming makes one whose connection w stands for.
func NewIncoming(w http.ResponseWriter, body io.ReadCloser, patience time.Duration) Incoming {
	return Incoming{&incoming{ReadCloser: body, control: http.NewResponseController(w), patience: patience}}
}

// Cut makes whoever reads fail.
func (i Incoming) Cut() { i.cut() }

// Stop ends it as the end of a request does.
func (i Incoming) Stop() { i.stop(linger) }

// IsAuthFrame says whether a message would be swallowed for what it holds.
func IsAuthFrame(message []byte) bool { return isAuthFrame(message) }

// NewRegistry is newRegistry, with the way to end it.
func NewRegistry(cfg Config) (r *Registry, end func()) {
	r = newRegistry(cfg)
	return r, r.close
}
