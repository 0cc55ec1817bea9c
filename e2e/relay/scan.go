package relay

import (
	"bytes"
	"slices"
)

// longestWord is how much of a word is waited for before it is judged.
const longestWord = 1 << 10

// scanner looks at what one connection delivers. It keeps as many bytes as a secret, or a word, may have begun with.
type scanner struct {
	relay   *Relay
	plain   plain
	longest int
	window  []byte
}

func (r *Relay) scan() *scanner {
	s := &scanner{relay: r}
	for _, secret := range r.needles {
		s.longest = max(s.longest, len(secret))
	}
	for _, w := range r.words {
		s.longest = max(s.longest, len(w.Begins))
	}
	s.plain.to = s.look
	return s
}

// Write looks at more bytes of the connection.
func (s *scanner) Write(p []byte) (int, error) {
	s.relay.bytes.Add(int64(len(p)))
	s.plain.take(p)
	return len(p), nil
}

// end looks at what was waited with.
func (s *scanner) end() {
	s.plain.end()
	s.words(true)
}

func (s *scanner) look(p []byte) {
	s.window = append(s.window, p...)
	for name, secret := range s.relay.needles {
		for {
			i := bytes.Index(s.window, secret)
			if i < 0 {
				break
			}
			s.report(name, i, len(secret))
		}
	}
	keep := min(s.words(false), max(0, len(s.window)-max(0, s.longest-1)))
	s.window = slices.Clone(s.window[keep:])
}

// report tells of a find and blanks it, so that it is told of once.
func (s *scanner) report(name string, at, length int) {
	s.relay.found(name, s.window[max(0, at-200):at])
	clear(s.window[at : at+length])
}

// words judges the words in the window, and returns where the first begins whose end did not come yet.
func (s *scanner) words(end bool) int {
	waiting := len(s.window)
	for _, w := range s.relay.words {
		for from := 0; ; {
			i := bytes.Index(s.window[from:], []byte(w.Begins))
			if i < 0 {
				break
			}
			at, after := from+i, from+i+len(w.Begins)
			length := bytes.IndexFunc(s.window[after:], endsWord)
			if length < 0 {
				length = len(s.window) - after
				if !end && length < longestWord {
					waiting = min(waiting, at)
					break
				}
			}
			if rest := string(s.window[after : after+length]); !w.Harmless(rest) {
				s.relay.found(w.Name, slices.Concat(s.window[max(0, at-200):after], []byte(rest)))
			}
			clear(s.window[at:after])
			from = after
		}
	}
	return waiting
}

// endsWord says of a byte that it stands in no path.
func endsWord(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return r != '/' && r != '.' && r != '_' && r != '-'
}
