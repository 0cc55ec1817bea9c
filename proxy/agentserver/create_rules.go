package agentserver

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// rule judges one value of a body and says what goes on, or that nothing does. A rule that objects notes the fault in s.
type rule func(s *sanitizer, loc []any, v any) (out any, keep bool)

// rules is an allow-list: the names of an object's members and what becomes of each. Members without a rule are left out.
type rules map[string]rule

// sanitizer collects all faults of one body, so that a client learns them at once. Inputs are never echoed: they may be secrets.
type sanitizer struct {
	faults     []problem.Field
	host       string // the host that the client called
	workingDir string // the conversation's folder, once it is known
	contained  bool   // the conversation runs in a server of its own
	remote     []remoteImage
	saved      []savedSecret
	bare       bool // nothing of the vault counts: the anonymous tenant with files of its own
}

func (s *sanitizer) fault(kind string, loc []any, format string, args ...any) {
	s.faults = append(s.faults, problem.Field{Type: kind, Loc: slices.Clone(loc), Msg: fmt.Sprintf(format, args...)})
}

func (s *sanitizer) refuse(loc []any, format string, args ...any) {
	s.fault("value_error", loc, format, args...)
}

func (s *sanitizer) err() error {
	if len(s.faults) == 0 {
		return nil
	}
	return problem.Fields(s.faults...)
}

// at extends loc without touching the array behind it.
func at(loc []any, step any) []any { return append(slices.Clone(loc), step) }

// object makes a rule of an allow-list. null stays null where the upstream allows it and is its business to refuse elsewhere.
func object(allowed rules) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		in, isObject := v.(map[string]any)
		if !isObject {
			s.fault("dict_type", loc, "Input should be a valid dictionary")
			return nil, false
		}
		return s.members(loc, in, allowed), true
	}
}

// fixing makes a rule of an allow-list and members that have one value here, whether they came or not.
func fixing(values map[string]any, allowed rules) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		out, keep := object(allowed)(s, loc, v)
		if members, isObject := out.(map[string]any); isObject {
			maps.Copy(members, values)
		}
		return out, keep
	}
}

// members applies the allow-list in the order of the names, so that faults come in a stable order.
func (s *sanitizer) members(loc []any, in map[string]any, allowed rules) map[string]any {
	out := map[string]any{}
	for _, name := range sortedKeys(in) {
		judge, known := allowed[name]
		if !known {
			continue
		}
		if v, keep := judge(s, at(loc, name), in[name]); keep {
			out[name] = v
		}
	}
	return out
}

// list applies one rule to each item of a list of at most limit.
func list(limit int, item rule) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		in, isList := v.([]any)
		if !isList {
			s.fault("list_type", loc, "Input should be a valid list")
			return nil, false
		}
		if len(in) > limit {
			s.fault("too_long", loc, "List should have at most %d items", limit)
			return nil, false
		}
		out := []any{}
		for i, member := range in {
			if kept, keep := item(s, at(loc, i), member); keep {
				out = append(out, kept)
			}
		}
		return out, true
	}
}

// dictionary applies one rule to each value of an object of at most limit members with free names.
func dictionary(limit int, value rule) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		in, isObject := v.(map[string]any)
		if !isObject {
			s.fault("dict_type", loc, "Input should be a valid dictionary")
			return nil, false
		}
		if len(in) > limit {
			s.fault("too_long", loc, "Dictionary should have at most %d items", limit)
			return nil, false
		}
		out := map[string]any{}
		for _, name := range sortedKeys(in) {
			if kept, keep := value(s, at(loc, name), in[name]); keep {
				out[name] = kept
			}
		}
		return out, true
	}
}

// text is a string of at most limit characters, or null.
func text(limit int) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		t, isString := v.(string)
		switch {
		case v == nil:
			return nil, true
		case !isString:
			s.fault("string_type", loc, "Input should be a valid string")
		case utf8.RuneCountInString(t) > limit:
			s.fault("string_too_long", loc, "String should have at most %d characters", limit)
		default:
			return t, true
		}
		return nil, false
	}
}

// word is one of the given strings, or null.
func word(allowed ...string) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		if t, isString := v.(string); isString && slices.Contains(allowed, t) {
			return t, true
		}
		s.fault("literal_error", loc, "Input should be one of: %s", strings.Join(allowed, ", "))
		return nil, false
	}
}

// number is a JSON number between low and high, or null. The digits go on as they came.
func number(low, high float64) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if v == nil {
			return nil, true
		}
		n, isNumber := v.(json.Number)
		if !isNumber {
			s.fault("float_type", loc, "Input should be a valid number")
			return nil, false
		}
		if f, err := n.Float64(); err != nil || f < low || f > high {
			s.fault("value_error", loc, "Input should be between %v and %v", low, high)
			return nil, false
		}
		return n, true
	}
}

// flag is true, false or null.
func flag(s *sanitizer, loc []any, v any) (any, bool) {
	if _, isBool := v.(bool); isBool || v == nil {
		return v, true
	}
	s.fault("bool_type", loc, "Input should be a valid boolean")
	return nil, false
}

// scalar is a string, a number, a boolean or null.
func scalar(s *sanitizer, loc []any, v any) (any, bool) {
	switch v.(type) {
	case nil, bool, string, json.Number:
		return v, true
	}
	s.refuse(loc, "Input should be a string, a number or a boolean")
	return nil, false
}

// only leaves out what says nothing (null, false, "", [], {}) and the given default, and refuses the rest with a text that
// says what to do.
func only(standard any, why string) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if !empty(v) && v != standard {
			s.refuse(loc, "%s", why)
		}
		return nil, false
	}
}

// unless refuses everything that says something.
func unless(why string) rule { return only("", why) }

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
