package config

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"
)

// entry is a text and where it came from. Failed means that a file was named for it and could not be read: it is set, but
// nobody knows to what.
type entry struct {
	text, origin string
	file         string // that the text was read from; "" when it was given as such
	failed       bool
}

// layer is what one source says: name → entry. An empty text counts as not set, because compose files pass
// ${NAME:-}.
type layer map[string]entry

func (e entry) empty() bool { return strings.TrimSpace(e.text) == "" && !e.failed }

// over puts what other sets on top of l.
func (l layer) over(other layer) {
	for name, e := range other {
		if !e.empty() {
			l[name] = e
		}
	}
}

// names in a fixed order, so that problems are.
func (l layer) names() []string { return slices.Sorted(maps.Keys(l)) }

// environment picks the names that concern us from NAME=value lines; the rest of the process environment is not ours.
func (r registry) environment(environ []string, c *Config) layer {
	l := layer{}
	for _, line := range environ {
		name, text, _ := strings.Cut(line, "=")
		if r.known(name) {
			l[name] = entry{text: text, origin: "environment"}
		} else if meant := r.nearest(name); meant != "" && ours(name) {
			c.notice("%s in the environment is not read; did you mean %s?", name, meant)
		}
	}
	return l
}

// strict reports what a file holds beyond known names.
func (r registry) strict(l layer, problems *Problems) {
	for _, name := range l.names() {
		if r.known(name) {
			continue
		}
		hint := "remove it; openhands-saas config lists the names"
		if meant := r.nearest(name); meant != "" {
			hint = "did you mean " + meant + "?"
		}
		problems.add(name, l[name].origin, "unknown name; %s", hint)
		delete(l, name)
	}
}

// maxSecret is more than any secret needs.
const maxSecret = 64 << 10

// files replaces each NAME_FILE by NAME with the file's content, without the line end that editors add.
func (r registry) files(l layer, problems *Problems) {
	for _, name := range l.names() {
		base, isFile := r.fileFor(name)
		if _, isLater := r.later(name); !isFile || isLater || l[name].empty() {
			continue
		}
		if both, set := l[base]; set && !both.empty() {
			problems.add(name, l[name].origin, "%s is set at the same place; keep one of the two", base)
			continue
		}
		l[base] = fromFile(name, l[name], problems)
	}
}

func fromFile(name string, e entry, problems *Problems) entry {
	text, err := readSecret(strings.TrimSpace(e.text))
	if err != nil {
		problems.add(name, e.origin, "%v", err)
	}
	return entry{text: text, origin: e.origin + " " + name, file: strings.TrimSpace(e.text), failed: err != nil}
}

func readSecret(path string) (string, error) {
	raw, err := os.ReadFile(path)
	text := strings.TrimRight(string(raw), "\r\n")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", errors.New("there is no such file; correct the path or make the file")
	case errors.Is(err, fs.ErrPermission):
		return "", errors.New("this file may not be read; give the account that runs openhands-saas the right to")
	case err != nil:
		return "", errors.New("this file cannot be read; name a plain file")
	case strings.TrimSpace(text) == "":
		return "", errors.New("this file is empty; write the secret into it")
	case len(raw) > maxSecret || !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return "", errors.New("this file does not look like a secret; write one line of text into it")
	}
	return text, nil
}
