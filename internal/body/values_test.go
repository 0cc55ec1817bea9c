package body_test

import (
	"slices"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/body"
)

func object(t *testing.T, content string) *body.Object {
	t.Helper()
	o, err := body.JSON(post("application/json", content), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestListsNumbersAndMomentsAreReadAsTheyAre(t *testing.T) {
	t.Parallel()
	o := object(t, `{"list":["a","b"],"none":[],"null":null,"n":7,"at":"2030-01-31T12:00:00+02:00"}`)
	if list, ok := o.Texts("list"); !ok || !slices.Equal(list, []string{"a", "b"}) {
		t.Errorf("%v, %v", list, ok)
	}
	if list, ok := o.Texts("none"); !ok || len(list) != 0 {
		t.Errorf("%v, %v", list, ok)
	}
	if n, ok := o.Whole("n", 7, 7); !ok || n != 7 {
		t.Errorf("%v, %v", n, ok)
	}
	if at, ok := o.Time("at"); !ok || !at.Equal(time.Date(2030, 1, 31, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("%v, %v", at, ok)
	}
	for _, name := range []string{"null", "absent"} {
		_, list := o.Texts(name)
		_, whole := o.Whole(name, 0, 1)
		_, moment := o.Time(name)
		if list || whole || moment || o.Given(name) != (name == "null") {
			t.Errorf("%s is taken for something", name)
		}
	}
	if err := o.Err(); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoListNumberOrMomentIsAFault(t *testing.T) {
	t.Parallel()
	for content, read := range map[string]func(*body.Object){
		`{"x":"a"}`:                    func(o *body.Object) { o.Texts("x") },
		`{"x":["a",1]}`:                func(o *body.Object) { o.Texts("x") },
		`{"x":8}`:                      func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":-1}`:                     func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":1.5}`:                    func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":1e99}`:                   func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":"1"}`:                    func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":true}`:                   func(o *body.Object) { o.Whole("x", 0, 7) },
		`{"x":"2030-01-31"}`:           func(o *body.Object) { o.Time("x") },
		`{"x":"2030-01-31T12:00:00"}`:  func(o *body.Object) { o.Time("x") },
		`{"x":1900000000}`:             func(o *body.Object) { o.Time("x") },
		`{"x":"2030-02-31T12:00:00Z"}`: func(o *body.Object) { o.Time("x") },
	} {
		o := object(t, content)
		read(o)
		if status, _ := answer(t, o.Err()); status != 422 {
			t.Errorf("%s: %d", content, status)
		}
	}
}

func TestABodyThatMayBeAbsentIsAnEmptyObjectThen(t *testing.T) {
	t.Parallel()
	for content, want := range map[string]int{"": 0, "  \n": 0, "{}": 0, `{"a":1}`: 0, "[]": 422} {
		o, err := body.Optional(post("application/json", content), 1000)
		if err == nil {
			err = o.Err()
		}
		if status, _ := answer(t, err); status != want {
			t.Errorf("%q: %d, want %d", content, status, want)
		}
	}
	if o, err := body.Optional(post("", ""), 10); err != nil || o.Err() != nil || o.Given("x") {
		t.Errorf("no body at all: %v", err)
	}
	if _, err := body.Optional(post("application/json", "{"), 10); err == nil {
		t.Error("broken JSON is taken")
	}
	if _, err := body.Optional(post("application/json", `{"a":"0123456789"}`), 10); err == nil {
		t.Error("too much is taken")
	}
}
