package web_test

import (
	"net/url"
	"os"
	"strconv"
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
	for _, path := range bypasses(t) {
		if got := web.SafeReturn(path); got != "/" {
			t.Errorf("%q became %q", path, got)
		}
	}
}

// bypasses reads the corpus.
func bypasses(t testing.TB) []string {
	t.Helper()
	content, err := os.ReadFile("testdata/return-elsewhere.txt")
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{"/" + strings.Repeat("a", 3000)}
	for line := range strings.Lines(string(content)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		form, err := strconv.Unquote(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		forms = append(forms, form)
	}
	if len(forms) < 200 {
		t.Errorf("the corpus has only %d forms", len(forms))
	}
	return forms
}

func FuzzSafeReturnStaysOnThisHost(f *testing.F) {
	for _, path := range bypasses(f) {
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
