package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// seen is an answer without what must differ between any two servers.
type seen struct {
	status int
	kind   string // of its content
	body   any    // decoded where it is JSON
	faults []string
}

var (
	long  = regexp.MustCompile(`<long:\d+>`)
	token = regexp.MustCompile(`gAAAA[A-Za-z0-9_=-]{40,}|ohv1\.[A-Za-z0-9_-]{40,}`)
	ident = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b`)
)

// see reads an answer, and keeps of it what the case says.
func (s *side) see(t *testing.T, c settingsCase, a answer) seen {
	t.Helper()
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	found := seen{status: a.status, kind: kind, body: a.body}
	if kind == "application/json" {
		decoder := json.NewDecoder(bytes.NewReader([]byte(a.body)))
		decoder.UseNumber()
		if err := decoder.Decode(&found.body); err != nil {
			t.Fatalf("%s: not JSON: %v: %.300s", c.name, err, a.body)
		}
	}
	for name, pointer := range c.keep {
		if word, isText := looked(found.body, pointer).(string); isText {
			s.words[name] = word
		}
	}
	if a.status >= http.StatusBadRequest {
		found.faults = faultsOf(found.body)
	}
	found.body = s.plain("", found.body)
	return found
}

// faultsOf are the type and place of each fault of a 422; nil for another answer.
func faultsOf(body any) []string {
	all, isList := looked(body, "/detail").([]any)
	if !isList {
		return nil
	}
	listed := []string{}
	for _, one := range all {
		loc, _ := looked(one, "/loc").([]any)
		places := make([]string, len(loc))
		for i, step := range loc {
			places[i] = fmt.Sprint(step)
		}
		listed = append(listed, fmt.Sprintf("%v at %s", looked(one, "/type"), strings.Join(places, ".")))
	}
	slices.Sort(listed)
	return listed
}

func looked(v any, pointer string) any {
	for _, step := range strings.Split(strings.TrimPrefix(pointer, "/"), "/") {
		switch in := v.(type) {
		case map[string]any:
			v = in[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// plain puts names in the place of ids, times, tokens and what a side was told.
func (s *side) plain(member string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, below := range v {
			out[s.named(name)] = s.plain(name, below)
		}
		if _, reported := v["resolved_skills"]; reported {
			out["resolved_skills"] = "<those of the host>"
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = s.plain("", item)
		}
		return out
	case json.Number:
		if member == "created_at" || member == "updated_at" {
			return "<time>"
		}
		return v
	case string:
		if member == "current_datetime" {
			return "<time>"
		}
		return s.named(v)
	}
	return v
}

func (s *side) named(text string) string {
	names := slices.SortedFunc(maps.Keys(s.words), func(a, b string) int { return len(s.words[b]) - len(s.words[a]) })
	for _, name := range names {
		if s.words[name] != "" && name != "n" {
			text = strings.ReplaceAll(text, s.words[name], "<"+name+">")
		}
	}
	return ident.ReplaceAllString(token.ReplaceAllString(text, "<token>"), "<id>")
}

// against lists in what the upstream's answer differs from ours.
func (a seen) against(b seen) []string {
	switch {
	case a.status != b.status:
		return []string{fmt.Sprintf("%s | %s", a.short(), b.short())}
	case a.kind != b.kind:
		return []string{fmt.Sprintf("%d %s | %s", a.status, a.kind, b.kind)}
	case a.faults != nil || b.faults != nil:
		if !slices.Equal(a.faults, b.faults) {
			return []string{fmt.Sprintf("%s | %s", a.short(), b.short())}
		}
		return nil
	}
	var found []string
	differ("", a.body, b.body, &found)
	return found
}

// short is a status with what a refusal says.
func (a seen) short() string {
	switch {
	case a.faults != nil:
		return fmt.Sprintf("%d %s", a.status, strings.Join(a.faults, ", "))
	case a.status >= http.StatusBadRequest:
		return fmt.Sprintf("%d %v", a.status, looked(a.body, "/detail"))
	}
	return fmt.Sprint(a.status)
}

// differ walks through two bodies. Numbers are equal when their values are.
func differ(pointer string, a, b any, found *[]string) {
	switch x := a.(type) {
	case map[string]any:
		if y, alike := b.(map[string]any); alike {
			names := maps.Clone(x)
			maps.Copy(names, y)
			for _, name := range slices.Sorted(maps.Keys(names)) {
				differMember(pointer+"/"+name, x, y, name, found)
			}
			return
		}
	case []any:
		if y, alike := b.([]any); alike && len(x) == len(y) {
			for i := range x {
				differ(fmt.Sprintf("%s/%d", pointer, i), x[i], y[i], found)
			}
			return
		}
	}
	if !same(a, b) {
		*found = append(*found, fmt.Sprintf("%s: %s | %s", pointer, text(a), text(b)))
	}
}

func differMember(pointer string, x, y map[string]any, name string, found *[]string) {
	left, has := x[name]
	right, hasToo := y[name]
	switch {
	case !has:
		*found = append(*found, fmt.Sprintf("%s: absent | %s", pointer, text(right)))
	case !hasToo:
		*found = append(*found, fmt.Sprintf("%s: %s | absent", pointer, text(left)))
	default:
		differ(pointer, left, right, found)
	}
}

func same(a, b any) bool {
	x, isNumber := a.(json.Number)
	y, isToo := b.(json.Number)
	if isNumber && isToo {
		p, okay := new(big.Rat).SetString(x.String())
		q, okayToo := new(big.Rat).SetString(y.String())
		return okay && okayToo && p.Cmp(q) == 0
	}
	return text(a) == text(b)
}

func text(v any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
	return strings.TrimSpace(out.String())
}
