package agentserver

import "bytes"

// folderKey names the folder of the host where the upstream keeps long output of a tool. Each observation of a terminal or a
// browser holds it, after all that the tool has printed.
var folderKey = []byte(`"full_output_save_dir"`)

// folderEraser empties the text after each folderKey in JSON that passes piece by piece. What was there becomes white space, so
// lengths stay true and nothing needs to be held back: `"key":"/some/where"` becomes `"key":""           `. In a text the quotes
// around such a key would be escaped, so what is found is a key, or a whole text, which no colon follows. The zero value is ready.
type folderEraser struct {
	at      eraserState
	matched int // how much of a key the last piece ended with
}

type eraserState uint8

const (
	outside     eraserState = iota // of what matters
	afterKey                       // the colon comes next
	beforeValue                    // the text comes next
	atFirst                        // its first byte
	inside                         // it
	escaped                        // it, after a backslash
)

// next changes a piece in place. After the last one of a document the eraser is as new.
func (e *folderEraser) next(piece []byte, end bool) {
	for rest := piece; len(rest) > 0; {
		if e.at == outside {
			rest = rest[e.seek(rest):]
		} else {
			e.step(&rest[0])
			rest = rest[1:]
		}
	}
	if end {
		*e = folderEraser{}
	}
}

// seek returns what may be skipped: up to the end of the next key, or everything.
func (e *folderEraser) seek(b []byte) int {
	if e.matched > 0 {
		n := alike(b, folderKey[e.matched:])
		if e.matched += n; n == len(b) && e.matched < len(folderKey) {
			return n
		}
		found := e.matched == len(folderKey)
		if e.matched = 0; found {
			e.at = afterKey
			return n
		} // else no other key begins in what matched, because a key's only quotes are its first and its last byte
	}
	if i := seekFolder(b); i >= 0 {
		e.at = afterKey
		return i + len(folderKey)
	}
	tail := b[max(0, len(b)-len(folderKey)+1):]
	if quote := bytes.LastIndexByte(tail, '"'); quote >= 0 && bytes.HasPrefix(folderKey, tail[quote:]) {
		e.matched = len(tail) - quote
	}
	return len(b)
}

// folderSeldom is where in folderKey the byte stands that other text has least: looking for that one is fast.
const folderSeldom = len(`"full_output_sa`)

func seekFolder(b []byte) int {
	for at := folderSeldom; at < len(b); at++ {
		i := bytes.IndexByte(b[at:], folderKey[folderSeldom])
		if i < 0 {
			break
		}
		at += i
		if bytes.HasPrefix(b[at-folderSeldom:], folderKey) {
			return at - folderSeldom
		}
	}
	return -1
}

// alike is how many bytes two slices have in common from their beginning.
func alike(a, b []byte) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// step takes one byte after a key.
func (e *folderEraser) step(c *byte) {
	was := *c
	switch e.at {
	case afterKey, beforeValue:
		e.at = e.expect(was)
		return
	case atFirst:
		if was == '"' { // it is empty
			e.at = outside
			return
		}
		*c = '"'
	default:
		*c = ' '
	}
	switch {
	case e.at == escaped:
		e.at = inside
	case was == '\\':
		e.at = escaped
	case was == '"':
		e.at = outside
	default:
		e.at = inside
	}
}

// expect goes on from the key to its value, which may also be none that is a text.
func (e *folderEraser) expect(c byte) eraserState {
	switch {
	case isSpace(c):
		return e.at
	case e.at == afterKey && c == ':':
		return beforeValue
	case e.at == beforeValue && c == '"':
		return atFirst
	}
	return outside
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
