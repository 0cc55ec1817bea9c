package settings

import (
	"maps"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// mask stands where a secret stands that nobody asked for.
const mask = "**********"

// splitter takes the secrets out of what was sent and puts them into a draft, where they become sealed. It asks nobody: what
// tokens stand for was found out before, as a row is locked while it works.
type splitter struct {
	places places
	tokens tokens
	who    who
	draft  *vault.Draft
	kind   vault.Kind // of the draft
	root   string     // where in the draft the object lies
	loc    []any

	present map[string]bool // where the draft has secrets, and all places above
	faults  []problem.Field
	lost    error // a token of a secret that does not open was to become another one
	misfit  bool  // something is no text or no object where one must be
}

// split gives what remains of an object, or of a patch. What stands there already stays where a mask was sent: whoever writes
// back what was read loses nothing.
func (s *splitter) split(in map[string]any) (map[string]any, error) {
	s.present = map[string]bool{}
	for _, field := range s.draft.Fields() {
		for ; field != ""; field = field[:strings.LastIndexByte(field, '/')] {
			s.present[field] = true
		}
	}
	if tooDeep(in, deepest) {
		return nil, problem.Fields(fault("value_error", s.loc, "Objects may lie %d deep inside each other at most", deepest))
	}
	rest := s.members(nil, "", s.loc, in)
	if len(s.faults) > 0 {
		return nil, problem.Fields(s.faults...)
	}
	if s.misfit {
		return nil, errInvalid
	}
	return rest, s.lost
}

func (s *splitter) members(path []string, pointer string, loc []any, in map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		s.member(append(slices.Clip(path), name), join(pointer, name), at(loc, name), in[name], out)
	}
	return out
}

func (s *splitter) member(path []string, pointer string, loc []any, v any, out map[string]any) {
	name, here := path[len(path)-1], s.places.nature(path)
	text, isText := v.(string)
	members, isObject := v.(map[string]any)
	list, isList := v.([]any)
	switch {
	case v == nil: // removes what this layer has, at whatever depth
		s.clear(pointer)
		out[name] = nil
	case isText && isForeign(text):
		s.fault(loc, "%s", foreignToken)
	case isText && here.sealed():
		if s.secret(pointer, loc, text) && here == free {
			out[name] = nil // whatever stood there in clear
		}
	case here == secret:
		s.misfit = true
	case isObject:
		if s.present[s.root+pointer] {
			s.draft.Clear(s.root + pointer) // a text gives way to an object
		}
		out[name] = s.members(path, pointer, loc, members)
	case here == above:
		s.misfit = true
	case holdsToken(v):
		s.fault(loc, "%s", tokenElsewhere)
	case here == free && isList && holdsText(list):
		s.clear(pointer)
		s.draft.Set(s.root+pointer, packed(list))
		out[name] = nil
	default:
		s.clear(pointer) // something in clear takes the place of a secret, or of an object
		out[name] = v
	}
}

// clear removes the secrets at a place and below it.
func (s *splitter) clear(pointer string) {
	if s.present[s.root+pointer] {
		s.draft.ClearBelow(s.root + pointer)
	}
}

// secret keeps one, and says whether something changed.
func (s *splitter) secret(pointer string, loc []any, text string) bool {
	field := s.root + pointer
	switch {
	case strings.TrimSpace(text) == "":
		s.clear(pointer)
		return true
	case text == mask:
		return false
	case text == OperatorMarker:
		if s.kind != vault.KindSettings || memberOf(s.kind, field) != "llm/api_key" {
			s.fault(loc, "The operator's key cannot be stored. Give a key of your own, or none.")
		}
		return false
	case isToken(text):
		return s.token(field, pointer, loc, text)
	}
	s.clear(pointer)
	s.draft.Set(field, text)
	return true
}

// token keeps what a token stands for. One of this very secret leaves it as it is; so does one of a secret in a layer below,
// which shows again: it is not stored.
func (s *splitter) token(field, pointer string, loc []any, text string) bool {
	r := s.tokens[strings.TrimSpace(text)]
	switch {
	case r.key.doc == nil:
		s.fault(loc, "%s", staleToken)
	case memberOf(s.kind, field) != r.key.member():
		s.fault(loc, "%s", tokenElsewhere)
	case r.key.doc.ID == s.draft.ID() && r.key.field == field:
	case r.lost != nil && r.key.mine(s.who):
		s.lost = r.lost
	case r.key.mine(s.who):
		s.clear(pointer)
		s.draft.Set(field, r.value)
		return true
	case s.kind != vault.KindSettings || r.key.doc.Kind == vault.KindSettings && r.key.field != field:
		s.fault(loc, "This key is the team's, and stays where the team put it. Give a key of your own, or leave it out.")
	}
	return false
}

func (s *splitter) fault(loc []any, format string, args ...any) {
	s.faults = append(s.faults, fault("value_error", loc, format, args...))
}

// holdsText says whether a text is anywhere in a value.
func holdsText(v any) bool { return holds(v, func(string) bool { return true }) }

// holdsToken says whether something is in it that stands for a secret.
func holdsToken(v any) bool {
	return holds(v, func(text string) bool { return isToken(text) || isForeign(text) })
}

func holds(v any, is func(string) bool) bool {
	switch v := v.(type) {
	case string:
		return is(v)
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return holds(item, is) })
	case map[string]any:
		for _, member := range v {
			if holds(member, is) {
				return true
			}
		}
	}
	return false
}
