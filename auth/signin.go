package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// SignIn is somebody who has just proved who they are, and how.
type SignIn struct {
	User    uuid.UUID
	Method  string // password, passkey, setup, register, or the name of an issuer
	Factor  bool   // a second factor was shown, or the first one is worth two
	Offline bool   // a refresh token is wanted
	From    Client

	epoch *int64 // of the user when the password was right: changed since, that password counts no more. nil: it does not matter
}

// Offline is an option of Login: the session is one that refresh tokens keep going.
func Offline(in *SignIn) { in.Offline = true }

// GrantToken opens a session behind an access token. Whoever has a second factor and did not show it is asked for it first,
// whatever the first one was.
func (s *Service) GrantToken(ctx context.Context, in SignIn) (Token, error) {
	if err := s.secondFactor(ctx, in, kindToken); err != nil {
		return Token{}, err
	}
	now, refresh := s.cfg.Now(), ""
	n := in.session(kindToken, now, now.Add(s.cfg.JWTLifetime))
	if in.Offline {
		refresh = rand.Text() + rand.Text()
		n.refresh, n.expires = hashRefresh(refresh), now.Add(s.cfg.SessionLifetime)
	}
	session, err := s.open(ctx, n)
	if err != nil {
		return Token{}, err
	}
	return s.token(in.User, session, n.expires, refresh)
}

// session is the session that a sign-in opens.
func (in SignIn) session(kind string, now, expires time.Time) newSession {
	return newSession{
		user: in.User, epoch: in.epoch, kind: kind, method: in.Method, factor: in.Factor, now: now, expires: expires, from: in.From,
	}
}

// token signs an access token for a session, which never outlives it.
func (s *Service) token(user, session uuid.UUID, expires time.Time, refresh string) (Token, error) {
	now := s.cfg.Now()
	lifetime := min(s.cfg.JWTLifetime, expires.Sub(now))
	signed, err := s.tokens.sign(user, session, now, now.Add(lifetime))
	if err != nil {
		return Token{}, fmt.Errorf("sign an access token: %w", err)
	}
	return Token{AccessToken: signed, RefreshToken: refresh, Lifetime: lifetime}, nil
}

// cookieLength is the length of a browser session's token: twice the 128 bits and more of rand.Text.
const cookieLength = 52

// GrantBrowser opens a browser session; cookie is the only copy of its token. It asks for a second factor as GrantToken does.
func (s *Service) GrantBrowser(ctx context.Context, in SignIn) (cookie string, expires time.Time, err error) {
	if err := s.secondFactor(ctx, in, kindBrowser); err != nil {
		return "", time.Time{}, err
	}
	cookie = rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(cookie))
	now := s.cfg.Now()
	n := in.session(kindBrowser, now, now.Add(s.cfg.SessionLifetime))
	n.hash = hash[:]
	if _, err = s.open(ctx, n); err != nil {
		return "", time.Time{}, err
	}
	return cookie, n.expires, nil
}
