package body_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/internal/body"
)

const multipartType = "multipart/form-data; boundary=B"

func parts(headersAndValues ...string) string {
	var b strings.Builder
	for i := 0; i < len(headersAndValues); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; " + headersAndValues[i] + "\r\n\r\n" + headersAndValues[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

func TestFormValuesAreReadAsStarletteDoes(t *testing.T) {
	t.Parallel()
	const encoded = "application/x-www-form-urlencoded"
	cases := []struct{ name, contentType, content, want string }{
		{"escapes and plus", encoded, "v=a%40b+c%2B", "a@b c+"},
		{"an escape that is none", encoded, "v=100%+%zz%4", "100% %zz%4"},
		{"bad UTF-8 is replaced", encoded, "v=a%ff", "a\ufffd"},
		{"a semicolon is no separator", encoded, "v=a;v=b", "a;v=b"},
		{"the last value counts", encoded, "v=a&v=b", "b"},
		{"capitals and parameters", "Application/X-WWW-Form-Urlencoded ; charset=utf-8", "v=a", "a"},
		{"multipart", multipartType, parts(`name="v"`, "a b"), "a b"},
		{"multipart in capitals", "Multipart/Form-Data; boundary=B", parts(`name="v"`, "a"), "a"},
		{"a value over several lines", multipartType, parts(`name="v"`, "a\r\nb"), "a\r\nb"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, err := body.Form(post(c.contentType, c.content), 1000)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := f.Text("v", true); got != c.want || !ok || f.Err() != nil {
				t.Errorf("got %q, %v, %v; want %q", got, ok, f.Err(), c.want)
			}
		})
	}
}

func TestFormsThatLackTheValueOrCannotBeRead(t *testing.T) {
	t.Parallel()
	const encoded, missing = "application/x-www-form-urlencoded", `{"detail":[{"type":"missing","loc":["body","v"],"msg":"…","input":null}]}`
	cases := []struct {
		name, contentType, content string
		status                     int
		want                       string
	}{
		{"an empty value", encoded, "v=", 422, missing},
		{"a name alone", encoded, "v", 422, missing},
		{"an empty value after a full one", encoded, "v=a&v=", 422, missing},
		{"no body", encoded, "", 422, missing},
		{"JSON", "application/json", `{"v":"a"}`, 422, missing},
		{"no content type", "", "v=a", 422, missing},
		{"text", "text/plain", "v=a", 422, missing},
		{"an empty multipart body", multipartType, "", 422, missing},
		{"a file", multipartType, parts(`name="v"; filename="f.txt"`, "abc"), 422,
			`{"detail":[{"type":"string_type","loc":["body","v"],"msg":"…","input":{"filename":"f.txt","size":3}}]}`},
		{"a file without a name", multipartType, parts(`name="v"; filename=""`, ""), 422,
			`{"detail":[{"type":"string_type","loc":["body","v"],"msg":"…","input":{"filename":"","size":0}}]}`},
		{"multipart without boundary", "multipart/form-data", "x", 400, `{"detail":"Missing boundary in multipart."}`},
		{"unreadable multipart", multipartType, "x", 400, `{"detail":"Invalid multipart data."}`},
		{"a multipart body that is cut off", multipartType, "--B\r\nContent-Disposition: form-data; name=\"v\"\r\n\r\na", 400,
			`{"detail":"Invalid multipart data."}`},
		{"a part without a name", multipartType, parts(`x="v"`, "a"), 400, `{"detail":"Invalid multipart data."}`},
		{"too long", encoded, strings.Repeat("v", 1001), 413, `{"detail":"The request body is longer than 1000 bytes. Send less."}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			status, got := answer(t, askForm(post(c.contentType, c.content)))
			if diff := cmp.Diff(decoded(t, c.want), got); status != c.status || diff != "" {
				t.Errorf("status %d, want %d; -want +got:\n%s", status, c.status, diff)
			}
		})
	}
}

func askForm(r *http.Request) error {
	f, err := body.Form(r, 1000)
	if err != nil {
		return err
	}
	f.Text("v", true)
	return f.Err()
}

func FuzzFormsNeverFailInside(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "v=%41&x")
	f.Add(multipartType, parts(`name="v"`, "a"))
	f.Fuzz(func(t *testing.T, contentType, content string) {
		if status, _ := answer(t, askForm(post(contentType, content))); status >= 500 {
			t.Errorf("%q %q answers %d", contentType, content, status)
		}
	})
}
