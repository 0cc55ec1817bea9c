package proxy

import (
	"errors"
	"time"
)

// order follows the fragments of messages: a continuation must have a beginning, and a beginning must not interrupt.
type order struct{ open bool }

func (o *order) take(f *frame) error {
	if (f.opcode == opContinuation) != o.open {
		return errProtocol
	}
	o.open = !f.fin
	return nil
}

// down relays from the upstream to the client, masking. Large frames leave as fragments, so memory stays bounded and a secret
// that is cut by a fragment is still found.
func (t *tunnel) down() {
	d := downward{tunnel: t, mask: masking{masker: t.engine.mask}}
	t.finish(t.upstream, t.upstream.each(d.data))
}

// each reads frames until the peer fails or says goodbye. Control frames are answered here; they are a matter of one hop.
func (w *wire) each(data func(*frame) error) error {
	for {
		f, err := w.frame()
		if err == nil && f.control() {
			err = w.attend(&f)
		} else if err == nil {
			err = data(&f)
		}
		if err != nil {
			return err
		}
	}
}

// send passes a frame on to w. When that fails the tunnel ends, but reading the other side goes on until its goodbye.
func (t *tunnel) send(w *wire, opcode byte, fin bool, buf []byte, from, to int) {
	err := w.write(opcode, fin, buf, from, to)
	if err != nil && !errors.Is(err, errClosing) {
		t.lost(w == t.client, err)
	}
}

type downward struct {
	*tunnel
	order order
	mask  masking
	first byte // the opcode of the next frame to the client
}

func (d *downward) data(f *frame) error {
	if err := d.order.take(f); err != nil {
		return err
	}
	if f.opcode != opContinuation {
		d.first = f.opcode
	}
	buf := d.engine.upstream.buffers.Get()
	defer d.engine.upstream.buffers.Put(buf)
	for at := int64(0); ; {
		room := d.mask.room()
		n := min(f.length-at, int64(len(buf)-headroom-room))
		window := buf[headroom : headroom+room+int(n)]
		if err := d.upstream.payload(f, window[room:], at); err != nil {
			return err
		}
		if at == 0 && d.wanted(f, window[room:]) {
			return d.edited(f, window[room:])
		}
		at += n
		end := f.fin && at == f.length
		if d.frames != nil && d.frames.Pass != nil {
			d.frames.Pass(window[room:], end)
		}
		d.pass(buf, window, end)
		if at == f.length {
			return nil
		}
	}
}

// maxEdited bounds the messages that may be edited: they must be in memory whole.
const maxEdited = 16 << 20

// wanted says whether a message that begins with head is to be edited.
func (d *downward) wanted(f *frame, head []byte) bool {
	return d.frames != nil && f.opcode == opText && d.frames.Wants(head)
}

// edited reads the rest of a message that began with head, and sends what is made of it. It takes memory of its own, because it
// is seldom. What cannot be edited must not pass as it is.
func (d *downward) edited(f *frame, head []byte) error {
	if !f.fin || f.length > maxEdited {
		return errTooBig
	}
	message := make([]byte, f.length)
	n := copy(message, head)
	if err := d.upstream.payload(f, message[n:], int64(n)); err != nil {
		return err
	}
	buf := append(make([]byte, headroom), d.frames.Edit(message)...)
	d.pass(buf, buf[headroom:], true)
	return nil
}

// pass sends on what may go. The end of a message holds nothing back.
func (d *downward) pass(buf, window []byte, end bool) {
	out := d.mask.next(window, end)
	if len(out) == 0 && !end {
		return
	}
	from := cap(buf) - cap(out)
	d.send(d.client, d.first, end, buf, from, from+len(out))
	d.first = opContinuation
}

// up relays from the client to the upstream. first came before the upstream was reached.
func (t *tunnel) up(first []byte) {
	u := upward{tunnel: t}
	u.early(first)
	err := t.client.each(u.data)
	u.release()
	t.finish(t.client, err)
}

type upward struct {
	*tunnel
	order  order
	opcode byte   // of the message under way
	buf    []byte // holds its bytes that were not sent yet; nil between messages
	fill   int
	size   int64 // of the message so far
	begun  bool  // a part of it was sent
	drop   bool
	keys   keyWatch // of a message that is sent in parts
}

func (u *upward) early(message []byte) {
	if len(message) == 0 {
		return
	}
	u.begin(opText)
	u.fill = headroom + copy(u.buf[headroom:], message)
	_ = u.flush(true) // a whole message is sent or not
}

func (u *upward) begin(opcode byte) {
	u.buf, u.fill = u.engine.upstream.buffers.Get(), headroom
	u.opcode, u.size, u.begun, u.keys = opcode, 0, false, keyWatch{}
}

func (u *upward) data(f *frame) error {
	if err := u.order.take(f); err != nil {
		return err
	}
	if f.opcode != opContinuation {
		u.begin(f.opcode)
	}
	if u.size += f.length; u.size > u.engine.cfg.Socket.MaxMessage {
		return errTooBig
	}
	for at := int64(0); ; {
		n := min(f.length-at, int64(len(u.buf)-u.fill))
		if err := u.client.payload(f, u.buf[u.fill:u.fill+int(n)], at); err != nil {
			return err
		}
		at, u.fill = at+n, u.fill+int(n)
		whole := at == f.length
		if whole && f.fin || u.fill == len(u.buf) {
			if err := u.flush(whole && f.fin); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
	}
}

// errDemoted means that the right to write ended in the middle of a message, which must not come to its end then.
var errDemoted = errors.New("the right to write ended")

// flush sends what is there. A credential is not sent on: it is the user's, and the upstream has no use for it. One that comes
// in a message too long for one look ends the tunnel, before its key is sent.
func (u *upward) flush(end bool) error {
	message := u.buf[headroom:u.fill]
	mayWrite := u.writes.Load()
	if !u.begun {
		u.drop = !mayWrite
	}
	switch {
	case !u.begun && end && u.opcode == opText && isAuthFrame(message):
	case u.drop && end:
		u.answer()
	case u.drop:
	case !mayWrite:
		return errDemoted
	case (u.begun || !end) && u.keys.saw(message):
		return errTooBig
	default:
		u.send(u.upstream, u.opcode, end, u.buf, headroom, u.fill)
		if end {
			u.tell()
		}
	}
	u.fill, u.opcode, u.begun = headroom, opContinuation, true
	if end {
		u.release()
	}
	return nil
}

// answer tells a client that may only listen that nobody heard it.
func (u *upward) answer() {
	if u.refused == nil {
		return
	}
	if err := u.client.say(u.refused()); err != nil && !errors.Is(err, errClosing) {
		u.lost(true, err)
	}
}

func (u *upward) release() {
	if u.buf != nil {
		u.engine.upstream.buffers.Put(u.buf)
		u.buf = nil
	}
}

// tell reports a message, at most once a second and never twice at a time.
func (u *upward) tell() {
	now := time.Now()
	if u.sent == nil || now.Sub(u.lastSent) < time.Second || !u.telling.CompareAndSwap(false, true) {
		return
	}
	u.lastSent = now
	go func() {
		defer u.telling.Store(false)
		u.sent()
	}()
}
