package factor

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// State is what somebody has.
type State struct {
	TOTP          bool `db:"totp"`
	Passkeys      int  `db:"passkeys"`
	RecoveryCodes int  `db:"recovery_codes"` // that were not used yet
}

// Any says whether there is a second factor at all. Recovery codes are none: they stand in for a lost one.
func (s State) Any() bool { return s.TOTP || s.Passkeys > 0 }

// State returns what the user has.
func (v *Verifier) State(ctx context.Context, user uuid.UUID) (s State, err error) {
	if err = v.db.GetContext(ctx, &s, selectState, user); err != nil {
		return State{}, postgres.Problem(fmt.Errorf("read second factors: %w", err))
	}
	return s, nil
}

const selectState = `
	SELECT EXISTS (SELECT FROM totp_factors WHERE user_id = $1 AND secret IS NOT NULL) AS totp,
		(SELECT count(*) FROM passkeys WHERE user_id = $1) AS passkeys,
		(SELECT count(*) FROM recovery_codes WHERE user_id = $1 AND used_at IS NULL) AS recovery_codes`

// Methods returns the kinds of factors that the user can show. A passkey counts even where it cannot be used (the host changed):
// that must not make the factor go away.
func (v *Verifier) Methods(ctx context.Context, user uuid.UUID) ([]string, error) {
	s, err := v.State(ctx, user)
	if err != nil || !s.Any() {
		return nil, err
	}
	methods := []string{}
	if s.TOTP {
		methods = append(methods, auth.FactorTOTP)
	}
	if s.Passkeys > 0 {
		methods = append(methods, auth.FactorPasskey)
	}
	if s.RecoveryCodes > 0 {
		methods = append(methods, auth.FactorRecovery)
	}
	return methods, nil
}

// Verify uses up what the user shows.
func (v *Verifier) Verify(ctx context.Context, tx *postgres.Tx, user uuid.UUID, shown auth.Shown) error {
	switch {
	case shown.Code != "":
		return v.useCode(ctx, tx, user, shown.Code)
	case shown.Recovery != "":
		return v.useRecovery(ctx, tx, user, shown.Recovery)
	case shown.Passkey.Ceremony != "":
		return v.usePasskey(ctx, tx, user, shown.Passkey)
	}
	return auth.ErrBadFactor
}
