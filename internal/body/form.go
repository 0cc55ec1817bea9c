package body

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Fields is a form that was sent as a request body, with the faults found in it so far.
type Fields struct {
	Faults
	values map[string]any // string, or file
}

// file stands for a file part. What was in it is never kept.
type file struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

// Form reads an urlencoded or multipart body. Any other body has no fields. The last of several equal names counts, and an empty
// value counts as absent. The error is a 413, or a 400 for a multipart body that cannot be read.
func Form(r *http.Request, limit int64) (*Fields, error) {
	data, err := readAll(r, limit)
	if err != nil {
		return nil, err
	}
	contentType := r.Header.Get("Content-Type")
	media, _, _ := strings.Cut(contentType, ";")
	f := &Fields{values: map[string]any{}}
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/x-www-form-urlencoded":
		f.readEncoded(string(data))
	case "multipart/form-data":
		err = f.readMultipart(contentType, data)
	}
	return f, err
}

// Text returns a value. Being absent is a fault of a required field; a file always is one.
func (f *Fields) Text(name string, required bool) (string, bool) {
	switch v := f.values[name].(type) {
	case string:
		if v != "" {
			return v, true
		}
	case file:
		f.add("string_type", "Input should be a valid string", v, name)
		return "", false
	}
	if required {
		f.add("missing", "Field required", nil, name)
	}
	return "", false
}

// readEncoded splits at & only and leaves what is no escape as it is: a form never fails.
func (f *Fields) readEncoded(data string) {
	for pair := range strings.SplitSeq(data, "&") {
		name, value, _ := strings.Cut(pair, "=")
		f.values[unescape(name)] = unescape(value)
	}
}

func unescape(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return strings.ToValidUTF8(string(out), "\ufffd")
}

func isHex(c byte) bool { return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0 }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}

func (f *Fields) readMultipart(contentType string, data []byte) error {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return problem.New(http.StatusBadRequest, "Missing boundary in multipart.")
	}
	if len(data) == 0 {
		return nil
	}
	parts := multipart.NewReader(bytes.NewReader(data), params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF { //nolint:errorlint // a wrapped EOF is a body that was cut off
			return nil
		}
		if err == nil {
			err = f.readPart(part)
		}
		if err != nil {
			return problem.New(http.StatusBadRequest, "Invalid multipart data.").Because(err)
		}
	}
}

// readPart tells a file by the presence of a file name, even an empty one, as Starlette does.
func (f *Fields) readPart(part *multipart.Part) error {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return err
	}
	name, named := params["name"]
	if !named {
		return errors.New("a part without a name")
	}
	content, err := io.ReadAll(part)
	if filename, isFile := params["filename"]; isFile {
		f.values[name] = file{Filename: filename, Size: int64(len(content))}
	} else {
		f.values[name] = strings.ToValidUTF8(string(content), "\ufffd")
	}
	return err
}
