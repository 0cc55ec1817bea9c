package device

import "unicode"

// plain drops what could make a name read as another, such as marks that turn the direction of writing.
func plain(r rune) rune {
	switch {
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsPrint(r), unicode.Is(unicode.Bidi_Control, r):
		return -1
	}
	return r
}
