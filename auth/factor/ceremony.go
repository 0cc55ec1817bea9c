package factor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// What a browser may be asked for a passkey for. The answer to one kind is none to another.
const (
	toRegister = "register"
	asFactor   = "factor"
	toLogin    = "login"
)

const ceremonyFor = 5 * time.Minute

// Ceremony is a question to a browser: options is what navigator.credentials takes.
type Ceremony struct {
	Token   string `json:"ceremony"` // goes back with the answer
	Options any    `json:"options"`  // {"publicKey": …}
}

// keepCeremony keeps what was asked, until it is answered. Those that ran out go on the way.
func keepCeremony(ctx context.Context, db *postgres.DB, purpose string, user uuid.UUID, binding string, asked []byte, now time.Time) (string, error) {
	token := rand.Text() + rand.Text()
	return token, db.InTx(ctx, func(tx *postgres.Tx) error {
		_, err := tx.ExecContext(ctx, `
			DELETE FROM passkey_ceremonies
			WHERE token_hash = ANY (ARRAY(
				SELECT token_hash FROM passkey_ceremonies
				WHERE expires_at < $1
				LIMIT 100
				FOR UPDATE SKIP LOCKED))`, now)
		if err != nil {
			return fmt.Errorf("delete old ceremonies: %w", err)
		}
		_, err = tx.ExecContext(ctx, `
			INSERT INTO passkey_ceremonies (token_hash, purpose, user_id, bound_hash, asked, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`,
			digest(token), purpose, uuid.NullUUID{UUID: user, Valid: user != uuid.Nil}, digest(binding), asked, now.Add(ceremonyFor))
		if err != nil {
			return fmt.Errorf("keep a ceremony: %w", err)
		}
		return nil
	})
}

// takeCeremony returns what was asked, once: for that purpose, of that user (uuid.Nil: of whoever answers), from where it was asked.
// Else it is errNoMatch.
func takeCeremony(ctx context.Context, q sqlx.QueryerContext, purpose string, user uuid.UUID, binding, token string, now time.Time) (asked []byte, err error) {
	err = sqlx.GetContext(ctx, q, &asked, `
		DELETE FROM passkey_ceremonies
		WHERE token_hash = $1 AND purpose = $2 AND user_id IS NOT DISTINCT FROM $3 AND bound_hash = $4 AND expires_at > $5
		RETURNING asked`,
		digest(token), purpose, uuid.NullUUID{UUID: user, Valid: user != uuid.Nil}, digest(binding), now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoMatch
	}
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("take a ceremony: %w", err))
	}
	return asked, nil
}

func digest(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}
