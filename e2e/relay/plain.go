package relay

import "bytes"

// plain takes out of a stream of HTTP what may part a text that is delivered as one: the lines between chunks and, once the
// stream has become a WebSocket, the headers of frames. What was parted without need is not missed, so it need not be exact.
type plain struct {
	to     func([]byte)
	held   []byte // what may be the beginning of a line between chunks
	frames bool
	header []byte // of a frame, as far as it came
	left   uint64 // of a frame's payload
}

// switching begins the answer that turns a connection into a WebSocket.
var switching = []byte("HTTP/1.1 101 ")

func (p *plain) take(b []byte) {
	if bytes.HasPrefix(b, switching) {
		if head := bytes.Index(b, []byte("\r\n\r\n")); head >= 0 {
			p.to(b[:head+4])
			p.frames, b = true, b[head+4:]
		}
	}
	if p.frames {
		p.unframe(b)
		return
	}
	p.unchunk(b)
}

// end gives out what was held back.
func (p *plain) end() {
	p.to(p.held)
	p.held = nil
}

// longestChunkLine is a line between chunks: an end of line, up to eight digits, an end of line.
const longestChunkLine = 12

// unchunk leaves out what looks like a line between chunks.
func (p *plain) unchunk(b []byte) {
	b = append(p.held, b...)
	p.held = nil
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		i := bytes.IndexByte(b, '\r')
		if i < 0 {
			out = append(out, b...)
			break
		}
		out, b = append(out, b[:i]...), b[i:]
		n, begun := chunkLine(b)
		if begun {
			p.held = bytes.Clone(b)
			break
		}
		if n == 0 {
			out, n = append(out, b[0]), 1
		}
		b = b[n:]
	}
	p.to(out)
}

// chunkLine is the length of the line between chunks at the beginning of b; begun says that b ends within one.
func chunkLine(b []byte) (length int, begun bool) {
	const around = "\r\n"
	n := 0
	for ; n < len(around); n++ {
		if n == len(b) {
			return 0, true
		}
		if b[n] != around[n] {
			return 0, false
		}
	}
	for n < len(b) && isHex(b[n]) {
		n++
	}
	digits := n - len(around)
	if digits > longestChunkLine-2*len(around) || digits == 0 && n < len(b) {
		return 0, false
	}
	for i := range len(around) {
		if n+i == len(b) {
			return 0, true
		}
		if b[n+i] != around[i] {
			return 0, false
		}
	}
	return n + len(around), false
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// unframe leaves out the headers of frames. A server's frames have no mask.
func (p *plain) unframe(b []byte) {
	for len(b) > 0 {
		if p.left > 0 {
			n := min(p.left, uint64(len(b)))
			p.to(b[:n])
			p.left, b = p.left-n, b[n:]
			continue
		}
		p.header, b = append(p.header, b[0]), b[1:]
		if size, whole := frameHeader(p.header); whole {
			p.left, p.header = size, p.header[:0]
		}
	}
}

// frameHeader reads the length of the payload, once the header is whole.
func frameHeader(h []byte) (size uint64, whole bool) {
	if len(h) < 2 {
		return 0, false
	}
	size = uint64(h[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[size]
	if len(h) < 2+more {
		return 0, false
	}
	if more > 0 {
		size = 0
		for _, c := range h[2 : 2+more] {
			size = size<<8 | uint64(c)
		}
	}
	return size, true
}
