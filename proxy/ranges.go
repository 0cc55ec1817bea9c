package proxy

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Ranges are cut here, out of the upstream's whole answer after it was masked from its beginning: a range of the upstream's would
// begin or end within a key, which could not be recognised then. Masking keeps lengths, so offsets are the same. What lies before
// the range is read and thrown away, which costs time and no memory.

// narrow answers what the client asked for under conditions: nothing, where it has the file already, or one range of it. Several
// ranges at once, and what is no range, get the whole.
func narrow(asked http.Header, res *http.Response) {
	if res.Request.Method != http.MethodGet || res.StatusCode != http.StatusOK {
		return
	}
	if kept(asked, res.Header) {
		replaceBody(res, http.StatusNotModified, nil)
		return
	}
	if res.ContentLength < 0 {
		return
	}
	res.Header.Set("Accept-Ranges", "bytes")
	if !unchanged(asked, res.Header) {
		return
	}
	size := res.ContentLength
	switch s, verdict := readRange(asked["Range"], size); verdict {
	case rangeBeyond:
		refuseRange(res, size)
	case rangeGood:
		res.Body = &section{ReadCloser: res.Body, skip: s.from, left: s.to - s.from}
		res.StatusCode, res.ContentLength = http.StatusPartialContent, s.to-s.from
		res.Header.Set("Content-Range", "bytes "+decimal(s.from)+"-"+decimal(s.to-1)+"/"+decimal(size))
		res.Header.Set("Content-Length", decimal(res.ContentLength))
	}
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// kept says whether the client has what the upstream would send, by If-None-Match or else by If-Modified-Since.
func kept(asked, h http.Header) bool {
	if values := asked["If-None-Match"]; len(values) > 0 {
		return namesTag(strings.Join(values, ","), h.Get("Etag"))
	}
	since, errSince := http.ParseTime(asked.Get("If-Modified-Since"))
	changed, errChanged := http.ParseTime(h.Get("Last-Modified"))
	return errSince == nil && errChanged == nil && !changed.After(since)
}

func namesTag(list, tag string) bool {
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if name == "*" || tag != "" && strings.TrimPrefix(name, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// unchanged says whether a range may be given: the file must be the one that If-Range names, where it names one.
func unchanged(asked, h http.Header) bool {
	values := asked["If-Range"]
	switch {
	case len(values) == 0:
		return true
	case len(values) > 1 || values[0] == "" || strings.HasPrefix(values[0], "W/"):
		return false
	case strings.HasPrefix(values[0], `"`):
		return values[0] == h.Get("Etag")
	}
	return values[0] == h.Get("Last-Modified")
}

// stretch is the bytes from one offset up to another.
type stretch struct{ from, to int64 }

type rangeVerdict int

const (
	rangeNone   rangeVerdict = iota // nothing that we serve: the whole goes out
	rangeBeyond                     // it lies behind the end
	rangeGood
)

// readRange reads a Range header for a file of some size. An empty file has no ranges, and is given whole.
func readRange(values []string, size int64) (stretch, rangeVerdict) {
	if len(values) != 1 || size == 0 {
		return stretch{}, rangeNone
	}
	unit, text, _ := strings.Cut(values[0], "=")
	first, last, dashed := strings.Cut(strings.TrimSpace(text), "-")
	from, hasFrom := offset(first)
	to, hasTo := offset(last)
	switch {
	case !strings.EqualFold(strings.TrimSpace(unit), "bytes") || !dashed,
		first != "" && !hasFrom, last != "" && !hasTo, !hasFrom && !hasTo, hasFrom && hasTo && to < from:
		return stretch{}, rangeNone
	case !hasFrom && to == 0, hasFrom && from >= size:
		return stretch{}, rangeBeyond
	case !hasFrom:
		return stretch{size - min(to, size), size}, rangeGood
	case !hasTo:
		return stretch{from, size}, rangeGood
	}
	return stretch{from, min(to, size-1) + 1}, rangeGood
}

// offset reads digits; what is too large for a number is as good as the largest.
func offset(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		n = math.MaxInt64
	}
	return n, true
}

var errRange = problem.New(http.StatusRequestedRangeNotSatisfiable, "The file has no bytes in this range: ask for one within its length.")

func refuseRange(res *http.Response, size int64) {
	for _, name := range []string{"Etag", "Last-Modified", "Content-Disposition"} {
		res.Header.Del(name)
	}
	replaceBody(res, http.StatusRequestedRangeNotSatisfiable, problem.Body(errRange))
	res.Header.Set("Content-Range", "bytes */"+decimal(size))
	res.Header.Set("Content-Type", "application/json")
	res.Header.Set("Cache-Control", "no-store")
}

// replaceBody answers with another body, or with none.
func replaceBody(res *http.Response, status int, body []byte) {
	_ = res.Body.Close()
	res.StatusCode, res.Body, res.ContentLength = status, http.NoBody, 0
	res.Header.Del("Content-Length")
	res.Header.Del("Content-Type")
	if body != nil {
		res.Body, res.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
		res.Header.Set("Content-Length", decimal(res.ContentLength))
	}
}

// section is a part of a body.
type section struct {
	io.ReadCloser
	skip, left int64
}

// Read implements io.Reader. A body that is shorter than it promised breaks off.
func (s *section) Read(p []byte) (int, error) {
	if s.skip > 0 {
		n, err := io.CopyN(io.Discard, s.ReadCloser, s.skip)
		if s.skip -= n; err != nil {
			return 0, early(err)
		}
	}
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.ReadCloser.Read(p[:min(int64(len(p)), s.left)])
	if s.left -= int64(n); s.left > 0 {
		err = early(err)
	}
	return n, err
}

func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
