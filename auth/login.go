package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Client is where a request came from, as far as it can be known.
type Client struct{ IP, UserAgent string }

// Login checks the password and opens a session behind a new access token.
func (s *Service) Login(ctx context.Context, email, password string, from Client) (Token, error) {
	user, err := s.prove(ctx, email, password, from)
	if err != nil {
		return Token{}, err
	}
	return s.GrantToken(ctx, SignIn{User: user, Method: methodPassword, From: from})
}

// OpenBrowser checks the password and opens a browser session; cookie is the only copy of its token.
func (s *Service) OpenBrowser(ctx context.Context, email, password string, from Client) (cookie string, expires time.Time, err error) {
	user, err := s.prove(ctx, email, password, from)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.GrantBrowser(ctx, SignIn{User: user, Method: methodPassword, From: from})
}

const methodPassword = "password"

// prove returns who may have a session for that password, in the contract's order: the limits, the credentials, the verified
// address.
func (s *Service) prove(ctx context.Context, email, password string, from Client) (uuid.UUID, error) {
	if err := s.admit(ctx, actLogin, email, from); err != nil {
		return uuid.Nil, err
	}
	account, err := s.recognise(ctx, email, password)
	if errors.Is(err, errBadCredentials) {
		s.failed(ctx, actLogin, email, from)
	}
	if err != nil {
		return uuid.Nil, err
	}
	if s.cfg.RequireVerified && !account.IsVerified {
		return uuid.Nil, errNotVerified
	}
	s.succeeded(ctx, actLogin, email, from)
	return account.ID, nil
}

// recognise returns whose password it is. Unknown, inactive, without a password and wrong cost one hash each and answer alike.
func (s *Service) recognise(ctx context.Context, email, password string) (account, error) {
	a, err := accountByKey(ctx, s.db, email)
	if err != nil {
		return account{}, postgres.Problem(err)
	}
	ok, err := s.matches(ctx, a, password)
	if err != nil {
		return account{}, err
	}
	if !ok || !a.IsActive {
		return account{}, errBadCredentials
	}
	return a, nil
}

// matches compares a password with an account's, which may be the zero account, and renews a hash with old parameters.
func (s *Service) matches(ctx context.Context, a account, password string) (bool, error) {
	hash := a.PasswordHash
	if !a.IsActive || hash == "" {
		hash = s.hasher.dummy
	}
	ok, stale, err := s.hasher.verify(ctx, hash, password)
	if errors.Is(err, errHashFormat) { // for the caller this is a wrong password; somebody must look at the row
		s.cfg.Log.ErrorContext(ctx, "a user cannot log in: the stored password hash is damaged", "user", a.ID)
		err = nil
	}
	if err == nil && ok && stale {
		s.rehash(ctx, a, password)
	}
	return ok, err
}

// rehash brings a hash up to the parameters in force. Whoever just logged in does not suffer when that fails.
func (s *Service) rehash(ctx context.Context, a account, password string) {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = replaceHash(ctx, s.db, a.ID, a.PasswordHash, hash)
	}
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "a password hash keeps its old parameters until the next login", "user", a.ID, "error", err)
	}
}

// open writes the session. It answers as for a wrong password when the account has gone since.
func (s *Service) open(ctx context.Context, n newSession) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make an id: %w", err)
	}
	n.id = id
	return id, s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := s.noticeDevice(ctx, tx, n); err != nil {
			return err
		}
		if opened, err := insertSession(ctx, tx, n); err != nil || !opened {
			return firstOf(err, errBadCredentials)
		}
		return noteLogin(ctx, tx, n.user, n.now)
	})
}

// FindByEmail finds an account by its address, without letter case.
func (s *Service) FindByEmail(ctx context.Context, email string) (User, bool, error) {
	a, err := accountByKey(ctx, s.db, email)
	if err != nil {
		return User{}, false, postgres.Problem(err)
	}
	return a.User, a.ID != uuid.Nil, nil
}

// End ends a session. When it returns, no credential of it is accepted on this replica any more; others follow at once.
func (s *Service) End(ctx context.Context, session uuid.UUID) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := endSession(ctx, tx, session, s.cfg.Now()); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicSession, session)
	})
}

// SetTeam notes for which team a session acts when a request names none. Which team that is, and whether the user belongs to it,
// is for others to say: here it is an id. Other replicas follow at once.
func (s *Service) SetTeam(ctx context.Context, session, team uuid.UUID) error {
	return s.db.InTx(ctx, func(tx *postgres.Tx) error {
		if err := setTeam(ctx, tx, session, team); err != nil {
			return err
		}
		return tx.Notify(postgres.TopicSession, session)
	})
}
