package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Fields lists the places of the sealed values, as JSON pointers (RFC 6901), in order.
func (d *Document) Fields() []string { return slices.Sorted(maps.Keys(d.sealed)) }

// Has says whether there is a sealed value at a place.
func (d *Document) Has(field string) bool {
	_, has := d.sealed[field]
	return has
}

// Open opens one sealed value. ErrNoField when there is none; else an error means that the keys or the row were tampered with.
func (s *Store) Open(d *Document, field string) (string, error) {
	value, has := d.sealed[field]
	if !has {
		return "", fmt.Errorf("%w %s in %s %q", ErrNoField, field, d.Kind, d.Name)
	}
	plain, err := s.keys.Open(value, d.place(field)...)
	if err != nil {
		return "", fmt.Errorf("open %s of %s %q (document %s): %w", field, d.Kind, d.Name, d.ID, err)
	}
	return string(plain), nil
}

// ErrNoField is the answer for a place where nothing is sealed.
var ErrNoField = errors.New("there is no sealed value at")

// place is what a value is bound to: it opens nowhere else.
func (d *Document) place(field string) []string {
	return []string{"vault_documents", d.Scope.Team.String(), d.Scope.User.String(), string(d.Kind), d.ID.String(), field}
}

// row is a document as the database has it.
type row struct {
	ID        uuid.UUID     `db:"id"`
	TeamID    uuid.UUID     `db:"team_id"`
	UserID    uuid.NullUUID `db:"user_id"`
	Kind      Kind          `db:"kind"`
	Name      string        `db:"name"`
	Body      []byte        `db:"body"`
	Sealed    []byte        `db:"sealed"`
	Version   int64         `db:"version"`
	CreatedAt time.Time     `db:"created_at"`
	UpdatedAt time.Time     `db:"updated_at"`
}

const columns = `id, team_id, user_id, kind, name, body, sealed, version, created_at, updated_at`

func (r row) document() (*Document, error) {
	d := &Document{
		ID: r.ID, Scope: Scope{Team: r.TeamID, User: r.UserID.UUID}, Kind: r.Kind, Name: r.Name,
		Version: r.Version, CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt,
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.UseNumber() // numbers come back as they were sent
	if err := errors.Join(decoder.Decode(&d.Body), json.Unmarshal(r.Sealed, &d.sealed)); err != nil {
		return nil, fmt.Errorf("decode %s %q (document %s): %w", r.Kind, r.Name, r.ID, err)
	}
	if d.Body == nil { // null
		d.Body = map[string]any{}
	}
	if d.sealed == nil {
		d.sealed = map[string][]byte{}
	}
	return d, nil
}

// documents leaves out what cannot be read, and says so in the log: one broken row must not take the others away.
func (s *Store) documents(rows []row) []*Document {
	var found []*Document
	for _, r := range rows {
		d, err := r.document()
		if err != nil {
			s.Log.Error("a document of the vault cannot be read and is left out", "document", r.ID, "team", r.TeamID, "error", err)
			continue
		}
		found = append(found, d)
	}
	return found
}
