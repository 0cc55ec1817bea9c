package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ReadJSON reads the client's body as one JSON object. Numbers stay json.Number, names are case-sensitive, and of two members
// with one name the last counts, as for the upstream. The faults are FastAPI's.
func (x *Exchange) ReadJSON() (map[string]any, error) {
	raw, err := x.readBody()
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return nil, problem.Fields(problem.Field{Type: "missing", Loc: []any{"body"}, Msg: "Field required"})
	}
	if !utf8.Valid(raw) {
		return nil, problem.New(http.StatusBadRequest, "There was an error parsing the body")
	}
	if !isJSON(x.Request.Header.Get("Content-Type")) {
		return nil, notObject(nil)
	}
	return object(raw)
}

func (x *Exchange) readBody() ([]byte, error) {
	if x.Request.Body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(x.Request.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, tooLarge
	}
	if slow, ok := errors.AsType[*problem.Error](err); ok {
		return nil, slow
	}
	if err != nil {
		return nil, problem.New(http.StatusBadRequest, "The body ended early: send it again.").Because(err)
	}
	return raw, nil
}

// isJSON takes no content type for JSON, as clients that leave it out mean that.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json"))
}

// maxDepth is how deep a body may be nested: deeper than any client's, and shallow for whoever reads it behind us.
const maxDepth = 100

// tooDeep looks at brackets outside of strings, and reads no further than needed.
func tooDeep(raw []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

var errTooDeep = problem.Fields(problem.Field{
	Type: "json_invalid", Loc: []any{"body"}, Msg: "The body is nested too deeply: 100 levels are the limit.",
})

func object(raw []byte) (map[string]any, error) {
	if tooDeep(raw) {
		return nil, errTooDeep
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	if err == nil {
		if _, rest := d.Token(); rest != io.EOF {
			err = errors.New("Extra data")
		}
	}
	if err != nil {
		return nil, invalidJSON(err, d.InputOffset(), len(raw))
	}
	o, ok := v.(map[string]any)
	if !ok {
		return nil, notObject(v)
	}
	return o, nil
}

// invalidJSON says where a body is wrong, counting as Python does: before the character that does not fit, or at the end.
func invalidJSON(err error, offset int64, end int) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = max(0, syntax.Offset-1)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		offset = int64(end)
	}
	return problem.Fields(problem.Field{
		Type: "json_invalid", Loc: []any{"body", offset}, Msg: "JSON decode error",
		Input: map[string]any{}, Ctx: map[string]any{"error": err.Error()},
	})
}

func notObject(input any) error {
	return problem.Fields(problem.Field{
		Type: "model_attributes_type", Loc: []any{"body"},
		Msg: "Input should be a valid dictionary or object to extract fields from", Input: input,
	})
}
