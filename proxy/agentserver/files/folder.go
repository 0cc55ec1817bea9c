package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// largest is how many bytes a file may have. The upstream's are far smaller.
const largest = 8 << 20

// reader gathers what it finds.
type reader struct {
	Options
	many    bool // folders, so that their names are needed to tell files apart
	any     bool // file of the upstream was there
	found   Found
	faults  Faults
	skipped map[string]bool // which of Skip there were
}

// sorts are the files, and what takes them.
type sort struct {
	pattern string
	take    func(r *reader, at Place, content map[string]any)
}

func sorts() []sort {
	return []sort{
		{"provider-connections/provider_connections.json", (*reader).connections},
		{"profiles/*.json", (*reader).profile},
		{"secrets.json", (*reader).secrets},
		{"agent-profiles/*.json", (*reader).agentProfile},
		{"workspaces.json", (*reader).workspaces},
		{"settings.json", (*reader).settings},
	}
}

func (r *reader) folder(folder string) error {
	if info, err := os.Stat(folder); err != nil {
		return fmt.Errorf("read the folder: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no folder: give the one that holds settings.json", folder)
	}
	for _, s := range sorts() {
		names, err := fs.Glob(os.DirFS(folder), s.pattern)
		if err != nil {
			return fmt.Errorf("read the folder: %w", err)
		}
		for _, name := range names {
			r.file(folder, name, s)
		}
	}
	return nil
}

func (r *reader) file(folder, name string, s sort) {
	at := Place{File: name}
	if r.many {
		at.File = path.Join(filepath.ToSlash(folder), name)
	}
	r.any = true
	if r.left(at) {
		r.skip(at, "left out, as you said")
		return
	}
	content, err := read(filepath.Join(folder, filepath.FromSlash(name)))
	if err != nil {
		r.fault(at, "%s", err)
		return
	}
	r.leave(at, content)
	s.take(r, at, content)
}

// read gives the object that a file holds.
func read(name string) (map[string]any, error) {
	raw, err := contents(name)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var content any
	if err = decoder.Decode(&content); err == nil {
		if _, end := decoder.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("something follows")
		}
	}
	object, isObject := content.(map[string]any)
	switch {
	case err != nil || !utf8.Valid(raw): // the decoder's own words would show some of the value
		return nil, fmt.Errorf("this is no JSON from byte %d on: it was cut or changed. Take it from a backup, or leave it out", decoder.InputOffset())
	case !isObject:
		return nil, errors.New("this is JSON, but not an object, as the upstream writes it")
	}
	return object, nil
}

func contents(name string) ([]byte, error) {
	info, err := os.Stat(name) // before it is opened: a pipe would wait for its other end
	switch {
	case err != nil:
		return nil, reason(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("this is no file")
	case info.Size() > largest:
		return nil, fmt.Errorf("this has more than %d MiB", largest>>20)
	}
	raw, err := os.ReadFile(name)
	return raw, reason(err)
}

// reason is an error without the file's path, which is named beside it.
func reason(err error) error {
	if inner, is := errors.AsType[*fs.PathError](err); is {
		return inner.Err
	}
	return err
}

// left says whether a file is to be left out as a whole.
func (r *reader) left(at Place) bool {
	left := false
	for _, skip := range r.Skip {
		if skip == at.File || strings.HasPrefix(at.File, strings.TrimSuffix(skip, "/")+"/") {
			r.skipped[skip], left = true, true
		}
	}
	return left
}

// leave removes from a file's content the members to leave out.
func (r *reader) leave(at Place, content map[string]any) {
	for _, skip := range r.Skip {
		member, here := strings.CutPrefix(skip, at.File+":")
		if here && remove(content, strings.Split(member, "/")) {
			r.skipped[skip] = true
			r.skip(Place{File: at.File, Member: member}, "left out, as you said")
		}
	}
}

// remove takes a member away. A list keeps the places of its other members.
func remove(in any, steps []string) bool {
	switch in := in.(type) {
	case map[string]any:
		if len(steps) > 1 {
			return remove(in[steps[0]], steps[1:])
		}
		_, present := in[steps[0]]
		delete(in, steps[0])
		return present
	case []any:
		for i, item := range in {
			if fmt.Sprint(i) != steps[0] {
				continue
			}
			if len(steps) > 1 {
				return remove(item, steps[1:])
			}
			in[i] = nil
			return true
		}
	}
	return false
}

func (r *reader) unknownSkips() {
	for _, skip := range r.Skip {
		if !r.skipped[skip] && !slices.ContainsFunc(r.faults, func(n Note) bool { return strings.HasPrefix(skip, n.Place.File+":") }) {
			r.fault(Place{File: skip}, "there is nothing of this name to skip: write FILE or FILE:MEMBER/MEMBER")
		}
	}
}
