package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Client is where a request came from, as far as it can be known.
type Client struct{ IP, UserAgent string }

// Login checks the password and opens a session behind a new access token. The one option is Offline.
func (s *Service) Login(ctx context.Context, email, password string, from Client, options ...func(*SignIn)) (Token, error) {
	in, err := s.prove(ctx, email, password, from)
	if err != nil {
		return Token{}, err
	}
	for _, option := range options {
		option(&in)
	}
	return s.GrantToken(ctx, in)
}

// OpenBrowser checks the password and opens a browser session; cookie is the only copy of its token.
func (s *Service) OpenBrowser(ctx context.Context, email, password string, from Client) (cookie string, expires time.Time, err error) {
	in, err := s.prove(ctx, email, password, from)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.GrantBrowser(ctx, in)
}

const methodPassword = "password"

// prove returns the sign-in of who may have a session for that password, in the contract's order: the limits, the credentials, the
// verified address.
func (s *Service) prove(ctx context.Context, email, password string, from Client) (SignIn, error) {
	err := s.admit(ctx, actLogin, email, from)
	hopeless := banned(err)
	if err != nil && !hopeless {
		return SignIn{}, err
	}
	account, err := s.recognise(ctx, email, password, hopeless)
	if errors.Is(err, errBadCredentials) {
		s.failed(ctx, actLogin, email, from)
	}
	if err != nil {
		return SignIn{}, err
	}
	if s.cfg.RequireVerified && !account.IsVerified {
		return SignIn{}, errNotVerified
	}
	s.succeeded(ctx, actLogin, email, from)
	return SignIn{User: account.ID, Method: methodPassword, From: from, epoch: &account.Epoch}, nil
}

// recognise returns whose password it is. Unknown, inactive, without a password, hopeless (for whoever is banned) and wrong cost one
// hash each and answer alike.
func (s *Service) recognise(ctx context.Context, email, password string, hopeless bool) (account, error) {
	a, err := accountByKey(ctx, s.db, email)
	if err != nil {
		return account{}, postgres.Problem(err)
	}
	if hopeless {
		a = account{}
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

// open writes the session. It answers as for a wrong password when the account has gone since, or the password has changed.
func (s *Service) open(ctx context.Context, n newSession) (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, fmt.Errorf("make an id: %w", err)
	}
	n.id = id
	return id, s.db.InTx(ctx, func(tx *postgres.Tx) (err error) {
		if n.first, err = isFirst(ctx, tx, n.user); err != nil {
			return err
		}
		if found, err := noteLogin(ctx, tx, n.user, n.epoch, n.now); err != nil || !found {
			return firstOf(err, errBadCredentials)
		}
		if err := s.noticeDevice(ctx, tx, n); err != nil {
			return err
		}
		return insertSession(ctx, tx, n)
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

// SignOut ends the session of a credential, whatever its user may do. An API key has none: it is revoked.
func (s *Service) SignOut(ctx context.Context, c access.Credential) error {
	p, err := s.proofOf(ctx, c, s.cfg.Now())
	if err != nil {
		return err
	}
	if p.identity.Key {
		return errKeySignOut
	}
	return s.End(ctx, p.identity.Session)
}

var errKeySignOut = problem.New(http.StatusForbidden, "Signing out ends a session, and this is an API key. Revoke the key if it should end.")

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
