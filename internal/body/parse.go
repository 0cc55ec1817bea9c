package body

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The parser is our own because Python's takes what encoding/json does not (NaN and Infinity), and because encoding/json hides
// what must be seen: it silently replaces unpaired surrogates. Its values are string, number, bool, nil, []any and
// map[string]any, and the two marks below.

// number is a JSON number as it was written.
type number = json.Number

// notANumber is NaN, Infinity or -Infinity.
type notANumber struct{}

// brokenText is a string with an unpaired surrogate, which no UTF-8 can hold.
type brokenText struct{}

func isBrokenText(value any) bool { _, broken := value.(brokenText); return broken }

// maxDepth is about what Python's recursion limit allows.
const maxDepth = 900

type reader struct {
	text  string
	at    int
	depth int
}

// parse reads exactly one value with blanks around it.
func parse(text string) (any, error) {
	r := &reader{text: text}
	value, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.blanks(); r.at < len(text) {
		return nil, r.fail("nothing may follow the value")
	}
	return value, nil
}

func (r *reader) fail(reason string) error {
	return problem.Fields(problem.Field{
		Type: "json_invalid", Loc: []any{"body", r.at}, Msg: "JSON decode error",
		Input: struct{}{}, Ctx: map[string]any{"error": reason},
	})
}

func (r *reader) blanks() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// take steps over one byte after blanks, when it is the next.
func (r *reader) take(b byte) bool {
	r.blanks()
	if r.at < len(r.text) && r.text[r.at] == b {
		r.at++
		return true
	}
	return false
}

func (r *reader) value() (any, error) {
	if r.depth++; r.depth > maxDepth {
		return nil, unreadable()
	}
	defer func() { r.depth-- }()
	switch {
	case r.take('{'):
		return r.object()
	case r.take('['):
		return r.list()
	case r.take('"'):
		return r.string()
	}
	return r.scalar()
}

func (r *reader) object() (any, error) {
	values := map[string]any{}
	if r.take('}') {
		return values, nil
	}
	for {
		if err := r.member(values); err != nil {
			return nil, err
		}
		if r.take('}') {
			return values, nil
		}
		if !r.take(',') {
			return nil, r.fail("a comma or } is missing")
		}
	}
}

func (r *reader) member(into map[string]any) error {
	if !r.take('"') {
		return r.fail("a name in double quotes is missing")
	}
	name, err := r.string()
	if err != nil {
		return err
	}
	if !r.take(':') {
		return r.fail("a colon is missing")
	}
	value, err := r.value()
	if text, ok := name.(string); ok && err == nil { // a broken name is no name that anybody asks for
		into[text] = value
	}
	return err
}

func (r *reader) list() (any, error) {
	values := []any{}
	if r.take(']') {
		return values, nil
	}
	for {
		value, err := r.value()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		if r.take(']') {
			return values, nil
		}
		if !r.take(',') {
			return nil, r.fail("a comma or ] is missing")
		}
	}
}

func (r *reader) scalar() (any, error) {
	for word, value := range words {
		if strings.HasPrefix(r.text[r.at:], word) {
			r.at += len(word)
			return value, nil
		}
	}
	return r.number()
}

var words = map[string]any{
	"true": true, "false": false, "null": nil, "NaN": notANumber{}, "Infinity": notANumber{}, "-Infinity": notANumber{},
}

func (r *reader) number() (any, error) {
	start, at := r.at, r.at
	if at < len(r.text) && r.text[at] == '-' {
		at++
	}
	whole := r.digits(at)
	if whole == at {
		return nil, r.fail("a value is missing")
	}
	if r.text[at] == '0' {
		whole = at + 1 // what follows a leading zero is not part of the number
	}
	r.at = r.exponent(r.fraction(whole))
	return number(r.text[start:r.at]), nil
}

func (r *reader) digits(at int) int {
	for at < len(r.text) && r.text[at] >= '0' && r.text[at] <= '9' {
		at++
	}
	return at
}

func (r *reader) fraction(at int) int {
	if at < len(r.text) && r.text[at] == '.' {
		if end := r.digits(at + 1); end > at+1 {
			return end
		}
	}
	return at
}

func (r *reader) exponent(at int) int {
	if at >= len(r.text) || r.text[at]|0x20 != 'e' {
		return at
	}
	from := at + 1
	if from < len(r.text) && (r.text[from] == '+' || r.text[from] == '-') {
		from++
	}
	if end := r.digits(from); end > from {
		return end
	}
	return at
}

// string reads what follows the opening quote.
func (r *reader) string() (any, error) {
	var out strings.Builder
	start, broken := r.at-1, false
	for {
		n := strings.IndexFunc(r.text[r.at:], func(c rune) bool { return c == '"' || c == '\\' || c < 0x20 })
		if n < 0 || r.at+n+1 == len(r.text) && r.text[r.at+n] == '\\' {
			r.at = start
			return nil, r.fail("a string has no end")
		}
		out.WriteString(r.text[r.at : r.at+n])
		r.at += n
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			if broken {
				return brokenText{}, nil
			}
			return out.String(), nil
		case c != '\\':
			return nil, r.fail("a control character must be escaped")
		}
		char, err := r.escape()
		if err != nil {
			return nil, err
		}
		broken = broken || utf16.IsSurrogate(char)
		out.WriteRune(char)
	}
}

// escape reads one escape sequence, two for a pair of surrogates; an unpaired surrogate is returned as it is. A byte follows the
// backslash: string has looked.
func (r *reader) escape() (rune, error) {
	if char, ok := escapes[r.text[r.at+1]]; ok {
		r.at += 2
		return char, nil
	}
	char, ok := r.unicode(r.at)
	if !ok {
		return 0, r.fail("an escape is not known")
	}
	r.at += 6
	if low, ok := r.unicode(r.at); ok && utf16.DecodeRune(char, low) != utf8.RuneError {
		r.at += 6
		return utf16.DecodeRune(char, low), nil
	}
	return char, nil
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unicode reads \uXXXX at a position, without moving.
func (r *reader) unicode(at int) (rune, bool) {
	if at+6 > len(r.text) || r.text[at] != '\\' || r.text[at+1] != 'u' {
		return 0, false
	}
	code, err := strconv.ParseUint(r.text[at+2:at+6], 16, 16)
	return rune(code), err == nil
}
