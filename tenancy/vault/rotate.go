package vault

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Rotation says how to seal everything anew. The zero value is useful.
type Rotation struct {
	Batch  int                  // documents in one transaction; 100 by default
	Settle time.Duration        // pause before the last look; 2 s by default
	Report func(done, left int) // told after each batch
}

// Rotated is what a rotation did.
type Rotated struct {
	Done   int
	Broken []uuid.UUID // documents with a value that does not open; all else in them was sealed anew
}

// Rotate seals everything anew that another key than the current one closed. Others read and write meanwhile. It may be ended at
// any time and begun again: what was done stays done. Those who seal learn of a new key within a second, so it looks again after a
// pause, until there was nothing to do: then nothing is sealed with an older key any more.
func (s *Store) Rotate(ctx context.Context, r Rotation) (Rotated, error) {
	var all Rotated
	for quiet := false; ; {
		before := all.Done
		if err := s.pass(ctx, r, &all); err != nil {
			return all, err
		}
		left, err := s.left(ctx, all.Broken)
		if err != nil || quiet && left == 0 && all.Done == before {
			return all, err
		}
		quiet = left == 0
		if err := pause(ctx, cmp.Or(r.Settle, 2*time.Second)); err != nil {
			return all, err
		}
	}
}

// pass goes once through all documents, but for those that somebody is changing at the moment.
func (s *Store) pass(ctx context.Context, r Rotation, all *Rotated) error {
	all.Broken = nil
	for after := uuid.Nil; ; {
		step, err := s.Reseal(ctx, after, cmp.Or(r.Batch, 100))
		if err != nil || step.Seen == 0 {
			return err
		}
		after, all.Done, all.Broken = step.Last, all.Done+step.Done, append(all.Broken, step.Broken...)
		if r.Report == nil {
			continue
		}
		left, err := s.left(ctx, all.Broken)
		if err != nil {
			return err
		}
		r.Report(all.Done, left)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// left counts what another key than the current one closed, without some.
func (s *Store) left(ctx context.Context, without []uuid.UUID) (int, error) {
	var left int
	err := s.db.GetContext(ctx, &left, `
		SELECT count(*)
		  FROM vault_documents
		 WHERE NOT key_ids <@ ARRAY[$1]::bigint[]
		   AND NOT id = ANY (coalesce($2::uuid[], '{}'))`, int64(s.keys.Current().Primary()), pq.Array(without))
	if err != nil {
		return 0, postgres.Problem(fmt.Errorf("count what is left to seal anew: %w", err))
	}
	return left, nil
}

// Resealed is what one step of a rotation did.
type Resealed struct {
	Seen   int // 0: this was the end
	Done   int
	Broken []uuid.UUID
	Last   uuid.UUID // the next step goes on after it
}

// Reseal is one step of a rotation: at most so many documents after one, in one transaction. What somebody is changing at the moment is
// left out, and a value that does not open stays as it is.
func (s *Store) Reseal(ctx context.Context, after uuid.UUID, batch int) (step Resealed, err error) {
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		step = Resealed{}
		rows, err := query(ctx, tx, `
			SELECT `+columns+`
			  FROM vault_documents
			 WHERE id > $1
			   AND NOT key_ids <@ ARRAY[$2]::bigint[]
			 ORDER BY id
			 LIMIT $3
			   FOR UPDATE SKIP LOCKED`, after, int64(s.keys.Current().Primary()), batch)
		for _, r := range rows {
			whole, err := s.reseal(ctx, tx, r)
			if err != nil {
				return err
			}
			step.add(r.ID, whole)
		}
		return err
	})
	return step, err
}

func (r *Resealed) add(id uuid.UUID, whole bool) {
	r.Seen++
	r.Last = id
	if whole {
		r.Done++
	} else {
		r.Broken = append(r.Broken, id)
	}
}

// reseal changes neither version nor date: nothing changed for anybody. It says whether all of the document could be sealed.
func (s *Store) reseal(ctx context.Context, tx *postgres.Tx, r row) (bool, error) {
	d, err := r.document()
	if err != nil {
		return false, nil // to be found by Broken
	}
	whole, err := (&Changes{store: s, ctx: ctx, tx: tx}).draft(d, false).seal()
	if err != nil {
		return false, err
	}
	closed, err := json.Marshal(d.sealed)
	if err != nil {
		return false, fmt.Errorf("encode sealed values: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE vault_documents
		   SET sealed = $2, key_ids = $3
		 WHERE id = $1`, d.ID, string(closed), pq.Array(d.keys()))
	if err != nil {
		return false, fmt.Errorf("keep a document that was sealed anew: %w", err)
	}
	return whole, nil
}
