package proxy

import (
	"bytes"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/guard"
)

// leastSecret is the length below which masking would hit innocent text.
const leastSecret = 8

// masker replaces secrets by an equal number of asterisks, so that lengths stay true. All occurrences are found, overlapping
// ones included.
type masker struct {
	secrets []secret
	longest int
}

// secret is searched for by the one of its bytes that is seldom met in what passes, which spares most of the comparing.
type secret struct {
	text   []byte
	same   string // text again, for what is a string: a conversion for each would be seen on the pass path
	seldom int    // where that byte stands
}

func newMasker(texts []string) *masker {
	m := &masker{}
	for _, s := range texts {
		if guard.Stands(guard.Masking) && len(s) >= leastSecret && !m.knows(s) {
			m.secrets = append(m.secrets, newSecret(s))
			m.longest = max(m.longest, len(s))
		}
	}
	return m
}

func newSecret(s string) secret {
	at := 0
	for i := range len(s) {
		if commonness(s[i]) < commonness(s[at]) {
			at = i
		}
	}
	return secret{text: []byte(s), same: s, seldom: at}
}

// commonness ranks bytes by how often they stand in JSON that is mostly English, names and hex.
func commonness(c byte) int {
	for rank, class := range []string{"QXZJKVWY", "ABCDEFGHILMNOPRSTU", "qxzjkvw+=~!#$%&*@^?|;", "9876543210-_./:"} {
		if strings.IndexByte(class, c) >= 0 {
			return rank
		}
	}
	return 9
}

func (m *masker) knows(text string) bool {
	return slices.ContainsFunc(m.secrets, func(s secret) bool { return s.same == text })
}

// text masks a string, and returns it as it is when there is nothing to mask.
func (m *masker) text(s string) string {
	for i := range m.secrets {
		if strings.Contains(s, m.secrets[i].same) {
			b := []byte(s)
			m.whole(b)
			return string(b)
		}
	}
	return s
}

// whole masks b in place.
func (m *masker) whole(b []byte) { blank(b, m.find(b)) }

type span struct{ from, to int }

// find returns where secrets stand. Nothing is masked before all were found, or one would hide another that it overlaps.
func (m *masker) find(b []byte) []span {
	var found []span
	for i := range m.secrets {
		found = m.secrets[i].find(b, found)
	}
	return found
}

func (s *secret) find(b []byte, found []span) []span {
	for at := s.seldom; at < len(b); at++ {
		i := bytes.IndexByte(b[at:], s.text[s.seldom])
		if i < 0 {
			break
		}
		at += i
		if from := at - s.seldom; bytes.HasPrefix(b[from:], s.text) {
			found = append(found, span{from, from + len(s.text)})
		}
	}
	return found
}

func blank(b []byte, spans []span) {
	for _, s := range spans {
		for i := s.from; i < s.to; i++ {
			b[i] = '*'
		}
	}
}

// begun returns the length of the longest suffix of b that could be the beginning of a secret.
func (m *masker) begun(b []byte) int {
	for i := max(0, len(b)-m.longest+1); i < len(b); i++ {
		rest := b[i:]
		for j := range m.secrets {
			s := m.secrets[j].text
			if len(rest) < len(s) && rest[0] == s[0] && bytes.HasPrefix(s, rest) {
				return len(rest)
			}
		}
	}
	return 0
}

// masking is a stream in the course of being masked. It keeps the end of what it has seen, unmasked, where that could begin
// a secret.
type masking struct {
	*masker
	kept []byte // never longer than the longest secret
	sent int    // how many bytes of kept went out already, masked
}

// room is how many bytes must be free in front of the next chunk.
func (m *masking) room() int { return len(m.kept) }

// next masks window[room:], with room bytes free at its start, and returns the part of window that may go out now. At the
// end of the stream, or of a message, everything goes out.
func (m *masking) next(window []byte, end bool) []byte {
	copy(window, m.kept)
	keep := 0
	if !end {
		keep = m.begun(window)
	}
	spans := m.find(window)
	held, sent := len(window)-keep, m.sent
	m.kept = append(m.kept[:0], window[held:]...)
	out := settled(max(held, sent), spans)
	m.sent = max(out-held, 0)
	blank(window, spans)
	return window[sent:out]
}

// settled returns how far, from held on, the bytes are part of a whole secret already and so need not wait.
func settled(held int, spans []span) int {
	for moved := true; moved; {
		moved = false
		for _, s := range spans {
			if s.from <= held && s.to > held {
				held, moved = s.to, true
			}
		}
	}
	return held
}
