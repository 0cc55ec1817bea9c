package proxy_test

import (
	"bytes"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/proxy"
)

const file = "/api/items/file"

// shelf is an upstream that gives ranges of one text by itself, as the real one does.
func shelf(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"e1"`)
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("Content-Disposition", "attachment")
		r.Header.Del("If-None-Match") // which the real one does not know
		r.Header.Del("If-Modified-Since")
		http.ServeContent(w, r, "", time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), strings.NewReader(text))
	}
}

// withRanges serves an item as a file.
func withRanges(c *proxy.Config) {
	for i := range c.Operations {
		if strings.HasPrefix(c.Operations[i].Path, "/api/items/") {
			c.Operations[i].Handle = func(x *proxy.Exchange) error { return x.Forward(proxy.Outgoing{Ranges: true}) }
		}
	}
}

func TestOneRangeIsServedOutOfTheWholeFile(t *testing.T) {
	t.Parallel()
	s := newStand(t, shelf("0123456789"), withRanges)
	for asked, want := range map[string]struct {
		status int
		body   string
		is     string
	}{
		"bytes=0-3":                       {206, "0123", "bytes 0-3/10"},
		"bytes=3-3":                       {206, "3", "bytes 3-3/10"},
		"bytes=8-":                        {206, "89", "bytes 8-9/10"},
		"bytes=8-99999999999999999999999": {206, "89", "bytes 8-9/10"},
		"bytes=-2":                        {206, "89", "bytes 8-9/10"},
		"bytes=-99":                       {206, "0123456789", "bytes 0-9/10"},
		"Bytes= 0-3 ":                     {206, "0123", "bytes 0-3/10"},
		"bytes=10-":                       {416, "ask for one within its length", "bytes */10"},
		"bytes=99999999999999999999-99999999999999999999": {416, "ask for one within its length", "bytes */10"},
		"bytes=-0":      {416, "ask for one within its length", "bytes */10"},
		"bytes=0-1,3-4": {200, "0123456789", ""},
		"bytes=4-3":     {200, "0123456789", ""},
		"bytes=-":       {200, "0123456789", ""},
		"bytes=+1-3":    {200, "0123456789", ""},
		"bytes=0x1-3":   {200, "0123456789", ""},
		"bytes":         {200, "0123456789", ""},
		"lines=0-3":     {200, "0123456789", ""},
		"":              {200, "0123456789", ""},
	} {
		a := s.ask(t, "GET", file, "dev", header("Range", asked))
		if a.StatusCode != want.status || !strings.Contains(a.body, want.body) || a.Header.Get("Content-Range") != want.is ||
			a.Header.Get("Accept-Ranges") != "bytes" || a.ContentLength != int64(len(a.body)) || want.status < 400 && a.body != want.body {
			t.Errorf("%q: %d %q, headers %v; want %+v", asked, a.StatusCode, a.body, a.Header, want)
		}
	}
	if a := s.ask(t, "GET", file, "dev", header("Range", "bytes=0-1"), header("Range", "bytes=2-3")); a.StatusCode != 200 {
		t.Errorf("two headers: %d %s", a.StatusCode, a.body)
	}
	if a := s.ask(t, "GET", file, "dev", header("Range", "bytes=99-")); a.Header.Get("Content-Type") != "application/json" || a.Header.Get("Etag") != "" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the refusal looks like the file: %v", a.Header)
	}
	empty := newStand(t, shelf(""), withRanges)
	if a := empty.ask(t, "GET", file, "dev", header("Range", "bytes=0-9")); a.StatusCode != 200 || a.body != "" {
		t.Errorf("an empty file: %d %q", a.StatusCode, a.body)
	}
}

func TestRangesAreOfferedWhereAHandlerSaysSoAlone(t *testing.T) {
	t.Parallel()
	s := newStand(t, shelf("0123456789"), nil)
	if a := s.ask(t, "GET", file, "dev", header("Range", "bytes=0-3"), header("If-None-Match", `"e1"`)); a.StatusCode != 200 || a.Header.Get("Accept-Ranges") != "" {
		t.Errorf("%d %q %v", a.StatusCode, a.body, a.Header)
	}
	failing := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(404)
		_, _ = io.WriteString(w, "no such file")
	}, withRanges)
	if a := failing.ask(t, "GET", file, "dev", header("Range", "bytes=0-3")); a.StatusCode != 404 || a.body != "no such file" {
		t.Errorf("a missing file: %d %q", a.StatusCode, a.body)
	}
	unsized := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "some")
		_ = http.NewResponseController(w).Flush()
	}, withRanges)
	if a := unsized.ask(t, "GET", file, "dev", header("Range", "bytes=0-1")); a.StatusCode != 200 || a.body != "some" || a.Header.Get("Accept-Ranges") != "" {
		t.Errorf("a length that is not known: %d %q", a.StatusCode, a.body)
	}
}

func TestAKeyThatIsFetchedInHalvesStaysMasked(t *testing.T) {
	t.Parallel()
	before := strings.Repeat("x", 100<<10)
	s := newStand(t, shelf(before+key+"end"), withRanges)
	want := before + strings.Repeat("*", len(key)) + "end"
	for cut := len(before); cut <= len(before)+len(key); cut++ {
		first := s.ask(t, "GET", file, "dev", header("Range", "bytes=0-"+decimal(cut-1)))
		second := s.ask(t, "GET", file, "dev", header("Range", "bytes="+decimal(cut)+"-"))
		if first.StatusCode != 206 || second.StatusCode != 206 || first.body+second.body != want {
			t.Fatalf("cut at %d: %d and %d, %q", cut, first.StatusCode, second.StatusCode, strings.TrimLeft(first.body+second.body, "x"))
		}
	}
	single := ""
	for at := range len(key) {
		from := decimal(len(before) + at)
		single += s.ask(t, "GET", file, "dev", header("Range", "bytes="+from+"-"+from)).body
	}
	if single != strings.Repeat("*", len(key)) {
		t.Errorf("byte by byte it is %q", single)
	}
}

func TestARangeIsGivenOfTheFileThatTheClientKnows(t *testing.T) {
	t.Parallel()
	s := newStand(t, shelf("0123456789"), withRanges)
	for condition, status := range map[string]int{
		`"e1"`: 206, `"e2"`: 200, `W/"e1"`: 200, "": 200, "e1": 200,
		"Fri, 02 Jan 2026 03:04:05 GMT": 206, "Fri, 02 Jan 2026 03:04:06 GMT": 200,
	} {
		if a := s.ask(t, "GET", file, "dev", header("Range", "bytes=0-3"), header("If-Range", condition)); a.StatusCode != status {
			t.Errorf("If-Range %s: %d, want %d", condition, a.StatusCode, status)
		}
	}
}

func TestAFileThatTheClientHasIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, shelf("0123456789"), withRanges)
	for _, c := range []struct {
		name, value string
		status      int
	}{
		{"If-None-Match", `"e1"`, 304}, {"If-None-Match", `W/"e1"`, 304}, {"If-None-Match", `"e0", "e1"`, 304}, {"If-None-Match", "*", 304},
		{"If-None-Match", `"e2"`, 200}, {"If-None-Match", "", 200}, {"If-None-Match", "e1", 200},
		{"If-Modified-Since", "Fri, 02 Jan 2026 03:04:05 GMT", 304}, {"If-Modified-Since", "Fri, 02 Jan 2026 03:04:04 GMT", 200},
		{"If-Modified-Since", "yesterday", 200},
	} {
		a := s.ask(t, "GET", file, "dev", header(c.name, c.value))
		if a.StatusCode != c.status || c.status == 304 && (a.body != "" || a.Header.Get("Etag") != `"e1"` || a.Header.Get("Cache-Control") != "private, no-cache") {
			t.Errorf("%s %s: %d %q %v, want %d", c.name, c.value, a.StatusCode, a.body, a.Header, c.status)
		}
	}
	a := s.ask(t, "GET", file, "dev", header("If-None-Match", `"e2"`), header("If-Modified-Since", "Fri, 02 Jan 2026 03:04:05 GMT"))
	if a.StatusCode != 200 {
		t.Errorf("the tag must count alone: %d", a.StatusCode)
	}
	if a := s.ask(t, "GET", file, "", header("If-None-Match", "*")); a.StatusCode != 401 {
		t.Errorf("a stranger: %d", a.StatusCode)
	}
}

func TestAFileThatEndsEarlyBreaksOffItsRange(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, strings.Repeat("x", 50))
	}, withRanges)
	for _, asked := range []string{"bytes=40-60", "bytes=60-70"} {
		r, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+file, nil)
		r.Header.Set("Authorization", "Bearer dev")
		r.Header.Set("Range", asked)
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			continue
		}
		if body, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("%s came to a good end: %q", asked, body)
		}
		_ = res.Body.Close()
	}
}

// TestARangeOfALargeFileTakesNoMemory runs alone: memory is the whole process'.
func TestARangeOfALargeFileTakesNoMemory(t *testing.T) {
	const size = 64 << 20
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", decimal(size))
		for range size / len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}, withRanges)
	grown := allocated(func() {
		if a := s.ask(t, "GET", file, "dev", header("Range", "bytes=-20")); a.body != "cdef0123456789abcdef" {
			t.Errorf("%d %q", a.StatusCode, a.body)
		}
	})
	if grown > 8<<20 {
		t.Errorf("%d bytes were allocated for 20 of %d", grown, size)
	}
}

func decimal(n int) string { return strconv.Itoa(n) }

// allocated is how much f took, all together.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
