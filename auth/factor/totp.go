package factor

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	stepSeconds = 30
	skew        = 1 // steps that a clock may be off, either way
	pendingFor  = 10 * time.Minute
)

// Enrolment is a new authenticator app that waits for its first code.
type Enrolment struct {
	Secret string `json:"secret"` // to be typed
	URI    string `json:"uri"`    // otpauth://…
	QR     string `json:"qr_svg"` // the same as a picture
}

var errNoEnrolment = problem.New(http.StatusConflict, "No authenticator app is being set up in this session, or it took too long. Begin again.")

// Enrol begins to set up an authenticator app, which replaces the one before once it is confirmed.
func (s *Service) Enrol(ctx context.Context, id auth.Identity) (Enrolment, error) {
	if err := s.users.RequireFresh(id); err != nil {
		return Enrolment{}, err
	}
	if s.keys == nil {
		return Enrolment{}, errUnsealable
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: s.issuer, AccountName: id.User.Email})
	if err != nil {
		return Enrolment{}, fmt.Errorf("make a secret: %w", err)
	}
	sealed, err := s.keys.Seal([]byte(key.Secret()), place(id.User.ID)...)
	if err != nil {
		return Enrolment{}, err
	}
	picture, err := svg(key.URL())
	if err != nil {
		return Enrolment{}, err
	}
	_, err = s.db.ExecContext(ctx, `
		INSERT INTO totp_factors (user_id, pending, pending_session, pending_until)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id) DO UPDATE SET pending = $2, pending_session = $3, pending_until = $4`,
		id.User.ID, sealed, id.Session, s.now().Add(pendingFor))
	if err != nil {
		return Enrolment{}, postgres.Problem(fmt.Errorf("keep a new secret: %w", err))
	}
	return Enrolment{Secret: key.Secret(), URI: key.URL(), QR: picture}, nil
}

// Confirm takes the new authenticator app into use, by a code of it. codes are the recovery codes, when there were none before:
// nobody sees them again.
func (s *Service) Confirm(ctx context.Context, id auth.Identity, code string) (codes []string, err error) {
	if err := s.mayChange(ctx, id); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if _, err := lockedState(ctx, tx, id.User.ID); err != nil { // the user before the app, as everywhere
			return err
		}
		sealed, err := pendingSecret(ctx, tx, id, s.now())
		if err != nil {
			return err
		}
		step, err := s.step(id.User.ID, sealed, code)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `
			UPDATE totp_factors
			SET secret = pending, last_step = $2, confirmed_at = $3, pending = NULL, pending_session = NULL, pending_until = NULL
			WHERE user_id = $1`, id.User.ID, step, s.now())
		if err != nil {
			return fmt.Errorf("confirm a secret: %w", err)
		}
		codes, err = s.added(ctx, tx, id, "totp.enrol", "an authenticator app was set up")
		return err
	})
	return codes, err
}

// pendingSecret returns, locked, the secret that the session is setting up.
func pendingSecret(ctx context.Context, tx *postgres.Tx, id auth.Identity, now time.Time) (sealed []byte, err error) {
	err = tx.GetContext(ctx, &sealed, `
		SELECT pending
		FROM totp_factors
		WHERE user_id = $1 AND pending IS NOT NULL AND pending_session = $2 AND pending_until > $3
		FOR UPDATE`, id.User.ID, id.Session, now)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, errNoEnrolment
	}
	if err != nil {
		return nil, fmt.Errorf("read a new secret: %w", err)
	}
	return sealed, nil
}

// RemoveTOTP removes the authenticator app.
func (s *Service) RemoveTOTP(ctx context.Context, id auth.Identity) error {
	return s.remove(ctx, id, "totp.remove", "an authenticator app was removed", func(tx *postgres.Tx) (audit.Entry, error) {
		result, err := tx.ExecContext(ctx, `DELETE FROM totp_factors WHERE user_id = $1 AND secret IS NOT NULL`, id.User.ID)
		return audit.Entry{}, one(result, err, "remove a secret")
	})
}

// useCode judges a code and raises the last used step past it, both or neither: of two who show the same code one gets through,
// and an older one counts for nothing any more.
func (v *Verifier) useCode(ctx context.Context, tx *postgres.Tx, user uuid.UUID, code string) error {
	var sealed []byte
	err := tx.GetContext(ctx, &sealed, `SELECT secret FROM totp_factors WHERE user_id = $1 AND secret IS NOT NULL`, user)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.ErrBadFactor
	}
	if err != nil {
		return fmt.Errorf("read a secret: %w", err)
	}
	step, err := v.step(user, sealed, code)
	if err != nil {
		return err
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE totp_factors SET last_step = $2
		WHERE user_id = $1 AND secret = $3 AND last_step < $2`, user, step, sealed)
	if err := one(result, err, "use a code"); err != nil {
		return orBadFactor(err)
	}
	return nil
}

// step returns the time step that a code belongs to, within the skew.
func (v *Verifier) step(user uuid.UUID, sealed []byte, code string) (int64, error) {
	if v.keys == nil {
		return 0, errUnsealable
	}
	secret, err := v.keys.Open(sealed, place(user)...)
	if err != nil {
		return 0, fmt.Errorf("open the secret of an authenticator app: %w", err)
	}
	code = strings.Join(strings.Fields(code), "")
	now, found := v.now().Unix()/stepSeconds, int64(0)
	for step := now - skew; step <= now+skew; step++ {
		want, err := hotp.GenerateCodeCustom(string(secret), uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix})
		if err != nil {
			return 0, fmt.Errorf("compute a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	if found == 0 {
		return 0, auth.ErrBadFactor
	}
	return found, nil
}

// place is what a secret is sealed for: in another row it does not open.
func place(user uuid.UUID) []string { return []string{"totp_factors", user.String(), "secret"} }

// Place is where a user's secrets are sealed, for whoever seals them anew with another key.
func Place(user uuid.UUID) []string { return place(user) }
