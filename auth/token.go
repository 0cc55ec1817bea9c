package auth

import (
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Token is an access token.
type Token struct{ AccessToken string }

// audience keeps access tokens apart from every other kind that is signed with the same secret.
const audience = "fastapi-users:auth"

// claims is FastAPI-Users' form, with the session that stands behind the token.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// tokens signs and reads access tokens.
type tokens struct {
	secret []byte
	keys   jwt.VerificationKeySet
	parser *jwt.Parser
}

func newTokens(cfg Config) tokens {
	t := tokens{secret: cfg.JWTSecret, keys: jwt.VerificationKeySet{Keys: []jwt.VerificationKey{cfg.JWTSecret}}}
	for _, previous := range cfg.PreviousSecrets {
		t.keys.Keys = append(t.keys.Keys, previous)
	}
	t.parser = jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(cfg.Now), jwt.WithStrictDecoding())
	return t
}

func (t tokens) sign(user, session uuid.UUID, now, expires time.Time) (string, error) {
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: user.String(), Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Session: session.String(),
	}).SignedString(t.secret)
}

// maxToken is far above what sign makes; anything longer is refused before any work.
const maxToken = 2048

// looksSigned says whether it is worth to check the signature.
func looksSigned(token string) bool {
	return len(token) <= maxToken && strings.Count(token, ".") == 2 && onlyTokenChars(token)
}

// read returns what a genuine, current token says.
func (t tokens) read(token string) (user, session uuid.UUID, expires time.Time, err error) {
	var c claims
	if _, err = t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.keys, nil }); err != nil {
		return user, session, expires, err
	}
	user, errUser := uuid.Parse(c.Subject)
	session, errSession := uuid.Parse(c.Session)
	return user, session, c.ExpiresAt.Time, errors.Join(errUser, errSession)
}
