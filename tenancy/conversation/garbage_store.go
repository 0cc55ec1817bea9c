package conversation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// claimLock lets one replica claim at a time, so that two do not claim rows that share a folder. A claim takes milliseconds; the
// removal happens outside.
const claimLock = 0x6f68_6761_7262 // "ohgarb"

// isGarbage is what the indexes conversations_garbage and conversations_folder_garbage hold.
const isGarbage = `state = 'deleted' AND collected_at IS NULL AND collect_after < 'infinity'`

type garbageRow struct {
	row
	Attempts int `db:"collect_attempts"`
}

// garbage locks candidates. Those that a reservation looks at right now are left for the next time.
func (s *Service) garbage(ctx context.Context, tx *postgres.Tx, limit int) ([]garbageRow, error) {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, claimLock); err != nil {
		return nil, fmt.Errorf("wait for another replica's claim: %w", err)
	}
	now := s.now()
	var found []garbageRow
	err := tx.SelectContext(ctx, &found, `
		SELECT `+columns+`, collect_attempts
		  FROM conversations
		 WHERE `+isGarbage+`
		   AND updated_at <= $1
		   AND collect_after <= $2
		   AND (collect_until IS NULL OR collect_until <= $2)
		 ORDER BY updated_at
		 LIMIT $3
		   FOR UPDATE SKIP LOCKED`, now.Add(-s.grace), now, limit)
	return found, err
}

// afterSlash is the character after the slash: what is below a folder sorts between the two, put at its end.
const afterSlash = "0"

// near begins a query about folders ($1), each paired with itself and the folders above it ($2): which conversations of those
// that which tells work at, above or below one. It asks an index for each pair; OFFSET 0 keeps Postgres, which cannot know how few
// there are, from reading all conversations instead.
func near(which string) string {
	return `
	WITH pairs AS MATERIALIZED (
		SELECT folder, above
		  FROM unnest($1::text[], $2::text[]) AS pairs (folder, above)
	), mine AS MATERIALIZED (
		SELECT DISTINCT folder
		  FROM pairs
	), near AS (
		SELECT folder, other.*
		  FROM pairs
		 CROSS JOIN LATERAL (
			SELECT id, state, updated_at, collect_until
			  FROM conversations
			 WHERE working_dir COLLATE "C" = above AND ` + which + `
			OFFSET 0) AS other
		 UNION ALL
		SELECT folder, other.*
		  FROM mine
		 CROSS JOIN LATERAL (
			SELECT id, state, updated_at, collect_until
			  FROM conversations
			 WHERE working_dir COLLATE "C" > folder || '/' AND working_dir COLLATE "C" < folder || '` + afterSlash + `' AND ` + which + `
			OFFSET 0) AS other
		 UNION ALL
		SELECT rooted.mine, other.*
		  FROM (SELECT folder AS mine, root.conversation_id
		          FROM pairs
		         CROSS JOIN LATERAL (SELECT conversation_id FROM conversation_roots WHERE conversation_roots.folder = above OFFSET 0) AS root
		         UNION ALL
		        SELECT folder, root.conversation_id
		          FROM mine
		         CROSS JOIN LATERAL (
		            SELECT conversation_id
		              FROM conversation_roots
		             WHERE conversation_roots.folder > mine.folder || '/' AND conversation_roots.folder < mine.folder || '` + afterSlash + `'
		            OFFSET 0) AS root) AS rooted
		CROSS JOIN LATERAL (
			SELECT id, state, updated_at, collect_until
			  FROM conversations
			 WHERE id = rooted.conversation_id AND ` + which + `
			OFFSET 0) AS other
	)`
}

// pairs are the first two arguments of near.
func pairs(folders []string) (folder, above pq.StringArray) {
	folder, above = pq.StringArray{}, pq.StringArray{}
	for _, f := range folders {
		for _, a := range upwards(f) {
			folder, above = append(folder, f), append(above, a)
		}
	}
	return folder, above
}

// used says which folders of the candidates somebody else works in, above or below. The candidates do not count themselves:
// what two of them share goes with both.
func (s *Service) used(ctx context.Context, tx *postgres.Tx, found []garbageRow, own func(Conversation) []string) (map[string]bool, error) {
	var ids []uuid.UUID
	var folders []string
	for _, r := range found {
		ids = append(ids, r.ID)
		folders = append(folders, own(r.conversation())...)
	}
	now := s.now()
	folder, above := pairs(folders)
	var used []string
	err := tx.SelectContext(ctx, &used, near("true")+`
		SELECT DISTINCT folder
		  FROM near
		 WHERE id <> ALL ($3)
		   AND (state <> 'deleted' OR updated_at > $4 OR collect_until > $5)`,
		folder, above, pq.Array(ids), now.Add(-s.grace), now)
	set := map[string]bool{}
	for _, f := range used {
		set[f] = true
	}
	return set, err
}

// mark writes down whose turn comes when: the claimed when their claim runs out, the used after another grace, the kept never.
func (s *Service) mark(ctx context.Context, tx *postgres.Tx, claimed []Garbage, busy, kept []uuid.UUID) error {
	now := s.now()
	ids := make([]uuid.UUID, len(claimed))
	for i, g := range claimed {
		ids[i] = g.ID
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE conversations
		   SET collect_attempts = collect_attempts + CASE WHEN id = ANY($1) THEN 1 ELSE 0 END,
		       collect_until = CASE WHEN id = ANY($1) THEN $4::timestamptz END,
		       collect_after = CASE WHEN id = ANY($1) THEN $4
		                            WHEN id = ANY($2) THEN $5
		                            ELSE 'infinity'
		                        END
		 WHERE id = ANY($1::uuid[] || $2::uuid[] || $3::uuid[])`,
		pq.Array(ids), pq.Array(busy), pq.Array(kept), now.Add(claimLease), now.Add(s.grace))
	return err
}

// keepClear refuses a reservation whose folder is being removed, or lies above or below one that is. It locks the deleted rows of
// that place to share, so that a claim comes either before, and is seen, or after the reservation is.
func keepClear(ctx context.Context, tx *postgres.Tx, c Conversation, now time.Time) error {
	folder, above := pairs(cleanFolders(append(slices.Clone(c.Roots), c.WorkingDir)))
	var removing []bool
	err := tx.SelectContext(ctx, &removing, near(isGarbage)+`
		SELECT COALESCE(collect_until > $3, false)
		  FROM conversations
		 WHERE `+isGarbage+`
		   AND id = ANY(ARRAY(SELECT id FROM near))
		   FOR SHARE`, folder, above, now)
	if err != nil {
		return fmt.Errorf("look for a removal in a folder: %w", err)
	}
	if slices.Contains(removing, true) {
		return ErrCollecting
	}
	return nil
}
