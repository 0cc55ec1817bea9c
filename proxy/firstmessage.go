package proxy

import (
	"errors"
	"net"
	"time"
)

var (
	errSilent = errors.New("the peer sent nothing in time")
	errFirst  = errors.New("the first message is none that could authenticate")
)

// maxFirstFrames bounds the frames that may come before the first message is whole.
const maxFirstFrames = 64

// firstMessage reads the first text message. It waits silence for it to begin, and patience for it to be whole; nothing is
// lost when it never begins.
func (w *wire) firstMessage(silence, patience time.Duration) ([]byte, error) {
	_ = w.conn.SetReadDeadline(time.Now().Add(silence))
	if _, err := w.in.Peek(1); err != nil {
		if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
			_ = w.conn.SetReadDeadline(time.Time{})
			return nil, errSilent
		}
		return nil, err
	}
	_ = w.conn.SetReadDeadline(time.Now().Add(patience))
	message, err := w.assemble()
	_ = w.conn.SetReadDeadline(time.Time{})
	return message, err
}

// assemble puts the fragments of one text message together, and answers pings meanwhile.
func (w *wire) assemble() ([]byte, error) {
	message := make([]byte, 0, 512)
	started := false
	for range maxFirstFrames {
		f, err := w.frame()
		if err != nil {
			return nil, err
		}
		if f.control() {
			if err := w.attend(&f); err != nil {
				return nil, err
			}
			continue
		}
		expected := opText
		if started {
			expected = opContinuation
		}
		if f.opcode != expected || int64(len(message))+f.length > maxAuthFrame {
			return nil, errFirst
		}
		started = true
		at := len(message)
		message = append(message, make([]byte, f.length)...)
		if err := w.payload(&f, message[at:], 0); err != nil {
			return nil, err
		}
		if f.fin {
			return message, nil
		}
	}
	return nil, errFirst
}

// attend answers a control frame; a close is an error.
func (w *wire) attend(f *frame) error {
	payload, err := w.control(f)
	if err != nil {
		return err
	}
	switch f.opcode {
	case opClose:
		code, reason := readClose(payload)
		return &closed{code: code, reason: reason}
	case opPing:
		return w.signal(opPong, payload)
	}
	return nil
}

// closed is the goodbye of a peer.
type closed struct {
	code   int
	reason string
}

// Error says that the peer closed.
func (*closed) Error() string { return "the peer closed the WebSocket" }
