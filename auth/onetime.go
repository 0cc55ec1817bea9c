package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// What one-time tokens are for. One kind never works as another.
const (
	purposeReset     = "reset"
	purposeVerify    = "verify"
	purposeRevert    = "revert"
	purposeChallenge = "challenge"
)

// oneTimeLength is the length of a one-time token: twice rand.Text.
const oneTimeLength = 52

// oneTime is a token that was sent to somebody, or stands between two steps of signing in, as it is kept.
type oneTime struct {
	User    uuid.UUID       `db:"user_id"`
	Email   string          `db:"email"` // the address that it was made for
	Data    json.RawMessage `db:"data"`
	Created time.Time       `db:"created_at"`
	Used    *time.Time      `db:"used_at"`
}

// issueOneTime makes a token; it is the only copy. data may be nil.
func issueOneTime(ctx context.Context, tx *postgres.Tx, purpose string, user uuid.UUID, email string, data any, now, expires time.Time) (string, error) {
	token := rand.Text() + rand.Text()
	if data == nil {
		data = struct{}{}
	}
	kept, err := json.Marshal(data)
	if err != nil {
		return "", fmt.Errorf("encode what a one-time token is for: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO one_time_tokens (token_hash, user_id, purpose, email, data, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, hashOneTime(token), user, purpose, email, kept, now, expires)
	if err != nil {
		return "", fmt.Errorf("insert a one-time token: %w", err)
	}
	return token, nil
}

var errNoOneTime = errors.New("no such one-time token, or it ran out")

// readOneTime returns a token that has not run out, whether it was used or not, and locks it, so that of many who bring it at the
// same time each sees what the one before did. Otherwise it is errNoOneTime.
func readOneTime(ctx context.Context, tx *postgres.Tx, purpose, token string, now time.Time) (o oneTime, err error) {
	if len(token) != oneTimeLength {
		return o, errNoOneTime
	}
	err = tx.GetContext(ctx, &o, `
		SELECT user_id, email, data, created_at, used_at
		FROM one_time_tokens
		WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3
		FOR UPDATE`, hashOneTime(token), purpose, now)
	return o, orNoOneTime(err, "read")
}

// peekOneTime is for a first look: a token that is still good, without any hold on it.
func peekOneTime(ctx context.Context, db *postgres.DB, purpose, token string, now time.Time) (o oneTime, err error) {
	if len(token) != oneTimeLength {
		return o, errNoOneTime
	}
	err = db.GetContext(ctx, &o, `
		SELECT user_id, email, data, created_at, used_at
		FROM one_time_tokens
		WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND used_at IS NULL`, hashOneTime(token), purpose, now)
	return o, orNoOneTime(err, "look at")
}

// useOneTime uses a token up: of many at the same time exactly one gets it, all others errNoOneTime.
func useOneTime(ctx context.Context, tx *postgres.Tx, purpose, token string, now time.Time) (o oneTime, err error) {
	if len(token) != oneTimeLength {
		return o, errNoOneTime
	}
	err = tx.GetContext(ctx, &o, `
		UPDATE one_time_tokens SET used_at = $3
		WHERE token_hash = $1 AND purpose = $2 AND expires_at > $3 AND used_at IS NULL
		RETURNING user_id, email, data, created_at, used_at`, hashOneTime(token), purpose, now)
	return o, orNoOneTime(err, "use")
}

// orNoOneTime is the error of who wanted to do that with a token: there is none, or the database failed.
func orNoOneTime(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return errNoOneTime
	}
	return fmt.Errorf("%s a one-time token: %w", doing, err)
}

// dropOneTime makes all tokens of a user for a purpose useless.
func dropOneTime(ctx context.Context, tx *postgres.Tx, purpose string, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM one_time_tokens WHERE user_id = $1 AND purpose = $2`, user, purpose); err != nil {
		return fmt.Errorf("drop one-time tokens: %w", err)
	}
	return nil
}

func hashOneTime(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}
