package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// The kinds of sessions.
const (
	kindToken   = "token"
	kindBrowser = "browser"
)

type newSession struct {
	id, user     uuid.UUID
	epoch        *int64 // the user's; nil for any
	kind         string
	hash         []byte // of the cookie; nil for tokens
	refresh      []byte // the hash of the first refresh token; nil without
	method       string // how the user proved who they are
	factor       bool   // with a second factor
	first        bool   // the user never signed in before
	now, expires time.Time
	from         Client
}

// insertSession is for a user whom noteLogin found.
func insertSession(ctx context.Context, tx *postgres.Tx, n newSession) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO sessions (
			id, user_id, kind, token_hash, created_at, last_seen_at, proved_at, expires_at, ip, user_agent, method, factor_at, offline)
		VALUES ($1, $2, $3, $4, $5, $5, $5, $6, $7, $8, coalesce(nullif($9, ''), 'password'),
			CASE WHEN cast($10 AS boolean) THEN cast($5 AS timestamptz) END, $11)`,
		n.id, n.user, n.kind, n.hash, n.now, n.expires, printable(n.from.IP), printable(n.from.UserAgent), n.method, n.factor, n.refresh != nil)
	if err != nil {
		return fmt.Errorf("insert a session: %w", err)
	}
	if n.refresh == nil {
		return nil
	}
	return insertRefreshToken(ctx, tx, n.refresh, n.id, n.now)
}

func endSession(ctx context.Context, tx *postgres.Tx, session uuid.UUID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE sessions SET ended_at = $2
		WHERE id = $1 AND ended_at IS NULL`, session, now)
	if err != nil {
		return fmt.Errorf("end a session: %w", err)
	}
	return nil
}

// endSessions ends all sessions of a user but one.
func endSessions(ctx context.Context, tx *postgres.Tx, user, keep uuid.UUID, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE sessions SET ended_at = $3
		WHERE user_id = $1 AND id <> $2 AND ended_at IS NULL`, user, keep, now)
	if err != nil {
		return fmt.Errorf("end the sessions of a user: %w", err)
	}
	return nil
}

func setTeam(ctx context.Context, tx *postgres.Tx, session, team uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE sessions SET current_team = $2
		WHERE id = $1 AND ended_at IS NULL`, session, team)
	if err != nil {
		return fmt.Errorf("set the current team of a session: %w", err)
	}
	return nil
}

// touchSessions leaves out those that somebody else is changing: they are being used or ended, and nobody waits for the other.
func touchSessions(ctx context.Context, db *postgres.DB, sessions []uuid.UUID, now time.Time) error {
	_, err := db.ExecContext(ctx, `
		UPDATE sessions SET last_seen_at = $2
		WHERE id = ANY (ARRAY(
			SELECT id FROM sessions
			WHERE id = ANY ($1) AND last_seen_at < $2
			FOR UPDATE SKIP LOCKED))`, pq.Array(sessions), now)
	if err != nil {
		return fmt.Errorf("note the use of sessions: %w", err)
	}
	return nil
}

// sessionRow is a live session with its active user.
type sessionRow struct {
	User
	Session uuid.UUID     `db:"session_id"`
	Kind    string        `db:"kind"`
	Offline bool          `db:"offline"`
	Team    uuid.NullUUID `db:"current_team"`
	Expires time.Time     `db:"expires_at"`
	Seen    time.Time     `db:"last_seen_at"`
	Proved  time.Time     `db:"proved_at"`
	Factor  *time.Time    `db:"factor_at"`
}

const selectSession = `
	SELECT s.id AS session_id, s.kind, s.offline, s.current_team, s.expires_at, s.last_seen_at, s.proved_at, s.factor_at,
		u.id, u.email, u.name, u.avatar_url, u.is_active, u.is_superuser, u.is_verified, u.created_at
	FROM sessions s
	JOIN users u ON u.id = s.user_id
	WHERE s.ended_at IS NULL AND u.is_active`

func tokenSession(ctx context.Context, db *postgres.DB, session, user uuid.UUID) (row sessionRow, err error) {
	err = db.GetContext(ctx, &row, selectSession+` AND s.kind = 'token' AND s.id = $1 AND s.user_id = $2`, session, user)
	if err != nil {
		return sessionRow{}, fmt.Errorf("read the session of a token: %w", err)
	}
	return row, nil
}

func sessionByID(ctx context.Context, db *postgres.DB, session, user uuid.UUID) (row sessionRow, err error) {
	err = db.GetContext(ctx, &row, selectSession+` AND s.id = $1 AND s.user_id = $2`, session, user)
	if err != nil {
		return sessionRow{}, fmt.Errorf("read a session by its id: %w", err)
	}
	return row, nil
}

func browserSession(ctx context.Context, db *postgres.DB, hash []byte) (row sessionRow, err error) {
	err = db.GetContext(ctx, &row, selectSession+` AND s.kind = 'browser' AND s.token_hash = $1`, hash)
	if err != nil {
		return sessionRow{}, fmt.Errorf("read the session of a cookie: %w", err)
	}
	return row, nil
}
