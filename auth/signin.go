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
}

// GrantToken opens a session behind an access token. Whoever has a second factor and did not show it is asked for it first,
// whatever the first one was.
func (s *Service) GrantToken(ctx context.Context, in SignIn) (Token, error) {
	if err := s.secondFactor(ctx, in); err != nil {
		return Token{}, err
	}
	now := s.cfg.Now()
	session, err := s.open(ctx, newSession{
		user: in.User, kind: kindToken, method: in.Method, factor: in.Factor, now: now, expires: now.Add(s.cfg.JWTLifetime), from: in.From,
	})
	if err != nil {
		return Token{}, err
	}
	signed, err := s.tokens.sign(in.User, session, now, now.Add(s.cfg.JWTLifetime))
	if err != nil {
		return Token{}, fmt.Errorf("sign an access token: %w", err)
	}
	return Token{AccessToken: signed}, nil
}

// cookieLength is the length of a browser session's token: twice the 128 bits and more of rand.Text.
const cookieLength = 52

// GrantBrowser opens a browser session; cookie is the only copy of its token. It asks for a second factor as GrantToken does.
func (s *Service) GrantBrowser(ctx context.Context, in SignIn) (cookie string, expires time.Time, err error) {
	if err := s.secondFactor(ctx, in); err != nil {
		return "", time.Time{}, err
	}
	cookie = rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(cookie))
	now := s.cfg.Now()
	expires = now.Add(s.cfg.SessionLifetime)
	_, err = s.open(ctx, newSession{
		user: in.User, kind: kindBrowser, hash: hash[:], method: in.Method, factor: in.Factor, now: now, expires: expires, from: in.From,
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return cookie, expires, nil
}
