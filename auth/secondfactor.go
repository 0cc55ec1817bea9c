package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	challengeLifetime = 5 * time.Minute
	challengeTries    = 5 // wrong answers to one challenge; then the first factor is wanted again
)

// What a second factor is answered with. CodeSecondFactor is the code of a login that wants one: beside it the answer holds the
// challenge, the methods that the user can choose among, and for how many seconds the challenge is good.
const (
	CodeSecondFactor = "LOGIN_SECOND_FACTOR_REQUIRED"
	CodeEnrol        = "SECOND_FACTOR_REQUIRED"
)

var (
	// ErrBadFactor answers a second factor that is wrong, was used before, or is not the user's.
	ErrBadFactor = problem.New(http.StatusBadRequest, "LOGIN_BAD_SECOND_FACTOR")
	// ErrBadChallenge answers a challenge that is unknown, of another way to sign in, ran out or was answered, or wrongly too often.
	ErrBadChallenge = problem.New(http.StatusBadRequest, "LOGIN_BAD_CHALLENGE")
	// ErrFactorRequired answers whatever is done in a session that showed no second factor, by a user who has one or must have one.
	ErrFactorRequired = problem.New(http.StatusForbidden, CodeEnrol)
)

// pending is a sign-in that waits for its second factor.
type pending struct {
	Kind    string `json:"kind"` // of the session that it will be
	Method  string `json:"method"`
	Offline bool   `json:"offline"`
	Epoch   int64  `json:"epoch"` // of the user: when all their sessions are ended, so is this
	Tries   int    `json:"tries"`

	user  uuid.UUID
	email string
}

// secondFactor stands between a first proof of who somebody is and the session: nil for those who have no second factor, or showed
// it; else the error holds a challenge for the session of that kind.
func (s *Service) secondFactor(ctx context.Context, in SignIn, kind string) error {
	if s.cfg.Factors == nil || in.Factor {
		return nil
	}
	methods, err := s.cfg.Factors.Methods(ctx, in.User)
	if err != nil || len(methods) == 0 {
		return postgres.Problem(err)
	}
	var challenge string
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		email, epoch, err := standing(ctx, tx, in.User)
		if err != nil {
			return err
		}
		if in.epoch != nil {
			epoch = *in.epoch
		}
		now := s.cfg.Now()
		waits := pending{Kind: kind, Method: in.Method, Offline: in.Offline, Epoch: epoch}
		challenge, err = issueOneTime(ctx, tx, purposeChallenge, in.User, email, waits, now, now.Add(challengeLifetime))
		return err
	})
	if err != nil {
		return err
	}
	return &problem.Error{Status: http.StatusBadRequest, Detail: CodeSecondFactor, With: map[string]any{
		"challenge": challenge, "methods": methods, "expires_in": int(challengeLifetime.Seconds()),
	}}
}

// ChallengeIn finds the challenge in the answer to a first factor; false when the error is another.
func ChallengeIn(err error) (challenge string, methods []string, found bool) {
	p := problem.Of(err)
	if p.Detail != CodeSecondFactor {
		return "", nil, false
	}
	challenge, found = p.With["challenge"].(string)
	methods, _ = p.With["methods"].([]string)
	return challenge, methods, found
}

// AnswerToken opens the session behind an access token that a second factor was wanted for.
func (s *Service) AnswerToken(ctx context.Context, challenge string, shown Shown, from Client) (Token, error) {
	in, err := s.answer(ctx, challenge, kindToken, shown, from)
	if err != nil {
		return Token{}, err
	}
	return s.GrantToken(ctx, in)
}

// AnswerBrowser opens the browser session that a second factor was wanted for.
func (s *Service) AnswerBrowser(ctx context.Context, challenge string, shown Shown, from Client) (cookie string, expires time.Time, err error) {
	in, err := s.answer(ctx, challenge, kindBrowser, shown, from)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.GrantBrowser(ctx, in)
}

// Challenged says whose a challenge is, and what they can answer it with, without using it up.
func (s *Service) Challenged(ctx context.Context, challenge string) (user uuid.UUID, methods []string, err error) {
	if s.cfg.Factors == nil {
		return uuid.Nil, nil, ErrBadChallenge
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		p, err := s.readPending(ctx, tx, challenge)
		user = p.user
		return err
	})
	if err != nil {
		return uuid.Nil, nil, err
	}
	methods, err = s.cfg.Factors.Methods(ctx, user)
	return user, methods, postgres.Problem(err)
}

// answer uses a challenge up, together with the second factor. A wrong factor costs one of the challenge's tries.
func (s *Service) answer(ctx context.Context, challenge, kind string, shown Shown, from Client) (SignIn, error) {
	waits, err := s.try(ctx, challenge, kind)
	if err != nil {
		return SignIn{}, err
	}
	shown.Passkey.Binding = challenge
	if err := s.verify(ctx, waits.user, waits.email, shown, from, func(tx *postgres.Tx) error {
		_, err := useOneTime(ctx, tx, purposeChallenge, challenge, s.cfg.Now())
		return orBadChallenge(err)
	}); err != nil {
		return SignIn{}, err
	}
	return SignIn{User: waits.user, Method: waits.Method, Offline: waits.Offline, Factor: true, From: from, epoch: &waits.Epoch}, nil
}

