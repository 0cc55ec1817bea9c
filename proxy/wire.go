package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

// The patience of a wire.
const (
	writePatience = 30 * time.Second // for a peer that does not read
	linger        = time.Second      // between our close frame and the end of the connection
	readAhead     = 1 << 10          // per idle connection; payloads go through pooled buffers
)

var errClosing = errors.New("the connection is being closed")

// wire is one side of a WebSocket: it reads frame headers and payloads, and writes whole frames, by many goroutines.
type wire struct {
	conn  net.Conn
	in    *bufio.Reader
	masks bool // towards the upstream we are the client

	seen    atomic.Int64 // when the peer was last heard of
	closing atomic.Bool

	mu     sync.Mutex // of writing
	broken bool       // a frame was cut: nothing may follow
	open   bool       // a message is under way, in fragments: no other may come between
	later  [][]byte   // frames of our own that wait for its end
}

// newWire takes over a connection and what was read from it already.
func newWire(conn net.Conn, early []byte, masks bool) *wire {
	w := &wire{conn: conn, in: bufio.NewReaderSize(&earlyReader{conn: conn, early: early}, readAhead), masks: masks}
	w.seen.Store(time.Now().UnixNano())
	return w
}

// earlyReader gives out first what came together with the handshake.
type earlyReader struct {
	conn  net.Conn
	early []byte
}

func (r *earlyReader) Read(p []byte) (int, error) {
	if len(r.early) > 0 {
		n := copy(p, r.early)
		r.early = r.early[n:]
		return n, nil
	}
	r.early = nil
	return r.conn.Read(p)
}

// frame reads the next header. Frames from a client must be masked, those from a server must not.
func (w *wire) frame() (frame, error) {
	f, err := readFrame(w.in)
	w.seen.Store(time.Now().UnixNano())
	if err == nil && f.masked == w.masks {
		return f, errProtocol
	}
	return f, err
}

// payload reads b whole, as the bytes of f from offset at on.
func (w *wire) payload(f *frame, b []byte, at int64) error {
	_, err := io.ReadFull(w.in, b)
	f.unmask(b, at)
	return err
}

// control reads the payload of a control frame.
func (w *wire) control(f *frame) ([]byte, error) {
	b := make([]byte, f.length)
	return b, w.payload(f, b, 0)
}

// write sends buf[from:to] as the payload of one frame; the header goes in front, where there must be headroom.
func (w *wire) write(opcode byte, fin bool, buf []byte, from, to int) error {
	start := putHeader(buf, from, to-from, opcode, fin, w.masks)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.put(buf[start:to], writePatience); err != nil || opcode >= opClose {
		return err
	}
	w.open = !fin
	return w.catchUp()
}

// maxLater bounds what waits. A peer that provokes more gets no more.
const maxLater = 8

// say sends a text message of our own as soon as none is under way.
func (w *wire) say(message []byte) error {
	frame := append(make([]byte, headroom), message...)
	frame = frame[putHeader(frame, headroom, len(message), opText, true, w.masks):]
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.later) < maxLater {
		w.later = append(w.later, frame)
	}
	return w.catchUp()
}

// catchUp is called under the lock.
func (w *wire) catchUp() error {
	if w.open {
		return nil
	}
	for _, frame := range w.later {
		if err := w.put(frame, writePatience); err != nil {
			return err
		}
	}
	w.later = nil
	return nil
}

// put is called under the lock. The order of deadline and question is what lets shut wake a writer at any moment.
func (w *wire) put(b []byte, patience time.Duration) error {
	_ = w.conn.SetWriteDeadline(time.Now().Add(patience))
	if w.closing.Load() || w.broken {
		return errClosing
	}
	_, err := w.conn.Write(b)
	w.broken = err != nil
	return err
}

// signal sends a control frame.
func (w *wire) signal(opcode byte, payload []byte) error {
	var buf [headroom + maxControl]byte
	n := copy(buf[headroom:], payload)
	return w.write(opcode, true, buf[:], headroom, headroom+n)
}

// ping asks for a sign of life, unless somebody is writing anyway.
func (w *wire) ping() {
	if !w.mu.TryLock() {
		return
	}
	defer w.mu.Unlock()
	var buf [headroom]byte
	start := putHeader(buf[:], headroom, 0, opPing, true, w.masks)
	_ = w.put(buf[start:], linger)
}

// shut sends a close frame and half-closes. Whoever reads goes on, to the peer's answer or for a second; closing at once
// would reset the connection, and the peer would not see our code.
func (w *wire) shut(code int, reason string) {
	if w.closing.Swap(true) {
		return
	}
	deadline := time.Now().Add(linger)
	_ = w.conn.SetDeadline(deadline)
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.conn.SetDeadline(deadline)
	if !w.broken {
		_, _ = w.conn.Write(closeFrame(code, reason, w.masks))
	}
	if half, ok := w.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// drain reads until the peer closes, or the deadline that shut set, and closes. What is left unread at a close resets the
// connection.
func (w *wire) drain() {
	_, _ = io.Copy(io.Discard, w.in)
	_ = w.conn.Close()
}

// refuse says goodbye to a peer that never got further.
func (w *wire) refuse(code int, reason string) {
	w.shut(code, reason)
	w.drain()
}

// closeFrame makes a close frame; code 0 is the one without a code.
func closeFrame(code int, reason string, masks bool) []byte {
	buf := make([]byte, headroom+maxControl)
	n := 0
	if code != 0 {
		binary.BigEndian.PutUint16(buf[headroom:], uint16(code))
		n = 2 + copy(buf[headroom+2:], clipReason(reason))
	}
	start := putHeader(buf, headroom, n, opClose, true, masks)
	return buf[start : headroom+n]
}

// clipReason cuts a reason to what fits, between characters.
func clipReason(s string) string {
	s = strings.ToValidUTF8(s, "")
	if len(s) <= maxControl-2 {
		return s
	}
	s = s[:maxControl-2]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

// readClose takes a close frame's payload apart. Codes that must not be sent become 1011.
func readClose(b []byte) (code int, reason string) {
	if len(b) < 2 {
		return 0, ""
	}
	code = int(binary.BigEndian.Uint16(b))
	sendable := (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) || (code >= 3000 && code <= 4999)
	if !sendable {
		return closeInternal, ""
	}
	return code, string(b[2:])
}
