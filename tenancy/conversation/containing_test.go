package conversation_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	. "github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

func TestContainingRespectsFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	folders := map[string]uuid.UUID{}
	for name, c := range map[string]Conversation{
		"b":       {WorkingDir: "/a/b"},
		"deep":    {WorkingDir: "/a/b/deep/er"},
		"like_":   {WorkingDir: "/x_y"},
		"like%":   {WorkingDir: "/p%"},
		"star":    {WorkingDir: "/[ab]*"},
		"slash":   {WorkingDir: "/trailing/"},
		"roots":   {WorkingDir: "/w1", Roots: []string{"/w2/tree", "/w3"}},
		"both":    {WorkingDir: "/w4", Roots: []string{"/w4/inner"}},
		"inner":   {WorkingDir: "/w4/inner/most"},
		"m":       {WorkingDir: "/m", Roots: []string{"/m/n/o"}},
		"n":       {WorkingDir: "/m/n"},
		"nothing": {WorkingDir: ""},
		"root":    {WorkingDir: "/"},
		"rel":     {WorkingDir: "rel/ative"},
	} {
		folders[name] = w.make(c).ID
	}
	w.make(Conversation{Team: w.theirs, WorkingDir: "/theirs"})
	p := w.member(w.ada)
	finds := func(path, name string) {
		t.Helper()
		if c, err := w.Containing(t.Context(), p, w.ours, path); err != nil || c.ID != folders[name] {
			t.Errorf("%q: %s, %v, want that of %q", path, c.WorkingDir, err, name)
		}
	}
	hides := func(path string) {
		t.Helper()
		if c, err := w.Containing(t.Context(), p, w.ours, path); !errors.Is(err, access.ErrHidden) {
			t.Errorf("%q: %q, %v", path, c.WorkingDir, err)
		}
	}
	finds("/a/b", "b")
	finds("/a/b/", "b")
	finds("/a/b/c/d.txt", "b")
	hides("/a/bc")
	hides("/a")
	hides("/A/b")
	finds("/a/b/deep", "b")
	finds("/a/b/deep/er", "deep")
	finds("/a/b/deep/er/x", "deep")

	finds("/x_y/z", "like_")
	hides("/xzy/z")
	finds("/p%/z", "like%")
	hides("/pp/z")
	finds("/[ab]*/z", "star")
	hides("/a*/z")

	finds("/trailing", "slash")
	finds("/w1/x", "roots")
	finds("/w2/tree/x", "roots")
	hides("/w2")
	finds("/w3", "roots")
	finds("/w4/inner", "both")
	finds("/w4/inner/most/x", "inner")
	finds("/m/x", "m")
	finds("/m/n/x", "n")
	finds("/m/n/o/x", "m")

	hides("/theirs")
	for _, path := range []string{
		"", "/", ".", "a/b", "rel/ative", "/a/b/../b", "/a/b/..", "/a//b", "/./a/b", "//a/b", "/a/b//", "/a/b/.",
		"/a/b\x00", "/a/b\xff", "/elsewhere", "/a/b/" + strings.Repeat("x/", 5000),
	} {
		hides(path)
	}
}

func TestOfTwoInTheSameFolderTheLastUsedCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.make(Conversation{WorkingDir: "/same"})
	later := w.make(Conversation{WorkingDir: "/same"})
	c, err := w.Containing(t.Context(), w.member(w.ada), w.ours, "/same/x")
	if err != nil || c.ID != later.ID {
		t.Errorf("%v, %v", c.ID, err)
	}
}
