package ratelimit

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// automatic is who made the bans that nobody made.
const automatic = "automatic"

// Ban is somebody whose guesses are answered as wrong ones, right or not, until a time.
type Ban struct {
	Kind    string    `db:"kind"`    // KindIP or KindAccount
	Key     string    `db:"key"`     // the IP address (of IPv6 its network of 64 bits), or the account's address in small letters
	Reason  string    `db:"reason"`  // for administrators
	MadeBy  string    `db:"made_by"` // an address, "command line" or "automatic"
	Created time.Time `db:"created_at"`
	Until   time.Time `db:"until"`
}

// maxBans bounds a list of bans. There are hardly ever so many, and the newest matter.
const maxBans = 1000

// Bans lists the bans that hold, the newest first: at most 1,000.
func (l *Limiter) Bans(ctx context.Context) ([]Ban, error) {
	bans := []Ban{}
	err := l.db.SelectContext(ctx, &bans, `
		SELECT kind, key, reason, made_by, created_at, until
		FROM bans
		WHERE until > coalesce($1, now())
		ORDER BY created_at DESC, kind, key
		LIMIT $2`, l.now(), maxBans)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("list bans: %w", err))
	}
	return bans, nil
}

// Ban bans an IP address or an account for a time, and replaces an earlier ban of the same. by is the actor of the audit line.
func (l *Limiter) Ban(ctx context.Context, kind, key string, lasts time.Duration, reason, by string) error {
	key, err := banKey(kind, key)
	if err != nil {
		return err
	}
	if lasts <= 0 || lasts > maxBan {
		return problem.New(http.StatusBadRequest, "Give a ban a duration of at most a year.")
	}
	return l.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := l.insertBan(ctx, tx, Ban{Kind: kind, Key: key, Reason: clip(reason), MadeBy: by}, lasts); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Actor: by, Action: "ban.add", Object: kind + ":" + key, Detail: map[string]any{
			"reason": clip(reason), "minutes": int(lasts / time.Minute),
		}})
	})
}

const (
	maxBan    = 366 * 24 * time.Hour
	maxReason = 200
)

func clip(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
	if runes := []rune(text); len(runes) > maxReason {
		return string(runes[:maxReason])
	}
	return text
}

// Unban ends a ban at once. It answers 404 when there is none. by is the actor of the audit line.
func (l *Limiter) Unban(ctx context.Context, kind, key, by string) error {
	key, err := banKey(kind, key)
	if err != nil {
		return err
	}
	return l.db.InTx(ctx, func(tx *postgres.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM bans WHERE kind = $1 AND key = $2 AND until > coalesce($3, now())`, kind, key, l.now())
		if err != nil {
			return fmt.Errorf("delete a ban: %w", err)
		}
		if rows, err := result.RowsAffected(); err != nil || rows == 0 {
			return problem.New(http.StatusNotFound, "There is no such ban.").Because(err)
		}
		return audit.Record(ctx, tx, audit.Entry{Actor: by, Action: "ban.remove", Object: kind + ":" + key})
	})
}

// banKey folds what a ban is for as Take folds it.
func banKey(kind, key string) (string, error) {
	switch kind {
	case KindIP:
		network, err := Network(strings.TrimSpace(key))
		if err != nil {
			return "", problem.New(http.StatusBadRequest, "Write an IP address, such as 203.0.113.7 or 2001:db8::1.")
		}
		return network, nil
	case KindAccount:
		if key = Fold(key); key != "" && len(key) <= maxAccount {
			return key, nil
		}
	}
	return "", problem.New(http.StatusBadRequest, "Say what to ban: an ip, or an account by its e-mail address.")
}

// banAfter bans the addresses whose failures have reached the number of their rule.
func (l *Limiter) banAfter(ctx context.Context, b buckets, failures []int64) error {
	for n, rule := range b.rules {
		if rule.Ban == 0 || n >= len(failures) || failures[n] < int64(rule.Ban) {
			continue
		}
		ban := Ban{Kind: b.kinds[n], Key: b.names[n], Reason: fmt.Sprintf("%d failures within minutes", failures[n]), MadeBy: automatic}
		if err := l.banBy(ctx, ban, b.keys[n], rule.BanFor); err != nil {
			return err
		}
		l.cfg.Log.WarnContext(ctx, "banned after too many failures", "kind", ban.Kind, "key", ban.Key, "for", rule.BanFor)
	}
	return nil
}

// banBy writes an automatic ban. When it ends, the count begins anew.
func (l *Limiter) banBy(ctx context.Context, ban Ban, bucket []byte, lasts time.Duration) error {
	return l.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := l.insertBan(ctx, tx, ban, lasts); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE limits SET failures = 0, failed_at = NULL, blocked_until = NULL WHERE key = $1`, bucket); err != nil {
			return fmt.Errorf("begin a count anew: %w", err)
		}
		return audit.Record(ctx, tx, audit.Entry{Actor: automatic, Action: "ban.add", Object: ban.Kind + ":" + ban.Key, Detail: map[string]any{
			"reason": ban.Reason, "minutes": int(lasts / time.Minute),
		}})
	})
}

func (l *Limiter) insertBan(ctx context.Context, tx *postgres.Tx, b Ban, lasts time.Duration) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO bans (kind, key, reason, made_by, created_at, until)
		VALUES ($1, $2, $3, $4, coalesce($5, now()), coalesce($5, now()) + $6::interval)
		ON CONFLICT (kind, key) DO UPDATE
		SET reason = excluded.reason, made_by = excluded.made_by, created_at = excluded.created_at, until = excluded.until`,
		b.Kind, b.Key, b.Reason, b.MadeBy, l.now(), interval(lasts))
	if err != nil {
		return fmt.Errorf("insert a ban: %w", err)
	}
	return nil
}