// AdmitPasskey counts one question or answer of somebody who is not known yet, under where they come from.
func (s *Service) AdmitPasskey(ctx context.Context, from Client) error {
	err := s.admit(ctx, actFactor, "", from)
	if banned(err) {
		return ErrBadFactor
	}
	return err
}

// verify judges a second factor under the limits, together with what stands and falls with it.
func (s *Service) verify(ctx context.Context, user uuid.UUID, email string, shown Shown, from Client, with func(*postgres.Tx) error) error {
	if err := s.admit(ctx, actFactor, email, from); err != nil {
		if banned(err) {
			return ErrBadFactor
		}
		return err
	}
	err := s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if _, err := accountByID(ctx, tx, user, forNoKeyUpdate); err != nil { // first, as every change of factors does: nobody waits in a circle
			return err
		}
		if err := with(tx); err != nil {
			return err
		}
		return s.cfg.Factors.Verify(ctx, tx, user, shown)
	})
	switch {
	case problem.Of(err).Detail == ErrBadFactor.Detail:
		s.failed(ctx, actFactor, email, from)
	case err == nil:
		s.succeeded(ctx, actFactor, email, from)
	}
	return err
}

// try counts one answer to a challenge before it is judged, so that a thousand at the same time are no more than five.
func (s *Service) try(ctx context.Context, challenge, kind string) (waits pending, err error) {
	if s.cfg.Factors == nil {
		return pending{}, ErrBadChallenge
	}
	err = s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if waits, err = s.readPending(ctx, tx, challenge); err != nil {
			return err
		}
		if waits.Kind != kind {
			return ErrBadChallenge
		}
		waits.Tries++
		return keepPending(ctx, tx, challenge, waits)
	})
	return waits, err
}

// readPending returns, locked, what an open challenge is about.
func (s *Service) readPending(ctx context.Context, tx *postgres.Tx, challenge string) (p pending, err error) {
	o, err := readOneTime(ctx, tx, purposeChallenge, challenge, s.cfg.Now())
	if err != nil || o.Used != nil {
		return p, orBadChallenge(firstOf(err, errNoOneTime))
	}
	if err := json.Unmarshal(o.Data, &p); err != nil {
		return p, fmt.Errorf("read a challenge: %w", err)
	}
	p.user, p.email = o.User, o.Email
	_, epoch, err := standing(ctx, tx, o.User)
	if err != nil {
		return p, err
	}
	if p.Tries >= challengeTries || epoch != p.Epoch {
		return p, ErrBadChallenge
	}
	return p, nil
}

func keepPending(ctx context.Context, tx *postgres.Tx, challenge string, p pending) error {
	data, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode a challenge: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE one_time_tokens SET data = $2 WHERE token_hash = $1`, hashOneTime(challenge), data); err != nil {
		return fmt.Errorf("count an answer to a challenge: %w", err)
	}
	return nil
}

// standing is the address of a user, and how often all their sessions were ended.
func standing(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (email string, epoch int64, err error) {
	var row struct {
		Email string `db:"email"`
		Epoch int64  `db:"sign_in_epoch"`
	}
	if err := tx.GetContext(ctx, &row, `SELECT email, sign_in_epoch FROM users WHERE id = $1`, user); err != nil {
		return "", 0, fmt.Errorf("read the account of a challenge: %w", err)
	}
	return row.Email, row.Epoch, nil
}

func orBadChallenge(err error) error {
	if errors.Is(err, errNoOneTime) {
		return ErrBadChallenge
	}
	return err
}

// demandFactor refuses a session that showed no second factor where its user has one, and a user without any where one is
// demanded: here, where sessions are used, so that no way of signing in can go around it. A key was made in a session that was good;
// of its owner it only asks that they have what they must have.
func (s *Service) demandFactor(ctx context.Context, id Identity) error {
	switch {
	case s.cfg.Factors == nil || id.ShowedFactor():
		return nil
	case id.HasFactor:
		return ErrFactorRequired
	}
	must, err := s.FactorRequired(ctx, id.User)
	if must {
		return ErrFactorRequired
	}
	return err
}

// ShowedFactor says whether the user has a second factor and showed it in this session. Of the owner of a key it is enough that they
// have one: it was made in a session that showed it. A service account is nobody who could have one.
func (i Identity) ShowedFactor() bool {
	return i.Service || i.HasFactor && (i.Key || !i.Factor.IsZero())
}

// FactorRequired says whether the user must have a second factor.
func (s *Service) FactorRequired(ctx context.Context, u User) (bool, error) {
	if s.cfg.Hooks.FactorRequired == nil {
		return false, nil
	}
	return s.cfg.Hooks.FactorRequired(ctx, u)
}

// hasFactor says whether the user has a second factor.
func (s *Service) hasFactor(ctx context.Context, user uuid.UUID) (bool, error) {
	if s.cfg.Factors == nil {
		return false, nil
	}
	methods, err := s.cfg.Factors.Methods(ctx, user)
	return len(methods) > 0, err
}
