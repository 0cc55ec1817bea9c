package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/web"
)

func TestLocalPathsAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/", "/conversations", "/conversations/8c0f?tab=files&x=%2F%2Fevil.example", "/settings/llm#top", "/a%20b/c", "/launch?plugins=%5B%5D",
		"/api/conversations/8c0f/workspace/index.html", "/accounts", "/?", "/~user", "/a:b",
	} {
		if got := web.SafeReturn(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
}

func TestWhateverMightLeadElsewhereBecomesTheStartPage(t *testing.T) {
	t.Parallel()
	for _, path := range bypasses {
		if got := web.SafeReturn(path); got != "/" {
			t.Errorf("%q became %q", path, got)
		}
	}
}

// bypasses are forms that some browser or library reads as another host, or that lead round in circles.
var bypasses = []string{
	"", "evil.example", "evil.example/", "https://evil.example", "http://evil.example/", "HTTPS://evil.example", "https:evil.example",
	"https:/evil.example", "https:///evil.example", "http:\\\\evil.example", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)",
	"data:text/html,x", "vbscript:x", "blob:x", "mailto:a@example.com",
	"//evil.example", "///evil.example", "////evil.example", "//evil.example/%2f..", "/\\evil.example", "\\/evil.example", "\\\\evil.example",
	"/\\/evil.example", "//\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "/\r\n/evil.example", "\t//evil.example",
	" //evil.example", " /x", "/x ", "/ /evil.example", "/\x00/evil.example", "/\x0b/evil.example", "/\x7f/evil.example",
	"/%09/evil.example", "/%0a/evil.example", "/%0d/evil.example", "/%00/evil.example", "/%2f/evil.example", "/%2fevil.example", "/%2Fevil.example",
	"/%5cevil.example", "/%5Cevil.example", "/%5c%5cevil.example", "/%2e/evil.example", "/%2e%2e/evil.example", "/./evil.example", "/.//evil.example",
	"/../evil.example", "/..//evil.example", "/a/..//evil.example", "/a/../../evil.example", "/a/%2e%2e//evil.example", "/x//evil.example", "/x/%2f",
	"//evil.example@localhost", "//user:pass@evil.example", "//localhost@evil.example", "/@evil.example\\", "//[::1]", "//127.1", "//0x7f000001",
	"/%", "/%z", "/%2", "/x%", "/x\\y", "/x?y\\z", "/x?\tz", "/x#\n", "/ü", "/\u2215evil.example", "/\uff0fevil.example", "/\u3002evil.example",
	"/x\xff", "?return=//evil.example", "#//evil.example", "?x", ".", "..", "./x", "../x", "x", "@evil.example", ":80", ":",
	"/account", "/account/", "/account/login", "/account/login?return=/account/login", "/%61ccount/login", "/account/logout",
	"/x\"y", "/x<y>", "/x`y", "/{x}", "/x|y", "/x^y", "/x#", // what browsers write in another way than it came
	"/" + strings.Repeat("a", 3000),
}

func FuzzSafeReturnStaysOnThisHost(f *testing.F) {
	for _, path := range bypasses {
		f.Add(path)
	}
	f.Add("/conversations/1?tab=files#top")
	base, _ := url.Parse("https://here.example/account/login")
	f.Fuzz(func(t *testing.T, path string) {
		got := web.SafeReturn(path)
		if got != path && got != "/" {
			t.Fatalf("%q was repaired to %q", path, got)
		}
		to, err := base.Parse(got)
		if err != nil || to.Host != "here.example" || to.Scheme != "https" {
			t.Fatalf("%q leads to %v (%v)", path, to, err)
		}
		if !strings.HasPrefix(got, "/") || strings.HasPrefix(to.Path, "//") || strings.ContainsAny(got, "\\\r\n\t ") {
			t.Fatalf("%q passed as %q", path, got)
		}
		if web.SafeReturn(got) != got {
			t.Fatalf("%q is not stable", got)
		}
	})
}
