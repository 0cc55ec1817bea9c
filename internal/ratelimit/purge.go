package ratelimit

import (
	"context"
	"fmt"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// purgeBatch bounds what one statement deletes.
const purgeBatch = 5000

// Purge deletes counts that say nothing any more and bans that are over, and says how many rows went. Several replicas may purge at
// the same time.
func (l *Limiter) Purge(ctx context.Context) (deleted int, err error) {
	for _, statement := range []string{purgeLimits, purgeBans} {
		for {
			result, err := l.db.ExecContext(ctx, statement, l.now(), purgeBatch)
			if err != nil {
				return deleted, postgres.Problem(fmt.Errorf("delete old limits: %w", err))
			}
			rows, err := result.RowsAffected()
			deleted += int(rows)
			if err != nil {
				return deleted, err
			}
			if rows < purgeBatch {
				break
			}
		}
	}
	return deleted, nil
}

const (
	purgeLimits = `
		DELETE FROM limits
		WHERE key = ANY (ARRAY(
			SELECT key FROM limits
			WHERE greatest(expires_at, known_until) < coalesce($1, now())
			LIMIT $2
			FOR UPDATE SKIP LOCKED))`
	purgeBans = `
		DELETE FROM bans
		WHERE (kind, key) IN (
			SELECT kind, key FROM bans
			WHERE until < coalesce($1, now())
			LIMIT $2
			FOR UPDATE SKIP LOCKED)`
)
