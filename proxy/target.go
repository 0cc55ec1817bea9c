package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The bounds of a target.
const (
	maxTarget     = 32 << 10
	maxParameters = 10_000
)

// Target is the request target, parsed once. There is exactly one spelling for every path, so that comparing bytes is
// comparing paths: it begins with a slash, has no empty and no dot segment, escapes only what must or may be escaped, and
// writes escapes in upper case.
type Target struct {
	Path     string // escaped, as it came
	RawQuery string // as it came; it parses

	query    url.Values
	fileName int // where the path has its first %23 or %3B, which only the tail of a file route may hold; -1 when nowhere
}

// ParseTarget reads the request target as it stands in the request line. What is not canonical is a problem 400.
func ParseTarget(requestURI string) (Target, error) {
	t, err := parseTarget(requestURI)
	if err == nil && t.fileName >= 0 {
		return Target{}, notCanonical
	}
	return t, err
}

var notCanonical = problem.New(http.StatusBadRequest, "The path is not in its canonical form: send it without dot segments, "+
	"doubled slashes, needless escapes, and with what must be escaped in upper-case hex.")

var badQuery = problem.New(http.StatusBadRequest, "The query does not parse: escape each name and value, join them by &, and send at most 10000.")

// parseTarget leaves it to the caller to refuse %23 and %3B where no file name may stand.
func parseTarget(requestURI string) (Target, error) {
	if len(requestURI) > maxTarget {
		return Target{}, problem.New(http.StatusRequestURITooLong, "The request target is longer than 32 KiB: shorten the query.")
	}
	path, query, _ := strings.Cut(requestURI, "?")
	fileName, ok := checkPath(path)
	if !ok {
		return Target{}, notCanonical
	}
	values, ok := parseQuery(query)
	if !ok {
		return Target{}, badQuery
	}
	return Target{Path: path, RawQuery: query, query: values, fileName: fileName}, nil
}

// checkPath says whether the escaped path is canonical, and where its first %23 or %3B stands.
func checkPath(path string) (fileName int, ok bool) {
	fileName = -1
	if path == "" || path[0] != '/' {
		return fileName, false
	}
	segment := 1 // where the current segment begins
	escaped := false
	for i := 1; i < len(path); i++ {
		switch c := path[i]; {
		case c == '/':
			if !segmentOK(path[segment:i]) {
				return fileName, false
			}
			segment = i + 1
		case c == '%':
			escape, kind := readEscape(path[i:])
			if kind == refused {
				return fileName, false
			}
			if kind == nameOnly && fileName < 0 {
				fileName = i
			}
			escaped = escaped || escape >= utf8.RuneSelf
			i += 2
		case !plain[c]:
			return fileName, false
		}
	}
	last := path[segment:]
	return fileName, (last == "" || segmentOK(last)) && (!escaped || validUTF8(path))
}

// segmentOK refuses the empty segment and dot segments. (Escaped dots are refused as needless escapes.)
func segmentOK(s string) bool { return s != "" && s != "." && s != ".." }

func validUTF8(path string) bool {
	s, err := url.PathUnescape(path)
	return err == nil && utf8.ValidString(s)
}

// parseQuery refuses what two parsers might read differently. Fragments, semicolons between parameters, NUL and raw bytes
// outside printable ASCII are such things.
func parseQuery(raw string) (url.Values, bool) {
	if raw == "" {
		return nil, true
	}
	if strings.Count(raw, "&") >= maxParameters || strings.Contains(raw, "%00") {
		return nil, false
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || c == '#' || c == '\\' {
			return nil, false
		}
	}
	values, err := url.ParseQuery(raw)
	return values, err == nil
}
