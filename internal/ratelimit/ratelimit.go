// Package ratelimit owns how often somebody may try: to sign in, to register, to have a mail sent, to guess a code. It owns the bans
// of those who guessed too often, too.
//
// It never decides what a try is or what is answered to one, and it keeps no address in the clear, except in the bans, which an
// administrator must be able to read. Its key idea: the counts are rows in Postgres that all replicas share, and a try is one
// statement that takes it from every bucket that it concerns, or from none and says how long to wait.
package ratelimit

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Config is what a Limiter needs.
type Config struct {
	DB     *postgres.DB     // required
	Secret []byte           // keys the hashes of who tried; the same for all replicas
	Now    func() time.Time // the database's clock by default, which all replicas share
	Log    *slog.Logger     // discards by default
}

// Limiter is the limits of one installation.
type Limiter struct {
	cfg Config
	db  *postgres.DB
}

// New makes a limiter. It keeps nothing in memory.
func New(cfg Config) *Limiter {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Limiter{cfg: cfg, db: cfg.DB}
}

// ErrBanned says that the try comes from somebody who is banned. Whoever can answer as to a wrong guess does so; shown as it is, it
// looks like any other limit.
var ErrBanned = &problem.Error{Status: http.StatusTooManyRequests, Detail: tooMany, RetryAfter: time.Minute}

const tooMany = "You tried this too often. Wait a moment, then try again."

// Take counts one try of the action under each key: "email:…", "user:…" and "ip:…". It answers 429 with Retry-After when one of them
// has none left, and then counts it under none; ErrBanned when a key is banned; 503 when the database is away.
func (l *Limiter) Take(ctx context.Context, action string, keys ...string) error {
	b, err := l.buckets(action, keys)
	if err != nil || len(b.keys) == 0 {
		return err
	}
	wait, banned, err := l.take(ctx, b)
	switch {
	case err != nil:
		return postgres.Problem(fmt.Errorf("count a try of %s: %w", action, err))
	case wait > 0:
		return limited(wait)
	case banned && b.bans:
		return ErrBanned
	}
	return nil
}

func limited(wait time.Duration) error {
	seconds := int((wait + time.Second - 1) / time.Second)
	text := fmt.Sprintf("You tried this too often. Wait %d seconds, then try again.", seconds)
	if seconds == 1 {
		text = "You tried this too often. Wait a second, then try again."
	}
	return &problem.Error{Status: http.StatusTooManyRequests, Detail: text, RetryAfter: wait}
}

func (l *Limiter) take(ctx context.Context, b buckets) (wait time.Duration, banned bool, err error) {
	var seconds sql.NullFloat64
	err = l.db.QueryRowxContext(ctx, `
		SELECT extract(epoch FROM limits_take($1::bytea[], $2::interval[], $3::integer[], $4::bytea, $5::bytea, coalesce($6, now()))),
		       EXISTS (SELECT 1 FROM bans
		               WHERE (kind, key) IN (SELECT * FROM unnest($7::text[], $8::text[])) AND until > coalesce($6, now()))`,
		pq.Array(b.keys), pq.Array(b.steps()), pq.Array(b.bursts()), b.account, b.pair, l.now(), pq.Array(b.kinds), pq.Array(b.names),
	).Scan(&seconds, &banned)
	return time.Duration(seconds.Float64 * float64(time.Second)), banned, err
}

// Failed notes that a try was wrong: the next ones under the same keys must wait longer, and an address with many is banned. What
// somebody banned tries does not count, so that a ban ends although others behind the same address go on: it is written where nobody
// looks, because writing nothing would take less time, and tell.
func (l *Limiter) Failed(ctx context.Context, action string, keys ...string) error {
	b, err := l.buckets(action, keys)
	if err != nil || len(b.keys) == 0 {
		return err
	}
	var counts pq.Int64Array
	var banned bool
	err = l.db.QueryRowxContext(ctx, `
		SELECT banned, limits_fail(CASE WHEN banned THEN $10::bytea[] ELSE $1::bytea[] END,
			$2::integer[], $3::interval[], $4::interval[], $5::bytea, $6::bytea, coalesce($7, now()))
		FROM (SELECT EXISTS (SELECT 1 FROM bans
		                     WHERE (kind, key) IN (SELECT * FROM unnest($8::text[], $9::text[])) AND until > coalesce($7, now())) AS banned) AS b`,
		pq.Array(b.keys), pq.Array(b.frees()), pq.Array(b.leaks()), pq.Array(b.longests()), b.account, b.pair, l.now(),
		pq.Array(b.kinds), pq.Array(b.names), pq.Array(b.unread()),
	).Scan(&banned, &counts)
	if err != nil {
		return postgres.Problem(fmt.Errorf("count a failure of %s: %w", action, err))
	}
	if banned {
		return nil
	}
	return l.banAfter(ctx, b, counts)
}

// keepKnown is how long an address at which somebody signed in counts for itself.
const keepKnown = 30 * 24 * time.Hour

// Succeeded gives the try back, forgets the failures of the bucket that it was taken from, and remembers that the account's owner was
// at this address. The failures of the address stay: whoever has one account could else guess at others for ever.
func (l *Limiter) Succeeded(ctx context.Context, action string, keys ...string) error {
	b, err := l.buckets(action, keys)
	if err != nil || b.account == nil {
		return err
	}
	_, err = l.db.ExecContext(ctx, `
		WITH cleared AS (
			UPDATE limits SET failures = 0, failed_at = NULL, blocked_until = NULL, full_at = full_at - $5::interval
			WHERE key = $1 AND NOT EXISTS (SELECT 1 FROM limits WHERE key = $2::bytea AND known_until > coalesce($3, now()))
		)
		INSERT INTO limits AS l (key, full_at, known_until, expires_at)
		SELECT $2::bytea, coalesce($3, now()), coalesce($3, now()) + $4::interval, coalesce($3, now()) WHERE $2::bytea IS NOT NULL
		ON CONFLICT (key) DO UPDATE
		SET failures = 0, failed_at = NULL, blocked_until = NULL, full_at = l.full_at - $5::interval, known_until = excluded.known_until`,
		b.account, b.pair, l.now(), interval(keepKnown), interval(b.step(b.account)))
	if err != nil {
		return postgres.Problem(fmt.Errorf("forget failures of %s: %w", action, err))
	}
	return nil
}

// now is null where the database's clock counts.
func (l *Limiter) now() sql.NullTime {
	if l.cfg.Now == nil {
		return sql.NullTime{}
	}
	return sql.NullTime{Time: l.cfg.Now(), Valid: true}
}

// interval is a time as Postgres reads it.
func interval(d time.Duration) string { return fmt.Sprintf("%d microseconds", d.Microseconds()) }
