package device

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/lib/pq"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// waiting is a request as the program that polls for it meets it.
type waiting struct {
	Name     string         `db:"name"`
	Scopes   pq.StringArray `db:"scopes"`
	Expires  time.Time      `db:"expires_at"`
	Pause    int            `db:"pause"`
	Polled   *time.Time     `db:"polled_at"`
	User     uuid.NullUUID  `db:"user_id"`
	Email    sql.NullString `db:"email"`
	Approved *bool          `db:"approved"`
	Used     *time.Time     `db:"used_at"`
}

// Poll answers a program: its API key, once, when somebody approved; otherwise one of the errors.
func (s *Service) Poll(ctx context.Context, code string) (key string, err error) {
	if len(code) != deviceLength {
		return "", ErrGrant
	}
	w, err := s.visit(ctx, code)
	if err != nil {
		return "", err
	}
	user := auth.User{ID: w.User.UUID, Email: w.Email.String}
	key, err = s.cfg.Keys.MakeKey(ctx, user, w.Name, w.Scopes, func(ctx context.Context, tx *postgres.Tx) error {
		return s.use(ctx, tx, code)
	})
	if problem.Of(err).Status == http.StatusNotFound { // whoever approved was put out meanwhile
		return "", ErrGrant.Because(err)
	}
	return key, err
}

// visit notes a poll and returns the request if it was approved.
func (s *Service) visit(ctx context.Context, code string) (w waiting, err error) {
	var verdict error
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if w, err = lock(ctx, tx, code); err != nil {
			return err
		}
		if verdict = s.judge(&w); verdict == nil {
			return nil
		}
		return notePoll(ctx, tx, code, w.Pause, s.cfg.Now())
	})
	if err != nil {
		return w, err
	}
	return w, verdict
}

// judge says what a poll is answered with; nil: the key. Who polls too early must wait longer from then on.
func (s *Service) judge(w *waiting) error {
	now := s.cfg.Now()
	switch {
	case w.Used != nil:
		return ErrGrant
	case !now.Before(w.Expires):
		return ErrExpired
	case w.Approved != nil && !*w.Approved:
		return ErrDenied
	case w.Approved != nil:
		return nil
	case w.Polled != nil && now.Sub(*w.Polled) < time.Duration(w.Pause)*time.Second-tolerance:
		w.Pause = min(w.Pause+slower, maxPause)
		return ErrSlow
	}
	return ErrPending
}

func lock(ctx context.Context, tx *postgres.Tx, code string) (w waiting, err error) {
	err = tx.GetContext(ctx, &w, `
		SELECT d.name, d.scopes, d.expires_at, d.pause, d.polled_at, d.user_id, d.approved, d.used_at,
		       (SELECT email FROM users WHERE id = d.user_id) AS email
		FROM device_requests d
		WHERE d.device_hash = $1
		FOR UPDATE OF d`, hashDevice(code))
	if errors.Is(err, sql.ErrNoRows) {
		return w, ErrGrant
	}
	if err != nil {
		return w, fmt.Errorf("read a device's request: %w", err)
	}
	return w, nil
}

func notePoll(ctx context.Context, tx *postgres.Tx, code string, pause int, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE device_requests SET polled_at = $2, pause = $3 WHERE device_hash = $1`, hashDevice(code), now, pause); err != nil {
		return fmt.Errorf("note a device's poll: %w", err)
	}
	return nil
}

// use hands the key out: of many at the same time exactly one gets it. Whoever approved must be active still.
func (s *Service) use(ctx context.Context, tx *postgres.Tx, code string) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE device_requests d SET used_at = $2
		FROM users u
		WHERE d.device_hash = $1 AND d.approved AND d.used_at IS NULL AND d.expires_at > $2 AND u.id = d.user_id AND u.is_active`,
		hashDevice(code), s.cfg.Now())
	if err != nil {
		return fmt.Errorf("use a device's request: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return ErrGrant.Because(err)
	}
	return nil
}

// tolerance is what the way of a poll may take less than that of the one before.
const tolerance = 500 * time.Millisecond

// keepOver is how long a request that is over is kept: its program still hears that it expired.
const keepOver = time.Hour

// Purge deletes requests that are long over, and says how many.
func (s *Service) Purge(ctx context.Context) (int, error) {
	result, err := s.db.ExecContext(ctx, `
		DELETE FROM device_requests
		WHERE device_hash = ANY (ARRAY(
			SELECT device_hash FROM device_requests WHERE expires_at < $1 LIMIT 10000 FOR UPDATE SKIP LOCKED))`, s.cfg.Now().Add(-keepOver))
	if err != nil {
		return 0, postgres.Problem(fmt.Errorf("delete old requests of devices: %w", err))
	}
	rows, err := result.RowsAffected()
	return int(rows), err
}

// Drop takes back, in the caller's transaction, what a user approved and nobody has fetched yet: for one who is put out.
func (s *Service) Drop(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `UPDATE device_requests SET approved = false WHERE user_id = $1 AND used_at IS NULL`, user); err != nil {
		return fmt.Errorf("take back approvals of devices: %w", err)
	}
	return nil
}
