package auth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// freshFor is how long a proof of who somebody is counts for sensitive changes.
const freshFor = 10 * time.Minute

var (
	// ErrStepUp answers a sensitive change in a session whose last proof is too old.
	ErrStepUp = problem.New(http.StatusForbidden, "STEP_UP_REQUIRED")
	// errStepUpFactor answers a password where a second factor is what counts.
	errStepUpFactor = problem.New(http.StatusBadRequest, "STEP_UP_NEEDS_SECOND_FACTOR")
	errKeyStepUp    = problem.New(http.StatusForbidden, "An API key cannot prove who holds it. Sign in, and do this in the session.")
)

// RequireFresh answers ErrStepUp unless the user proved a moment ago, in this session, who they are: by their second factor if they
// have one. An API key proves nothing of its holder, so it never does.
func (s *Service) RequireFresh(id Identity) error {
	proved := id.Proved
	if id.HasFactor {
		proved = id.Factor
	}
	if id.Key || s.cfg.Now().Sub(proved) > freshFor {
		return ErrStepUp
	}
	return nil
}

// StepUpMethods are the ways in which the user can prove again who they are: their second factors, else "password". Empty: they
// must sign in again.
func (s *Service) StepUpMethods(ctx context.Context, id Identity) ([]string, error) {
	if id.HasFactor {
		methods, err := s.cfg.Factors.Methods(ctx, id.User.ID)
		return methods, postgres.Problem(err)
	}
	a, err := accountByKey(ctx, s.db, id.User.Email)
	if err != nil {
		return nil, postgres.Problem(err)
	}
	if a.PasswordHash == "" {
		return nil, nil
	}
	return []string{methodPassword}, nil
}

// StepUpPassword proves anew, by the password, who the session's user is. Those who have a second factor must show that.
func (s *Service) StepUpPassword(ctx context.Context, id Identity, password string, from Client) error {
	switch {
	case id.Key:
		return errKeyStepUp
	case id.HasFactor:
		return errStepUpFactor
	}
	proved, err := s.prove(ctx, id.User.Email, password, from)
	if err != nil {
		return err
	}
	if proved.User != id.User.ID { // the address went to somebody else meanwhile
		return errBadCredentials
	}
	return s.db.InTx(ctx, func(tx *postgres.Tx) error { return s.renewProof(ctx, tx, id.Session, false) })
}

// StepUpFactor proves anew who the session's user is, by a second factor.
func (s *Service) StepUpFactor(ctx context.Context, id Identity, shown Shown, from Client) error {
	if id.Key {
		return errKeyStepUp
	}
	if s.cfg.Factors == nil {
		return ErrBadFactor
	}
	shown.Passkey.Binding = id.Session.String()
	return s.verify(ctx, id.User.ID, id.User.Email, shown, from, func(tx *postgres.Tx) error {
		return s.renewProof(ctx, tx, id.Session, true)
	})
}

// ShowedFactor notes, in the transaction of the caller, that the user of a session has just shown a second factor there.
func (s *Service) ShowedFactor(ctx context.Context, tx *postgres.Tx, session uuid.UUID) error {
	return s.renewProof(ctx, tx, session, true)
}

// renewProof dates the last proof anew. Every replica follows. A session that has ended meanwhile proves nothing.
func (s *Service) renewProof(ctx context.Context, tx *postgres.Tx, session uuid.UUID, factor bool) error {
	result, err := tx.ExecContext(ctx, `
		UPDATE sessions SET proved_at = $2, factor_at = CASE WHEN cast($3 AS boolean) THEN $2 ELSE factor_at END
		WHERE id = $1 AND ended_at IS NULL`, session, s.cfg.Now(), factor)
	if err != nil {
		return fmt.Errorf("note a proof: %w", err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows != 1 {
		return firstOf(err, problem.Unauthorized)
	}
	return tx.Notify(postgres.TopicSession, session)
}
