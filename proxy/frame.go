package proxy

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// The opcodes of RFC 6455.
const (
	opContinuation byte = 0
	opText         byte = 1
	opBinary       byte = 2
	opClose        byte = 8
	opPing         byte = 9
	opPong         byte = 10
)

// headroom is the longest header of a frame.
const headroom = 14

// maxControl is the longest payload of a control frame.
const maxControl = 125

// errProtocol means that a peer broke RFC 6455: close code 1002.
var errProtocol = errors.New("the peer broke the WebSocket protocol")

// frame is the header of a frame.
type frame struct {
	fin    bool
	opcode byte
	masked bool
	key    [4]byte
	length int64
}

func (f frame) control() bool { return f.opcode >= opClose }

// readFrame reads a header. Extensions are never agreed on, so reserved bits are wrong.
func readFrame(r *bufio.Reader) (frame, error) {
	b, err := r.Peek(2)
	if err != nil {
		return frame{}, err
	}
	f := frame{fin: b[0]&0x80 != 0, opcode: b[0] & 0x0f, masked: b[1]&0x80 != 0, length: int64(b[1] & 0x7f)}
	if b[0]&0x70 != 0 || f.opcode > opPong || (f.opcode > opBinary && f.opcode < opClose) {
		return frame{}, errProtocol
	}
	if f.control() && (!f.fin || f.length > maxControl) {
		return frame{}, errProtocol
	}
	_, _ = r.Discard(2)
	if err := f.readLength(r); err != nil {
		return frame{}, err
	}
	if f.masked {
		_, err = io.ReadFull(r, f.key[:])
	}
	return f, err
}

// readLength reads the longer forms, which must not be used for lengths that fit a shorter one.
func (f *frame) readLength(r *bufio.Reader) error {
	var size int
	var least uint64
	switch f.length {
	case 126:
		size, least = 2, 126
	case 127:
		size, least = 8, 1<<16
	default:
		return nil
	}
	b, err := r.Peek(size)
	if err != nil {
		return err
	}
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if n < least || n > 1<<62 {
		return errProtocol
	}
	f.length = int64(n)
	_, _ = r.Discard(size)
	return nil
}

// unmask applies the key to bytes that begin at offset at of the payload.
func (f *frame) unmask(b []byte, at int64) {
	if f.key == [4]byte{} {
		return
	}
	for i := range b {
		b[i] ^= f.key[(at+int64(i))&3]
	}
}

// putHeader writes a header so that it ends where the payload begins, at offset at of buf, and returns where it begins.
// Frames to the upstream carry a mask, as they must; its key is zero because nobody between us and the upstream is to be
// confused by bytes that a page chose, and so payloads need no second pass.
func putHeader(buf []byte, at, length int, opcode byte, fin, masked bool) int {
	bits := byte(0)
	if masked {
		at -= 4
		copy(buf[at:], []byte{0, 0, 0, 0})
		bits = 0x80
	}
	switch {
	case length < 126:
		at--
		buf[at] = bits | byte(length)
	case length < 1<<16:
		at -= 3
		buf[at] = bits | 126
		binary.BigEndian.PutUint16(buf[at+1:], uint16(length))
	default:
		at -= 9
		buf[at] = bits | 127
		binary.BigEndian.PutUint64(buf[at+1:], uint64(length))
	}
	at--
	buf[at] = opcode
	if fin {
		buf[at] |= 0x80
	}
	return at
}
