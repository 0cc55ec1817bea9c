package proxy_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/proxy"
)

var stars = strings.Repeat("*", len(key))

func TestAKeyIsMaskedHoweverTheStreamIsCut(t *testing.T) {
	t.Parallel()
	text := "before " + key + key + " half " + key[:20] + " after " + key[:5] + key + key[:len(key)-1]
	want := strings.ReplaceAll(text, key, stars)
	for cut := range len(text) {
		m := proxy.NewMasking(key)
		got := m.Next([]byte(text[:cut]), false)
		if strings.Contains(got, key[:12]) && !strings.HasPrefix(want, got) {
			t.Fatalf("cut at %d: %q went out early", cut, got)
		}
		if got += m.Next([]byte(text[cut:]), true); got != want {
			t.Fatalf("cut at %d: got %q", cut, got)
		}
	}
	m, got := proxy.NewMasking(key), ""
	for i := range len(text) {
		got += m.Next([]byte{text[i]}, i == len(text)-1)
	}
	if got != want {
		t.Errorf("byte by byte: got %q", got)
	}
}

func TestOnlyWhatCouldBeginAKeyIsHeldBack(t *testing.T) {
	t.Parallel()
	m := proxy.NewMasking(key)
	for _, c := range []struct{ in, out string }{
		{"hello ", "hello "}, {"up", ""}, {"on", "upon"}, {"x" + key[:30], "x"}, {key[30:], stars}, {"\n", "\n"}, {key[:3], ""},
	} {
		if got := m.Next([]byte(c.in), false); got != c.out {
			t.Errorf("%q: got %q, want %q", c.in, got, c.out)
		}
	}
	if got := m.Next(nil, true); got != key[:3] {
		t.Errorf("at the end: got %q", got)
	}
}

func TestSecretsThatOverlapAreAllMasked(t *testing.T) {
	t.Parallel()
	long, short := "abcdefghijklmnop", "efghijkl"
	text := "abcdefghijklmnop efghijkl abcdefghijklefghijkl abcabcdefghijklmno"
	for seed := range uint64(300) {
		m := proxy.NewMasking(long, short)
		if got := pieces(m, text, rand.New(rand.NewPCG(seed, 1))); got != proxy.NewMasking(long, short).Mask(text) {
			t.Fatalf("got %q", got)
		}
	}
	if got := proxy.NewMasking(long, short).Mask(text); got != "**************** ******** abcd**************** abcabcd********mno" {
		t.Errorf("got %q", got)
	}
}

func pieces(m *proxy.Masking, text string, r *rand.Rand) string {
	var b strings.Builder
	for len(text) > 0 {
		n := 1 + r.IntN(min(len(text), 12))
		b.WriteString(m.Next([]byte(text[:n]), false))
		text = text[n:]
	}
	b.WriteString(m.Next(nil, true))
	return b.String()
}

// FuzzMask: whatever the split, the output is the one of the whole, of the same length and without the key.
func FuzzMask(f *testing.F) {
	f.Add("x"+key+"y", key, uint64(1))
	f.Add("aaaaaaaaaaaaaaaaaaaa", "aaaaaaaa", uint64(2))
	f.Add("abcabcabcabcabcabc", "abcabcabc", uint64(3))
	f.Fuzz(func(t *testing.T, text, secret string, seed uint64) {
		if len(secret) < 8 || len(secret) > 200 || strings.Contains(secret, "*") {
			return
		}
		text += secret + text
		got := pieces(proxy.NewMasking(secret, key), text, rand.New(rand.NewPCG(seed, 7)))
		if len(got) != len(text) || strings.Contains(got, secret) {
			t.Fatalf("%q with %q: got %q", text, secret, got)
		}
		if whole := proxy.NewMasking(secret, key).Mask(text); got != whole {
			t.Fatalf("%q: in pieces %q, whole %q", text, got, whole)
		}
		if strings.Count(text, secret) == overlapping(text, secret) && !strings.Contains(text, key) && got != strings.ReplaceAll(text, secret, strings.Repeat("*", len(secret))) {
			t.Fatalf("%q: got %q", text, got)
		}
	})
}

func overlapping(text, secret string) (n int) {
	for i := range len(text) {
		if strings.HasPrefix(text[i:], secret) {
			n++
		}
	}
	return n
}

func TestBodiesAreMaskedInTheStreamAndKeepTheirLength(t *testing.T) {
	t.Parallel()
	second := "anotherSecretOfTheUpstream"
	text := strings.Repeat("y", 32<<10-10) + key + strings.Repeat("z", 70_000) + second + key[:9]
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprint("length ", length), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, func(w http.ResponseWriter, _ *http.Request) {
				if length {
					w.Header().Set("Content-Length", fmt.Sprint(len(text)))
				}
				for i := 0; i < len(text); i += 7001 {
					_, _ = io.WriteString(w, text[i:min(i+7001, len(text))])
					w.(http.Flusher).Flush()
				}
			}, func(c *proxy.Config) { c.Secrets = []string{second} })
			a := s.ask(t, "GET", "/api/models", "dev")
			want := strings.ReplaceAll(strings.ReplaceAll(text, key, stars), second, strings.Repeat("*", len(second)))
			if a.body != want {
				t.Errorf("got %d bytes, want %d; key inside: %v", len(a.body), len(want), strings.Contains(a.body, key))
			}
			if length && a.ContentLength != int64(len(text)) {
				t.Errorf("Content-Length is %d", a.ContentLength)
			}
		})
	}
}

func TestASecretThatIsTooShortToMaskIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for _, c := range []proxy.Config{{Key: "short"}, {Key: key, Secrets: []string{"1234567"}}, {}} {
		c.Upstream, c.Gate, c.Objects, c.Events = mustURL("http://127.0.0.1:1"), w, w, w
		if _, err := proxy.New(c); err == nil || strings.Contains(err.Error(), "1234567") {
			t.Errorf("got %v", err)
		}
	}
}
