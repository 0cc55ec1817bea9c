package body

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Object is a JSON object that was sent as a request body, with the faults found in it so far.
type Object struct {
	Faults
	values map[string]any
	absent bool // there is no object; one fault says so, and the fields add none
	alone  bool // each field is a parameter of its own: a missing one shows no body
}

// JSON reads the body as an object. Keys are compared with letter case, and the last of several equal keys counts.
//
// Its error is what may be said before anybody is authenticated: not UTF-8 (400), not parsable (422 json_invalid), longer than
// limit bytes (413). A body that is missing or no object is a fault that Err reports, so that a route with authentication can
// ask for it afterwards.
func JSON(r *http.Request, limit int64) (*Object, error) {
	data, err := readAll(r, limit)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return absent("missing", "Field required", nil), nil
	}
	if !isJSON(r.Header.Get("Content-Type")) {
		return absent("model_attributes_type", wantObject, echoText(string(data))), nil
	}
	return parseObject(strings.TrimPrefix(string(data), "\ufeff"))
}

// Params is JSON for routes whose few fields FastAPI reads as parameters of their own: where there is no object, every required field
// is missing, and a missing field shows null in the place of the body.
func Params(r *http.Request, limit int64) (*Object, error) {
	o, err := JSON(r, limit)
	if err != nil {
		return nil, err
	}
	return &Object{values: o.values, alone: true}, nil
}

const wantObject = "Input should be a valid dictionary or object to extract fields from"

func parseObject(data string) (*Object, error) {
	if !utf8.ValidString(data) {
		return nil, unreadable()
	}
	value, err := parse(data)
	if err != nil {
		return nil, err
	}
	values, ok := value.(map[string]any)
	if !ok {
		return absent("model_attributes_type", wantObject, echo(value)), nil
	}
	return &Object{values: values}, nil
}

func absent(kind, msg string, input any) *Object {
	o := &Object{absent: true}
	o.add(kind, msg, input)
	return o
}

// isJSON accepts application/json and application/…+json, in any letter case and with parameters.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	kind, sub, _ := strings.Cut(strings.ToLower(strings.TrimSpace(media)), "/")
	return kind == "application" && !strings.Contains(sub, "/") && (sub == "json" || strings.HasSuffix(sub, "+json"))
}

// String returns a text. Being absent or null is a fault of a required field and false for any other; a value that is no text
// always is a fault.
func (o *Object) String(name string, required bool) (string, bool) {
	value, present := o.values[name]
	if text, ok := value.(string); ok {
		return text, true
	}
	switch {
	case o.absent, value == nil && !required:
	case !present && o.alone:
		o.add("missing", "Field required", nil, name)
	case !present:
		o.add("missing", "Field required", echo(o.values), name)
	case isBrokenText(value):
		o.add("string_unicode", "Input should be a valid string, without unpaired surrogates", nil, name)
	default:
		o.add("string_type", "Input should be a valid string", echoField(name, value), name)
	}
	return "", false
}

// Flag returns a boolean in pydantic's lax reading ("yes", 1, "off" …); ok is false when it is absent, null or at fault.
func (o *Object) Flag(name string) (value, ok bool) {
	switch v := o.values[name].(type) {
	case nil:
		return false, false
	case bool:
		return v, true
	case string:
		if value, ok = flagWords[strings.ToLower(v)]; ok {
			return value, true
		}
	case number:
		f, _ := strconv.ParseFloat(string(v), 64) // out of range is infinite, and no whole number
		if f == 0 || f == 1 {
			return f == 1, true
		}
		if f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
			return o.noFlag(name)
		}
	case []any, map[string]any:
		return o.noFlag(name)
	}
	o.add("bool_parsing", "Input should be a valid boolean, unable to interpret input", echoField(name, o.values[name]), name)
	return false, false
}

// FlagNotNull is Flag, and null is a fault.
func (o *Object) FlagNotNull(name string) (value, ok bool) {
	if o.values[name] == nil {
		return o.noFlag(name)
	}
	return o.Flag(name)
}

// noFlag is for what is not even of a type that a flag could have.
func (o *Object) noFlag(name string) (value, ok bool) {
	o.add("bool_type", "Input should be a valid boolean", echoField(name, o.values[name]), name)
	return false, false
}

var flagWords = map[string]bool{
	"1": true, "on": true, "t": true, "true": true, "y": true, "yes": true,
	"0": false, "off": false, "f": false, "false": false, "n": false, "no": false,
}

// TooLong makes the fault of a text of more than limit characters.
func TooLong(name string, limit int, input string) problem.Field {
	return problem.Field{
		Type: "string_too_long", Loc: []any{"body", name}, Input: input, Ctx: map[string]any{"max_length": limit},
		Msg: "String should have at most " + strconv.Itoa(limit) + " characters",
	}
}

// TooShort makes the fault of a text of fewer than limit characters.
func TooShort(name string, limit int, input string) problem.Field {
	return problem.Field{
		Type: "string_too_short", Loc: []any{"body", name}, Input: input, Ctx: map[string]any{"min_length": limit},
		Msg: "String should have at least " + strconv.Itoa(limit) + " characters",
	}
}

// Refused makes the fault of a text that is well-formed but not acceptable, for a reason that people may read.
func Refused(name, reason string, input string) problem.Field {
	return problem.Field{
		Type: "value_error", Loc: []any{"body", name}, Input: input, Ctx: map[string]any{"reason": reason},
		Msg: "Value error: " + reason,
	}
}
