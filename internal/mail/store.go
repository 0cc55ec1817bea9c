package mail

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

type newRow struct {
	id                    uuid.UUID
	to, template, subject string
	body                  []byte
	now, giveUp           time.Time
}

func insert(ctx context.Context, tx *postgres.Tx, r newRow) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO mail_outbox (id, to_address, template, subject, body, created_at, next_attempt_at, give_up_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6, $7)`, r.id, r.to, r.template, r.subject, r.body, r.now, r.giveUp)
	if err != nil {
		return fmt.Errorf("put a mail in the outbox: %w", err)
	}
	return nil
}

// columns are those of Waiting.
const columns = `id, to_address, template, subject, created_at, attempts, next_attempt_at, last_error, failed_at`

// row is a mail that is not sent.
type row struct {
	Waiting
	Body   []byte    `db:"body"`
	GiveUp time.Time `db:"give_up_at"`
}

func pending(ctx context.Context, db *postgres.DB, limit int) ([]Waiting, error) {
	found := []Waiting{}
	err := db.SelectContext(ctx, &found, `
		SELECT `+columns+`
		FROM mail_outbox
		WHERE sent_at IS NULL
		ORDER BY created_at DESC, id DESC
		LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("list the mails that wait: %w", err)
	}
	return found, nil
}

// byID is ErrNoMail or ErrSent where there is nothing to send.
func byID(ctx context.Context, q sqlx.QueryerContext, id uuid.UUID) (r row, err error) {
	err = sqlx.GetContext(ctx, q, &r, `
		SELECT `+columns+`, body, give_up_at
		FROM mail_outbox
		WHERE id = $1`, id)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r, ErrNoMail
	case err != nil:
		return r, fmt.Errorf("read a mail: %w", err)
	case r.Body == nil:
		return r, ErrSent
	}
	return r, nil
}

func again(ctx context.Context, tx *postgres.Tx, id uuid.UUID, now, giveUp time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE mail_outbox SET next_attempt_at = $2, give_up_at = $3, failed_at = NULL
		WHERE id = $1 AND sent_at IS NULL`, id, now, giveUp)
	if err != nil {
		return fmt.Errorf("have a mail tried again: %w", err)
	}
	return nil
}

// isPending is what the index mail_outbox_pending holds.
const isPending = `sent_at IS NULL AND failed_at IS NULL`

// claim takes up to limit mails that are due, for one attempt until the given time. Those that another replica is claiming are left
// to it.
func claim(ctx context.Context, db *postgres.DB, now, until time.Time, limit int) (rows []row, err error) {
	err = db.SelectContext(ctx, &rows, `
		UPDATE mail_outbox SET claimed_until = $2, attempts = attempts + 1
		WHERE id = ANY (ARRAY(
			SELECT id FROM mail_outbox
			WHERE `+isPending+` AND next_attempt_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)
			ORDER BY next_attempt_at
			LIMIT $3
			FOR UPDATE SKIP LOCKED))
		RETURNING `+columns+`, body, give_up_at`, now, until, limit)
	if err != nil {
		return nil, fmt.Errorf("take mails from the outbox: %w", err)
	}
	return rows, nil
}

// giveUpOld gives up what waited too long, such as while there was no server to send it by.
func giveUpOld(ctx context.Context, db *postgres.DB, now time.Time) error {
	_, err := db.ExecContext(ctx, `
		UPDATE mail_outbox SET failed_at = $1, last_error = coalesce(nullif(last_error, ''), 'it waited too long to be of use')
		WHERE `+isPending+` AND give_up_at <= $1 AND (claimed_until IS NULL OR claimed_until <= $1)`, now)
	if err != nil {
		return fmt.Errorf("give up old mails: %w", err)
	}
	return nil
}

// sent counts whoever noted a failure meanwhile: the mail is out. What it said is forgotten.
func sent(ctx context.Context, db *postgres.DB, id uuid.UUID, now time.Time) error {
	_, err := db.ExecContext(ctx, `
		UPDATE mail_outbox SET sent_at = $2, body = NULL, claimed_until = NULL, failed_at = NULL, last_error = ''
		WHERE id = $1 AND sent_at IS NULL`, id, now)
	if err != nil {
		return fmt.Errorf("note that a mail was sent: %w", err)
	}
	return nil
}

// failed notes what was wrong. next is nil when nobody shall try again. An attempt that somebody else made since counts for more.
func failed(ctx context.Context, db *postgres.DB, id uuid.UUID, attempt int, reason string, now time.Time, next *time.Time) error {
	_, err := db.ExecContext(ctx, `
		UPDATE mail_outbox SET
			claimed_until = NULL, last_error = $3,
			next_attempt_at = coalesce($5, next_attempt_at),
			failed_at = CASE WHEN cast($5 AS timestamptz) IS NULL THEN cast($4 AS timestamptz) END
		WHERE id = $1 AND attempts = $2 AND sent_at IS NULL`, id, attempt, reason, now, next)
	if err != nil {
		return fmt.Errorf("note that a mail was not sent: %w", err)
	}
	return nil
}

// purgeBatch bounds what one statement deletes, so that no lock is held for long.
const purgeBatch = 1000

func purge(ctx context.Context, db *postgres.DB, sentBefore, putBefore time.Time) (deleted int, err error) {
	for {
		result, err := db.ExecContext(ctx, `
			DELETE FROM mail_outbox
			WHERE id = ANY (ARRAY(
				SELECT id FROM mail_outbox
				WHERE (created_at < $1 AND sent_at < $1) OR created_at < $2
				LIMIT $3
				FOR UPDATE SKIP LOCKED))`, sentBefore, putBefore, purgeBatch)
		if err != nil {
			return deleted, fmt.Errorf("delete old mails: %w", err)
		}
		rows, err := result.RowsAffected()
		deleted += int(rows)
		if err != nil || rows < purgeBatch {
			return deleted, err
		}
	}
}
