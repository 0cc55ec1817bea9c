package vault

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Draft is a document that is being changed. What is set becomes sealed when the change is kept.
type Draft struct {
	Body    map[string]any
	Created bool // it was not there before

	document *Document
	values   map[string]string // set in this draft
	crowded  bool              // more was set than a document holds
	changes  *Changes
}

// Layers is Store.Layers for the document's scope, within the change: a change must not ask the Store itself, which would need a
// second connection while it holds the first, and would not see what the same transaction did.
func (d *Draft) Layers(kinds ...Kind) ([]*Document, error) {
	return d.changes.Layers(kinds...)
}

// Fields lists the places of the secrets, in order.
func (d *Draft) Fields() []string {
	all := d.document.Fields()
	for field := range d.values {
		all = append(all, field)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Has says whether there is a secret at a place.
func (d *Draft) Has(field string) bool {
	_, set := d.values[field]
	return set || d.document.Has(field)
}

// Sets says whether this change sets the secret at a place.
func (d *Draft) Sets(field string) bool {
	_, set := d.values[field]
	return set
}

// Value is the secret at a place: ErrNoField when there is none.
func (d *Draft) Value(field string) (string, error) {
	if value, set := d.values[field]; set {
		return value, nil
	}
	return d.changes.store.Open(d.document, field)
}

// Set puts a secret at a place. One too many makes the change fail when it is kept.
func (d *Draft) Set(field, value string) {
	if _, replaced := d.values[field]; !replaced && len(d.values) == maxSealed {
		d.crowded = true
		return
	}
	d.values[field] = value
}

// Clear removes the secret at a place.
func (d *Draft) Clear(field string) {
	delete(d.values, field)
	delete(d.document.sealed, field)
}

// ClearBelow removes the secrets at a place and below it.
func (d *Draft) ClearBelow(place string) {
	below := func(field string) bool {
		rest, is := strings.CutPrefix(field, place)
		return is && (rest == "" || rest[0] == '/')
	}
	maps.DeleteFunc(d.values, func(field, _ string) bool { return below(field) })
	maps.DeleteFunc(d.document.sealed, func(field string, _ []byte) bool { return below(field) })
}

// ID is the document's.
func (d *Draft) ID() uuid.UUID { return d.document.ID }

// Preview is the document as it would be read after the change, but for the secrets that are set: they are there, and do not open.
func (d *Draft) Preview() *Document {
	next := *d.document
	next.Body, next.sealed = d.Body, map[string][]byte{}
	for _, field := range d.Fields() {
		next.sealed[field] = nil
	}
	return &next
}

// checked finds what cannot be kept.
func (d *Draft) checked() error {
	if depth(d.Body) > maxDepth {
		return problem.Newf(http.StatusUnprocessableEntity, "Documents may be nested %d levels deep at most.", maxDepth)
	}
	if unfolded(d.Body) > maxDocument {
		return problem.New(http.StatusUnprocessableEntity, "Numbers of so many digits cannot be kept.")
	}
	if d.crowded || len(d.Fields()) > maxSealed {
		return problem.Newf(http.StatusUnprocessableEntity, "A document may hold %d secrets at most; remove some first.", maxSealed)
	}
	for field, value := range d.values {
		if len(value) > maxValue {
			return problem.Newf(http.StatusUnprocessableEntity, "A secret may have %d KiB at most; the one at %s has more.", maxValue>>10, field)
		}
	}
	return nil
}

// checkName refuses names that could be mistaken in a log or a list.
func checkName(name string) error {
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return problem.Newf(http.StatusUnprocessableEntity, "A name has at most %d characters and no control characters.", maxName)
	}
	return nil
}
