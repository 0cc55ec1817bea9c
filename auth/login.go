package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
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
	user, err := s.prove(ctx, email, password)
	if err != nil {
		return Token{}, err
	}
	now := s.cfg.Now()
	session, err := s.open(ctx, newSession{user: user, kind: kindToken, now: now, expires: now.Add(s.cfg.JWTLifetime), from: from})
	if err != nil {
		return Token{}, err
	}
	signed, err := s.tokens.sign(user, session, now, now.Add(s.cfg.JWTLifetime))
	if err != nil {
		return Token{}, fmt.Errorf("sign an access token: %w", err)
	}
	return Token{AccessToken: signed}, nil
}

// OpenBrowser checks the password and opens a browser session; cookie is the only copy of its token.
func (s *Service) OpenBrowser(ctx context.Context, email, password string, from Client) (cookie string, expires time.Time, err error) {
	user, err := s.prove(ctx, email, password)
	if err != nil {
		return "", time.Time{}, err
	}
	return s.OpenBrowserFor(ctx, user, from)
}

// cookieLength is the length of a browser session's token: twice the 128 bits and more of rand.Text.
const cookieLength = 52

// OpenBrowserFor opens a browser session for somebody who has just proved in another way who they are.
func (s *Service) OpenBrowserFor(ctx context.Context, userID uuid.UUID, from Client) (cookie string, expires time.Time, err error) {
	cookie = rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(cookie))
	now := s.cfg.Now()
	expires = now.Add(s.cfg.SessionLifetime)
	_, err = s.open(ctx, newSession{user: userID, kind: kindBrowser, hash: hash[:], now: now, expires: expires, from: from})
	if err != nil {
		return "", time.Time{}, err
	}
	return cookie, expires, nil
}

// prove returns whose password it is. Unknown, inactive and wrong cost one hash each and answer alike.
func (s *Service) prove(ctx context.Context, email, password string) (uuid.UUID, error) {
	account, err := accountByKey(ctx, s.db, email)
	if err != nil {
		return uuid.Nil, postgres.Problem(err)
	}
	hash := account.PasswordHash
	if !account.IsActive {
		hash = s.hasher.dummy
	}
	ok, stale, err := s.hasher.verify(ctx, hash, password)
	if errors.Is(err, errHashFormat) { // for the caller this is a wrong password; somebody must look at the row
		s.cfg.Log.ErrorContext(ctx, "a user cannot log in: the stored password hash is damaged", "user", account.ID)
		err = nil
	}
	if err != nil {
		return uuid.Nil, err
	}
	if !ok || !account.IsActive {
		return uuid.Nil, errBadCredentials
	}
	if stale {
		s.rehash(ctx, account, password)
	}
	return account.ID, nil
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
