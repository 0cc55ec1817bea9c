package vault

import (
	"maps"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

// seal closes what was set, and closes anew what an older key closed. A value that does not open stays as it is, to be repaired or to
// wait for its key: whole says that there is none.
func (d *Draft) seal() (whole bool, err error) {
	ring := d.changes.store.keys.Current()
	values, whole := maps.Clone(d.values), true
	for field, value := range d.document.sealed {
		if _, replaced := values[field]; replaced {
			continue
		}
		id, err := sealed.KeyID(value)
		if err == nil && id == ring.Primary() {
			continue
		}
		plain, err := d.changes.store.Open(d.document, field)
		if err != nil {
			whole = false
			continue
		}
		values[field] = plain
	}
	for field, value := range values {
		closed, err := ring.Seal([]byte(value), d.document.place(field)...)
		if err != nil {
			return false, err
		}
		d.document.sealed[field] = closed
	}
	return whole, nil
}

// keys are those that the document's values were sealed with, as far as the values tell.
func (d *Document) keys() []int64 {
	ids := []int64{}
	for _, value := range d.sealed {
		if id, err := sealed.KeyID(value); err == nil {
			ids = append(ids, int64(id))
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
