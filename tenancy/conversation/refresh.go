package conversation

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Refresh brings live rows up to what the upstream says: titles are made there, and agents work on without us. Of each in seen,
// ID, Title and UpdatedAt count; an empty title and an earlier time change nothing, and a time to come counts as now. It is one
// statement, which locks in the order of ids so that two of them cannot stop each other. Rights do not change, so nobody is told.
func (s *Service) Refresh(ctx context.Context, seen []Conversation) error {
	if len(seen) == 0 {
		return nil
	}
	ids, titles, times := make([]uuid.UUID, len(seen)), make(pq.StringArray, len(seen)), make(pq.StringArray, len(seen))
	for i, c := range seen {
		ids[i], titles[i], times[i] = c.ID, cleanTitle(c.Title), string(pq.FormatTimestamp(c.UpdatedAt))
	}
	_, err := s.db.ExecContext(ctx, `
		WITH stale AS (
			SELECT known.id,
			       COALESCE(NULLIF(said.title, ''), known.title) AS title,
			       least(said.at, $4) AS at
			  FROM conversations AS known
			  JOIN unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS said (id, title, at) ON said.id = known.id
			 WHERE known.state = 'live'
			   AND (least(said.at, $4) > known.updated_at OR said.title NOT IN ('', known.title))
			 ORDER BY known.id
			   FOR NO KEY UPDATE OF known
		)
		UPDATE conversations AS known
		   SET title = stale.title, updated_at = greatest(known.updated_at, stale.at)
		  FROM stale
		 WHERE known.id = stale.id`, pq.Array(ids), titles, times, s.now())
	if err != nil {
		return postgres.Problem(fmt.Errorf("refresh conversations: %w", err))
	}
	return nil
}
