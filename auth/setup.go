package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	setupLifetime = 30 * time.Minute
	setupLength   = 26 // of rand.Text
	setupLinks    = 20 // that are good at the same time, so that a server that restarts in a loop does not fill the table
)

var errSetupGone = problem.New(http.StatusGone,
	"This setup link was used, has run out, or there is an administrator already. If there is none, restart the server to get a new link.")

// SetupLink makes a one-time token with which the first superuser makes an account. Those that other replicas made stay good for
// their time. needed is false, and there is no token, once a superuser exists.
func (s *Service) SetupLink(ctx context.Context) (token string, needed bool, err error) {
	token = rand.Text()
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := lockSuperusers(ctx, tx); err != nil {
			return err
		}
		exists, err := superuserExists(ctx, tx)
		if needed = !exists; exists || err != nil {
			return err
		}
		return addSetupLink(ctx, tx, hashSetup(token), s.cfg.Now())
	})
	if err != nil || !needed {
		return "", false, err
	}
	return token, true, nil
}

// CheckSetup says whether the token could be used now.
func (s *Service) CheckSetup(ctx context.Context, token string) error {
	if len(token) != setupLength {
		return errSetupGone
	}
	var usable bool
	err := s.db.GetContext(ctx, &usable, `
		SELECT EXISTS (
			SELECT FROM setup_links
			WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
		) AND NOT EXISTS (SELECT FROM users WHERE is_superuser)`, hashSetup(token), s.cfg.Now())
	if err != nil {
		return postgres.Problem(fmt.Errorf("check a setup link: %w", err))
	}
	if !usable {
		return errSetupGone
	}
	return nil
}

// CompleteSetup uses the token up and makes the first superuser, both or neither.
func (s *Service) CompleteSetup(ctx context.Context, token string, r Registration) (User, error) {
	if err := s.CheckSetup(ctx, token); err != nil { // before a hash is spent on a stranger
		return User{}, err
	}
	return s.create(ctx, r, creation{superuser: true, actor: "setup link", claim: func(ctx context.Context, tx *postgres.Tx) error {
		return claimSetupLink(ctx, tx, hashSetup(token), s.cfg.Now())
	}})
}

func hashSetup(token string) []byte {
	hash := sha256.Sum256([]byte(token))
	return hash[:]
}

// lockSuperusers makes "there is no superuser" hold until the transaction ends.
func lockSuperusers(ctx context.Context, tx *postgres.Tx) error {
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtext('openhands-saas superusers'))`); err != nil {
		return fmt.Errorf("lock the making of superusers: %w", err)
	}
	return nil
}

func superuserExists(ctx context.Context, tx *postgres.Tx) (exists bool, err error) {
	if err = tx.GetContext(ctx, &exists, `SELECT EXISTS (SELECT FROM users WHERE is_superuser)`); err != nil {
		return false, fmt.Errorf("look for a superuser: %w", err)
	}
	return exists, nil
}

// addSetupLink keeps the newest links that have not expired, up to their limit.
func addSetupLink(ctx context.Context, tx *postgres.Tx, hash []byte, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM setup_links
		WHERE used_at IS NULL AND (expires_at <= $1 OR token_hash NOT IN (
			SELECT token_hash FROM setup_links
			WHERE used_at IS NULL
			ORDER BY created_at DESC, token_hash
			LIMIT $2))`, now, setupLinks-1)
	if err != nil {
		return fmt.Errorf("delete old setup links: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO setup_links (token_hash, created_at, expires_at)
		VALUES ($1, $2, $3)`, hash, now, now.Add(setupLifetime))
	if err != nil {
		return fmt.Errorf("insert a setup link: %w", err)
	}
	return nil
}

// closeSetup makes all links useless for good: what was printed for the first superuser must not make another, even when the
// first is one no longer.
func closeSetup(ctx context.Context, tx *postgres.Tx, now time.Time) error {
	if _, err := tx.ExecContext(ctx, `UPDATE setup_links SET used_at = $1 WHERE used_at IS NULL`, now); err != nil {
		return fmt.Errorf("close the setup: %w", err)
	}
	return nil
}

// claimSetupLink is one conditional UPDATE, so that of two who come at the same time only one gets through.
func claimSetupLink(ctx context.Context, tx *postgres.Tx, hash []byte, now time.Time) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE setup_links SET used_at = $2
		WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
			AND NOT EXISTS (SELECT FROM users WHERE is_superuser)`, hash, now)
	if err != nil {
		return fmt.Errorf("use a setup link: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return firstOf(err, errSetupGone)
	}
	return nil
}
