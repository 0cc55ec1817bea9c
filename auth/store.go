package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// account is a user with what only this package may see.
type account struct {
	User
	PasswordHash string `db:"password_hash"`
}

// maxEmail bounds what is looked up; no stored address is longer.
const maxEmail = 512

// accountByKey returns the zero account when there is none. Any text may be asked for.
func accountByKey(ctx context.Context, q sqlx.QueryerContext, email string) (account, error) {
	var a account
	if len(email) > maxEmail || !storable(email) {
		return a, nil
	}
	err := sqlx.GetContext(ctx, q, &a, `
		SELECT id, email, name, avatar_url, is_active, is_superuser, is_verified, created_at, password_hash
		FROM users
		WHERE email_key = $1 AND kind = 'person'`, emailKey(email))
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, nil
	}
	if err != nil {
		return account{}, fmt.Errorf("find a user by address: %w", err)
	}
	return a, nil
}

func insertUser(ctx context.Context, tx *postgres.Tx, u User, hash string) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO users (id, email, email_key, name, password_hash, is_active, is_superuser, is_verified, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		u.ID, u.Email, emailKey(u.Email), u.Name, hash, u.IsActive, u.IsSuperuser, u.IsVerified, u.CreatedAt)
	if err != nil {
		return fmt.Errorf("insert a user: %w", err)
	}
	return nil
}

// replaceHash changes nothing when the password was changed meanwhile.
func replaceHash(ctx context.Context, db *postgres.DB, user uuid.UUID, from, to string) error {
	_, err := db.ExecContext(ctx, `
		UPDATE users SET password_hash = $3
		WHERE id = $1 AND password_hash = $2`, user, from, to)
	if err != nil {
		return fmt.Errorf("replace a password hash: %w", err)
	}
	return nil
}

func noteLogin(ctx context.Context, tx *postgres.Tx, user uuid.UUID, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET last_login_at = $2 WHERE id = $1`, user, now); err != nil {
		return fmt.Errorf("note a login: %w", err)
	}
	return nil
}

// The kinds of sessions.
const (
	kindToken   = "token"
	kindBrowser = "browser"
)

type newSession struct {
	id, user     uuid.UUID
	kind         string
	hash         []byte // of the cookie; nil for tokens
	method       string // how the user proved who they are
	factor       bool   // with a second factor
	now, expires time.Time
	from         Client
}

// insertSession says false when there is no such active user.
func insertSession(ctx context.Context, tx *postgres.Tx, n newSession) (bool, error) {
	result, err := tx.ExecContext(ctx, `
		INSERT INTO sessions (id, user_id, kind, token_hash, created_at, last_seen_at, proved_at, expires_at, ip, user_agent, method, factor_at)
		SELECT $1, id, $3, $4, cast($5 AS timestamptz), $5, $5, $6, $7, $8, coalesce(nullif($9, ''), 'password'), CASE WHEN cast($10 AS boolean) THEN cast($5 AS timestamptz) END
		FROM users
		WHERE id = $2 AND is_active AND kind = 'person'`,
		n.id, n.user, n.kind, n.hash, n.now, n.expires, printable(n.from.IP), printable(n.from.UserAgent), n.method, n.factor)
	if err != nil {
		return false, fmt.Errorf("insert a session: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
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

func setTeam(ctx context.Context, tx *postgres.Tx, session, team uuid.UUID) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE sessions SET current_team = $2
		WHERE id = $1 AND ended_at IS NULL`, session, team)
	if err != nil {
		return fmt.Errorf("set the current team of a session: %w", err)
	}
	return nil
}

func touchSessions(ctx context.Context, db *postgres.DB, sessions []uuid.UUID, now time.Time) error {
	_, err := db.ExecContext(ctx, `
		UPDATE sessions SET last_seen_at = $2
		WHERE id = any($1) AND last_seen_at < $2`, pq.Array(sessions), now)
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
	Team    uuid.NullUUID `db:"current_team"`
	Expires time.Time     `db:"expires_at"`
	Seen    time.Time     `db:"last_seen_at"`
	Proved  time.Time     `db:"proved_at"`
	Factor  *time.Time    `db:"factor_at"`
}

const selectSession = `
	SELECT s.id AS session_id, s.kind, s.current_team, s.expires_at, s.last_seen_at, s.proved_at, s.factor_at,
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
