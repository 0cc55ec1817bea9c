package proxy_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestATargetThatIsNotCanonicalIsRefused(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"", "api", "*", "http://host/api", "//host/api", "host:443", "/api//x", "/api/./x", "/api/../x", "/..", "/api/.",
		"/api/%2e%2e/x", "/api/%2E/x", "/api%2fx", "/api%2Fx", "/api%5cx", "/api%5Cx", `/api\x`, "/api%00", "/a%0a", "/a%7F",
		"/api#x", "/api%23x", "/api;x", "/api%3Bx", "/api%3bx", "/%61pi", "/api/%73earch", "/a%7E", "/a%2Dx", "/a%e4%b8%ad",
		"/a%", "/a%4", "/a%zz", "/a%C3", "/a%FF", "/api/ä", "/a b", "/a\tb", "/a\x00", "/a|b", "/a^b", "/a<b", "/a\"b", "/a[b",
		"/api?a=1;b=2", "/api?a=%zz", "/api?a=%", "/api?a#b", "/api?a=ä", "/api?a=\x01", "/api?a b", "/api?a=%00", `/api?a=\`,
		"/api?" + strings.Repeat("a&", 10_000),
	} {
		_, err := proxy.ParseTarget(target)
		if problem.Of(err).Status != http.StatusBadRequest || err == nil {
			t.Errorf("%.60q: got %v, want 400", target, err)
		}
	}
}

func TestACanonicalTargetIsTakenAsItCame(t *testing.T) {
	t.Parallel()
	for _, target := range []string{
		"/", "/api/x", "/api/x/", "/api/x.y/...", "/a%20b", "/a%C3%A4", "/a%25", "/a%2525", "/a:b@c!$&'()*+,=", "/a%3F", "/api?",
		"/api?a=1&b=%23%3B%2F", "/api?path=/a/../b", "/api?a=%E4%B8%AD", "/api?" + strings.Repeat("a&", 9_999),
	} {
		got, err := proxy.ParseTarget(target)
		path, query, _ := strings.Cut(target, "?")
		if err != nil || got.Path != path || got.RawQuery != query {
			t.Errorf("%.60q: got %+v, %v", target, got, err)
		}
	}
}

func TestALongTargetIsRefused(t *testing.T) {
	t.Parallel()
	_, err := proxy.ParseTarget("/" + strings.Repeat("a", 32<<10))
	if problem.Of(err).Status != http.StatusRequestURITooLong {
		t.Errorf("got %v", err)
	}
}

func TestAConversationIDHasTwoForms(t *testing.T) {
	t.Parallel()
	for _, s := range []string{ours.String(), strings.ToUpper(ours.String()), strings.ReplaceAll(ours.String(), "-", "")} {
		if id, ok := proxy.ConversationID(s); !ok || id != ours {
			t.Errorf("%s: got %s, %v", s, id, ok)
		}
	}
	for _, s := range []string{"", "{" + ours.String() + "}", "urn:uuid:" + ours.String(), "search", ours.String()[1:], ours.String() + "0",
		"11111111222243338444-55555555aaaa---", "g1111111222243338444555555555555", strings.Repeat("-", 36)} {
		if _, ok := proxy.ConversationID(s); ok {
			t.Errorf("%q was taken", s)
		}
	}
}

// FuzzParseTarget: what is taken has one spelling, so decoding and encoding it again cannot name another path.
func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"/api/x", "/a%20b?c=d", "/%2e%2e/", "/a//b", "/a;b", "/a%C3%A4", "/a%23", "/?a=b;c", "/a/../b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := proxy.ParseTarget(s)
		if err != nil {
			return
		}
		decoded, err := url.PathUnescape(target.Path)
		if err != nil {
			t.Fatalf("%q: taken, but does not decode", s)
		}
		for segment := range strings.SplitSeq(decoded[1:], "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%q decodes to a dot segment", s)
			}
		}
		if strings.Count(decoded, "/") != strings.Count(target.Path, "/") || strings.ContainsAny(decoded, "\\\x00;#") || strings.Contains(decoded, "//") {
			t.Fatalf("%q decodes to %q", s, decoded)
		}
		if _, err := url.ParseQuery(target.RawQuery); err != nil {
			t.Fatalf("%q: the query does not parse: %v", s, err)
		}
		u := url.URL{Path: decoded, RawPath: target.Path, RawQuery: target.RawQuery}
		if u.EscapedPath() != target.Path {
			t.Fatalf("%q would be forwarded as %q", target.Path, u.EscapedPath())
		}
	})
}
