package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/sealed"
)

// KeyUse is how much one key holds.
type KeyUse struct {
	ID        uint32
	Documents int
	Teams     int
	Primary   bool // it seals
	Readable  bool // it is in the keyset
}

// Idle says whether nothing in the database needs the key any more. Older backups may.
func (k KeyUse) Idle() bool { return !k.Primary && k.Documents == 0 }

// Keys lists the keys in use and those of the keyset, in order.
func (s *Store) Keys(ctx context.Context) ([]KeyUse, error) {
	var rows []struct {
		ID        int64 `db:"key_id"`
		Documents int   `db:"documents"`
		Teams     int   `db:"teams"`
	}
	err := s.db.SelectContext(ctx, &rows, `
		SELECT key_id, count(*) AS documents, count(DISTINCT team_id) AS teams
		  FROM vault_documents, unnest(key_ids) AS key_id
		 GROUP BY key_id`)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("count the documents of each key: %w", err))
	}
	uses := map[uint32]KeyUse{}
	for _, r := range rows {
		id := uint32(r.ID) //nolint:gosec // it was written from one
		uses[id] = KeyUse{ID: id, Documents: r.Documents, Teams: r.Teams, Readable: s.keys.Has(id)}
	}
	ring := s.keys.Current()
	for _, id := range ring.IDs() {
		use := uses[id]
		use.ID, use.Readable, use.Primary = id, true, id == ring.Primary()
		uses[id] = use
	}
	return slices.SortedFunc(maps.Values(uses), func(a, b KeyUse) int { return cmp.Compare(a.ID, b.ID) }), nil
}

// CheckKeys is nil when there is a key to everything that is sealed. Its error names each missing key and what is lost with it.
func (s *Store) CheckKeys(ctx context.Context) error {
	uses, err := s.Keys(ctx)
	if err != nil {
		return err
	}
	var lost []string
	for _, use := range uses {
		if !use.Readable {
			lost = append(lost, fmt.Sprintf("key %d is missing, and with it the secrets of %d documents of %d teams", use.ID, use.Documents, use.Teams))
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return fmt.Errorf("the vault cannot be opened: %s. Give back the keyset that holds it (VAULT_KEYSET, VAULT_KEYSET_FILE or vault-keyset.json in DATA_DIR); "+
		"nothing was changed", strings.Join(lost, "; "))
}

// Broken opens everything there is, and lists the documents in which a value does not open though its key is there: it was cut or
// changed, or the row was moved.
func (s *Store) Broken(ctx context.Context) ([]uuid.UUID, error) {
	const page = 200
	var broken []uuid.UUID
	for after := uuid.Nil; ; {
		rows, err := query(ctx, s.db, `
			SELECT `+columns+`
			  FROM vault_documents
			 WHERE id > $1
			 ORDER BY id
			 LIMIT $2`, after, page)
		if err != nil || len(rows) == 0 {
			return broken, err
		}
		for _, r := range rows {
			if after = r.ID; !s.sound(r) {
				broken = append(broken, r.ID)
			}
		}
	}
}

func (s *Store) sound(r row) bool {
	d, err := r.document()
	if err != nil {
		return false
	}
	for field := range d.sealed {
		_, err := s.Open(d, field)
		if _, missing := errors.AsType[*sealed.MissingKey](err); err != nil && !missing {
			return false
		}
	}
	return true
}
