package factor

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	recoveryCodes  = 8
	recoveryLength = 16 // letters and digits, 80 bits: too many for whoever read the hashes to try all
)

var errNoFactor = problem.New(http.StatusConflict, "Set up an authenticator app or a passkey first: recovery codes stand in for those.")

// NewRecoveryCodes replaces all recovery codes of the user. Nobody sees them again.
func (s *Service) NewRecoveryCodes(ctx context.Context, id auth.Identity) (codes []string, err error) {
	if err := s.mayChange(ctx, id); err != nil {
		return nil, err
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		state, err := lockedState(ctx, tx, id.User.ID)
		if err != nil {
			return err
		}
		if !state.Any() {
			return errNoFactor
		}
		if codes, err = replaceRecovery(ctx, tx, id.User.ID, s.now()); err != nil {
			return err
		}
		return s.changed(ctx, tx, id, "recovery.renew", "", "new recovery codes were made")
	})
	return codes, err
}

func replaceRecovery(ctx context.Context, tx *postgres.Tx, user uuid.UUID, now time.Time) ([]string, error) {
	if err := dropRecovery(ctx, tx, user); err != nil {
		return nil, err
	}
	codes := make([]string, recoveryCodes)
	for n := range codes {
		code := rand.Text()[:recoveryLength]
		codes[n] = code[:4] + "-" + code[4:8] + "-" + code[8:12] + "-" + code[12:]
		_, err := tx.ExecContext(ctx, `
			INSERT INTO recovery_codes (user_id, code_hash, created_at)
			VALUES ($1, $2, $3)`, user, hashRecovery(codes[n]), now)
		if err != nil {
			return nil, fmt.Errorf("insert a recovery code: %w", err)
		}
	}
	return codes, nil
}

func dropRecovery(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_codes WHERE user_id = $1`, user); err != nil {
		return fmt.Errorf("delete recovery codes: %w", err)
	}
	return nil
}

// useRecovery is one conditional UPDATE: of many who show the same code exactly one gets through. It counts for those only who have
// the factor that it stands in for.
func (v *Verifier) useRecovery(ctx context.Context, tx *postgres.Tx, user uuid.UUID, code string) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE recovery_codes SET used_at = $3
		WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
			AND (EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND secret IS NOT NULL) OR EXISTS (SELECT FROM passkeys WHERE user_id = $1))`,
		user, hashRecovery(code), v.now())
	return orBadFactor(one(result, err, "use a recovery code"))
}

// hashRecovery takes a code as people type it: in small letters, with blanks or without hyphens.
func hashRecovery(code string) []byte {
	code = strings.Map(func(r rune) rune {
		if r == '-' || r == ' ' || r == '\t' {
			return -1
		}
		return r
	}, strings.ToUpper(code))
	hash := sha256.Sum256([]byte(code))
	return hash[:]
}

var errNone = problem.New(http.StatusNotFound, "There is no such second factor.")

// orBadFactor turns "there is none" into the answer for a factor that is wrong.
func orBadFactor(err error) error {
	if errors.Is(err, errNone) {
		return auth.ErrBadFactor
	}
	return err
}
