package auth

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// account is a user with what only this package may see.
type account struct {
	User
	PasswordHash string `db:"password_hash"`
	Epoch        int64  `db:"sign_in_epoch"` // changes when all sessions are ended
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
		SELECT id, email, name, avatar_url, is_active, is_superuser, is_verified, created_at, password_hash, sign_in_epoch
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

// Both hold an account until the transaction ends; the second lets others refer to it meanwhile, as new sessions do.
const (
	forUpdate      = "FOR UPDATE"
	forNoKeyUpdate = "FOR NO KEY UPDATE"
)

// accountByID returns the account of a person, or the zero account when there is none. lock is empty or one of those.
func accountByID(ctx context.Context, q sqlx.QueryerContext, id uuid.UUID, lock string) (account, error) {
	var a account
	err := sqlx.GetContext(ctx, q, &a, `
		SELECT id, email, name, avatar_url, is_active, is_superuser, is_verified, created_at, password_hash
		FROM users
		WHERE id = $1 AND kind = 'person' `+lock, id)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, nil
	}
	if err != nil {
		return account{}, fmt.Errorf("find a user by id: %w", err)
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

// noteLogin says false when there is no such active user, or all their sessions were ended since epoch. Until the transaction ends
// nobody can end them all.
func noteLogin(ctx context.Context, tx *postgres.Tx, user uuid.UUID, epoch *int64, now time.Time) (bool, error) {
	result, err := tx.ExecContext(ctx, `
		UPDATE users SET last_login_at = $2
		WHERE id = $1 AND is_active AND kind = 'person' AND sign_in_epoch = coalesce($3, sign_in_epoch)`, user, now, epoch)
	if err != nil {
		return false, fmt.Errorf("note a login: %w", err)
	}
	rows, err := result.RowsAffected()
	return rows == 1, err
}
