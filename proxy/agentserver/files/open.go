package files

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/openhands-saas/openhands-saas/internal/fernet"
)

// clear opens the sealed values of an object, wherever they are, and takes masks away, which stand for no value.
func (r *reader) clear(at Place, in map[string]any) (opened []string) {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		here, pointer := at.At(name), "/"+escape(name)
		if in[name] == Mask {
			delete(in, name)
			r.skip(here, "it is masked: its value is not in the file")
			continue
		}
		in[name] = r.value(here, pointer, in[name], &opened)
	}
	return opened
}

func (r *reader) value(at Place, pointer string, v any, opened *[]string) any {
	switch v := v.(type) {
	case string:
		return r.text(at, pointer, v, opened)
	case map[string]any:
		for _, below := range r.clear(at, v) {
			*opened = append(*opened, pointer+below)
		}
	case []any:
		for i, item := range v {
			step := fmt.Sprint(i)
			v[i] = r.value(at.At(step), pointer+"/"+step, item, opened)
		}
	}
	return v
}

// text is a text in clear.
func (r *reader) text(at Place, pointer, v string, opened *[]string) any {
	if !strings.HasPrefix(v, fernet.Prefix) {
		return v
	}
	if r.Key == nil {
		r.fault(at, "this is sealed: give the OH_SECRET_KEY that the agent-server ran with (--secret-key-file); where it had none, its first session key")
		return nil
	}
	plain, err := r.Key.Open(v)
	switch {
	case errors.Is(err, fernet.ErrKey):
		r.fault(at, "this does not open with the key that you gave, or was changed: give the OH_SECRET_KEY that the agent-server ran with; "+
			"where it had none, its first session key")
	case err != nil || !utf8.Valid(plain):
		r.fault(at, "this sealed value is not whole: it was cut or changed. Set it anew and leave it out")
	default:
		*opened = append(*opened, pointer)
		return string(plain)
	}
	return nil
}

// escape is a name as a step of a JSON pointer (RFC 6901).
func escape(name string) string { return strings.NewReplacer("~", "~0", "/", "~1").Replace(name) }
