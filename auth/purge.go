package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// How long what is over is kept: sessions for those who look into an incident, links for nobody.
const (
	keepSessions = 30 * 24 * time.Hour
	keepLinks    = 24 * time.Hour
)

// purgeBatch bounds what one statement deletes, so that no lock is held for long.
const purgeBatch = 1000

// Purge deletes sessions that ended or expired more than 30 days ago, and links that were used or expired more than a day ago, and
// says how many rows went. Several replicas may purge at the same time.
func (s *Service) Purge(ctx context.Context) (deleted int, err error) {
	for _, old := range []struct {
		what, statement string
		keep            time.Duration
	}{
		{"sessions", purgeSessions, keepSessions},
		{"setup links", purgeSetupLinks, keepLinks},
		{"one-time tokens", purgeOneTime, keepLinks},
	} {
		rows, err := purge(ctx, s.db, old.statement, s.cfg.Now().Add(-old.keep))
		deleted += rows
		if err != nil {
			return deleted, postgres.Problem(fmt.Errorf("delete old %s: %w", old.what, err))
		}
	}
	return deleted, nil
}

// The statements of Purge. Rows that another replica is deleting are left to it.
const (
	purgeSessions = `
		DELETE FROM sessions
		WHERE id = ANY (ARRAY(
			SELECT id FROM sessions
			WHERE least(expires_at, ended_at) < $1
			LIMIT $2
			FOR UPDATE SKIP LOCKED))`
	purgeSetupLinks = `
		DELETE FROM setup_links
		WHERE token_hash = ANY (ARRAY(
			SELECT token_hash FROM setup_links
			WHERE least(expires_at, used_at) < $1
			LIMIT $2
			FOR UPDATE SKIP LOCKED))`
	purgeOneTime = `
		DELETE FROM one_time_tokens
		WHERE token_hash = ANY (ARRAY(
			SELECT token_hash FROM one_time_tokens
			WHERE expires_at < $1
			LIMIT $2
			FOR UPDATE SKIP LOCKED))`
)

// purge repeats a statement until it finds less than a batch.
func purge(ctx context.Context, db *postgres.DB, statement string, before time.Time) (deleted int, err error) {
	for {
		result, err := db.ExecContext(ctx, statement, before, purgeBatch)
		if err != nil {
			return deleted, err
		}
		rows, err := result.RowsAffected()
		deleted += int(rows)
		if err != nil || rows < purgeBatch {
			return deleted, err
		}
	}
}
