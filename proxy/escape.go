package proxy

import "strings"

// plain are the bytes that stand for themselves in a path: RFC 3986's pchar without the semicolon, which some routers cut at.
var plain = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")

// unreserved are the bytes that must not be escaped, so that a path has one spelling.
var unreserved = bytesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

// bytesOf makes a set.
func bytesOf(s string) (set [256]bool) {
	for i := range len(s) {
		set[s[i]] = true
	}
	return set
}

type escapeKind int

const (
	refused  escapeKind = iota
	taken               // may stand anywhere
	nameOnly            // may stand in the name of a file only
)

// readEscape judges the escape that s begins with. Lower-case hex is refused: it would be a second spelling.
func readEscape(s string) (byte, escapeKind) {
	if len(s) < 3 {
		return 0, refused
	}
	hi, lo := strings.IndexByte("0123456789ABCDEF", s[1]), strings.IndexByte("0123456789ABCDEF", s[2])
	if hi < 0 || lo < 0 {
		return 0, refused
	}
	c := byte(hi<<4 | lo)
	switch {
	case c < ' ' || c == 0x7f || c == '/' || c == '\\' || unreserved[c]:
		return c, refused
	case c == '#' || c == ';':
		return c, nameOnly
	}
	return c, taken
}
