package auth

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Token is an access token, and for an offline session what renews it.
type Token struct {
	AccessToken  string
	RefreshToken string        // empty unless the session is offline
	Lifetime     time.Duration // of the access token
}

// audience keeps access tokens apart from every other kind that is signed with the same secret.
const audience = "fastapi-users:auth"

// claims is FastAPI-Users' form, with the session that stands behind the token.
type claims struct {
	jwt.RegisteredClaims
	Session string `json:"sid"`
}

// tokens signs and reads access tokens. Without a private key the first secret signs; the secrets verify either way, so that a key
// can be brought in without signing anybody out.
type tokens struct {
	secret  []byte
	signer  ed25519.PrivateKey // nil: secret signs
	secrets jwt.VerificationKeySet
	keys    map[string]ed25519.PublicKey // by their ids
	parser  *jwt.Parser
}

func newTokens(cfg Config) tokens {
	t := tokens{secret: cfg.JWTSecret, secrets: jwt.VerificationKeySet{Keys: []jwt.VerificationKey{cfg.JWTSecret}}}
	for _, previous := range cfg.PreviousSecrets {
		t.secrets.Keys = append(t.secrets.Keys, previous)
	}
	if len(cfg.SigningKeys) > 0 {
		t.signer, t.keys = cfg.SigningKeys[0], verificationKeys(cfg.SigningKeys)
	}
	t.parser = jwt.NewParser(jwt.WithValidMethods(t.methods()), jwt.WithAudience(audience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(cfg.Now), jwt.WithStrictDecoding())
	return t
}

func (t tokens) methods() []string {
	if t.signer == nil {
		return []string{jwt.SigningMethodHS256.Alg()}
	}
	return []string{jwt.SigningMethodHS256.Alg(), jwt.SigningMethodEdDSA.Alg()}
}

func (t tokens) sign(user, session uuid.UUID, now, expires time.Time) (string, error) {
	c := claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: user.String(), Audience: jwt.ClaimStrings{audience},
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
		},
		Session: session.String(),
	}
	if t.signer == nil {
		return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.secret)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, c)
	token.Header["kid"] = keyID(publicHalf(t.signer))
	return token.SignedString(t.signer)
}

// maxToken is far above what sign makes; anything longer is refused before any work.
const maxToken = 2048

// looksSigned says whether it is worth to check the signature.
func looksSigned(token string) bool {
	return len(token) <= maxToken && strings.Count(token, ".") == 2 && onlyTokenChars(token)
}

// read returns what a genuine, current token says. There is no leeway: whoever signed it reads it, so a token is as old here as it
// is there, and when it was issued is not judged at all.
func (t tokens) read(token string) (user, session uuid.UUID, expires time.Time, err error) {
	var c claims
	if _, err = t.parser.ParseWithClaims(token, &c, t.keyFor); err != nil {
		return user, session, expires, err
	}
	user, errUser := uuid.Parse(c.Subject)
	session, errSession := uuid.Parse(c.Session)
	return user, session, c.ExpiresAt.Time, errors.Join(errUser, errSession)
}

// keyFor gives each method its own kind of key, so that a public key, which anybody may read, is never taken for a secret.
func (t tokens) keyFor(token *jwt.Token) (any, error) {
	switch token.Method {
	case jwt.SigningMethodHS256:
		return t.secrets, nil
	case jwt.SigningMethodEdDSA:
		id, _ := token.Header["kid"].(string)
		if key, known := t.keys[id]; known {
			return key, nil
		}
	}
	return nil, errUnknownKey
}

var errUnknownKey = errors.New("the token names no key of ours")
