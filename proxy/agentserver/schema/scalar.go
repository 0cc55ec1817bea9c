package schema

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// choices are the values that a schema allows one by one.
func choices(n node) ([]any, bool) {
	if one, isConst := n["const"]; isConst {
		return []any{one}, true
	}
	some, isEnum := n["enum"].([]any)
	return some, isEnum
}

func (j *judge) choice(allowed []any, loc []any, v any) any {
	if text, isText := v.(string); isText && slices.Contains(allowed, any(text)) {
		return text
	}
	if n, isNumber := v.(json.Number); isNumber && slices.Contains(allowed, any(n)) {
		return n
	}
	return j.fault("literal_error", loc, "Input should be one of the allowed values")
}

func (j *judge) text(n node, loc []any, v any) any {
	text, isText := v.(string)
	if !isText {
		return j.fault("string_type", loc, "Input should be a valid string")
	}
	length := float64(utf8.RuneCountInString(text))
	short, long := "string_too_short", "string_too_long"
	if n["format"] == "password" { // pydantic measures a secret as it measures a list
		short, long = "too_short", "too_long"
	}
	if least, bounded := bound(n, "minLength"); bounded && length < least {
		return j.fault(short, loc, "String should have at least %v characters", least)
	}
	if most, bounded := bound(n, "maxLength"); bounded && length > most {
		return j.fault(long, loc, "String should have at most %v characters", most)
	}
	if pattern, has := n["pattern"].(string); has && !matches(pattern, text) {
		return j.fault("string_pattern_mismatch", loc, "String should match pattern '%s'", pattern)
	}
	return text
}

// matches is false for a pattern that cannot be read: what cannot be judged is refused.
func matches(pattern, text string) bool {
	p, err := regexp.Compile(pattern)
	return err == nil && p.MatchString(text)
}

// bound reads a limit of a schema.
func bound(n node, name string) (float64, bool) {
	limit, isNumber := n[name].(json.Number)
	if !isNumber {
		return 0, false
	}
	f, err := limit.Float64()
	return f, err == nil
}

// integer reads whole numbers as pydantic does: "5", "5.0", 5.0 and true are whole, 5.5 is not.
func (j *judge) integer(n node, loc []any, v any) any {
	text, kind := numeral(v)
	switch kind {
	case notNumeral:
		return j.fault("int_type", loc, "Input should be a valid integer")
	case inText:
		text = strings.ReplaceAll(strings.TrimSpace(text), "_", "")
	}
	r, isNumber := rational(text)
	switch {
	case !isNumber, kind == inText && (!r.IsInt() || strings.ContainsAny(text, "eE")):
		return j.fault("int_parsing", loc, "Input should be a valid integer, unable to parse string as an integer")
	case !r.IsInt():
		return j.fault("int_from_float", loc, "Input should be a valid integer, got a number with a fractional part")
	case !j.inBounds(n, loc, r):
		return nil
	}
	return json.Number(r.Num().String())
}

func (j *judge) number(n node, loc []any, v any) any {
	text, kind := numeral(v)
	if kind == notNumeral {
		return j.fault("float_type", loc, "Input should be a valid number")
	}
	r, isNumber := rational(strings.TrimSpace(text))
	switch {
	case !isNumber:
		return j.fault("float_parsing", loc, "Input should be a valid number, unable to parse string as a number")
	case !j.inBounds(n, loc, r):
		return nil
	case kind == asNumber:
		return v
	}
	return json.Number(strings.TrimSpace(text))
}

type numeralKind int

const (
	notNumeral numeralKind = iota
	asNumber
	asTruth
	inText
)

func numeral(v any) (string, numeralKind) {
	switch v := v.(type) {
	case json.Number:
		return v.String(), asNumber
	case string:
		return v, inText
	case bool:
		if v {
			return "1", asTruth
		}
		return "0", asTruth
	}
	return "", notNumeral
}

// decimal is a number as JSON and Python write it, with an exponent that needs little memory.
var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)

// rational reads a number exactly.
func rational(text string) (*big.Rat, bool) {
	if len(text) > 400 || !decimal.MatchString(text) {
		return nil, false
	}
	return new(big.Rat).SetString(text)
}

// inBounds judges a number by the limits of its schema.
func (j *judge) inBounds(n node, loc []any, r *big.Rat) bool {
	for _, limit := range []struct {
		name, kind, words string
		fits              func(order int) bool
	}{
		{"minimum", "greater_than_equal", "greater than or equal to", func(order int) bool { return order >= 0 }},
		{"exclusiveMinimum", "greater_than", "greater than", func(order int) bool { return order > 0 }},
		{"maximum", "less_than_equal", "less than or equal to", func(order int) bool { return order <= 0 }},
		{"exclusiveMaximum", "less_than", "less than", func(order int) bool { return order < 0 }},
	} {
		bound, has := n[limit.name].(json.Number)
		if !has {
			continue
		}
		if b, known := rational(bound.String()); known && !limit.fits(r.Cmp(b)) {
			j.fault(limit.kind, loc, "Input should be %s %s", limit.words, bound)
			return false
		}
	}
	return true
}

// boolean reads truth values as pydantic does.
func (j *judge) boolean(loc []any, v any) any {
	switch v := v.(type) {
	case bool:
		return v
	case json.Number:
		if r, known := rational(v.String()); known && r.IsInt() && (r.Sign() == 0 || r.Num().IsInt64() && r.Num().Int64() == 1) {
			return r.Sign() != 0
		}
		return j.fault("bool_parsing", loc, "Input should be a valid boolean, unable to interpret input")
	case string:
		switch strings.ToLower(v) {
		case "1", "true", "t", "yes", "y", "on":
			return true
		case "0", "false", "f", "no", "n", "off":
			return false
		}
		return j.fault("bool_parsing", loc, "Input should be a valid boolean, unable to interpret input")
	}
	return j.fault("bool_type", loc, "Input should be a valid boolean")
}
