package oidc

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The codes of the contract for callbacks.
var (
	errDecode       = problem.New(http.StatusBadRequest, "ACCESS_TOKEN_DECODE_ERROR")
	errExpired      = problem.New(http.StatusBadRequest, "ACCESS_TOKEN_ALREADY_EXPIRED")
	errState        = problem.New(http.StatusBadRequest, "OAUTH_INVALID_STATE")
	errNoEmail      = problem.New(http.StatusBadRequest, "OAUTH_NOT_AVAILABLE_EMAIL")
	errEmailHasUser = problem.New(http.StatusBadRequest, "OAUTH_USER_ALREADY_EXISTS")
)

const stateAudience = "fastapi-users:oauth-state"

// state is what travels to the issuer and back. It is signed, so nobody else can make one, and it says nothing that its reader may
// not know. Without the cookie that has the same token it is worth nothing.
type state struct {
	Audience string           `json:"aud"` // a text, as FastAPI-Users has it, not a list
	Expires  *jwt.NumericDate `json:"exp"`
	Subject  string           `json:"sub,omitempty"` // who links an identity
	CSRF     string           `json:"csrftoken"`

	Provider string `json:"provider"`
	Return   string `json:"return,omitempty"`
	Session  string `json:"sid,omitempty"` // in which session they link it
}

func (s state) GetExpirationTime() (*jwt.NumericDate, error) { return s.Expires, nil }
func (s state) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (s state) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (s state) GetIssuer() (string, error)                   { return "", nil }
func (s state) GetSubject() (string, error)                  { return s.Subject, nil }
func (s state) GetAudience() (jwt.ClaimStrings, error)       { return jwt.ClaimStrings{s.Audience}, nil }

// flow is one way to an issuer and back. The verifier and the nonce follow from the state's token by a key of ours, so that they
// need not be kept, and no two flows share them.
type flow struct {
	state
	signed   string
	verifier string // of PKCE
	nonce    string
}

// flowKey is derived from a secret that signs access tokens, so that neither is ever taken for the other.
type flowKey []byte

func flowKeys(secrets [][]byte) []flowKey {
	keys := []flowKey{}
	for _, secret := range secrets {
		if len(secret) > 0 {
			keys = append(keys, derive(secret, "", "openhands-saas states of sign-ins by others"))
		}
	}
	return keys
}

// derive cannot fail for a length below SHA-256's bound.
func derive(secret []byte, salt, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, secret, []byte(salt), purpose, 32)
	if err != nil {
		panic(err)
	}
	return key
}

func (k flowKey) flow(s state, signed string) flow {
	text := func(purpose string) string { return base64.RawURLEncoding.EncodeToString(derive(k, s.CSRF, purpose)) }
	return flow{state: s, signed: signed, verifier: text("code verifier"), nonce: text("nonce")}
}

// begin signs a state.
func (s *Service) begin(st state, lifetime time.Duration) (flow, error) {
	st.Audience, st.Expires = stateAudience, jwt.NewNumericDate(s.cfg.Now().Add(lifetime))
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, st).SignedString([]byte(s.keys[0]))
	return s.keys[0].flow(st, signed), err
}

// maxState is far above what begin makes.
const maxState = 8 << 10

// resume reads a state that came back, in the contract's order: whether it is one, whether it is in time, whether it is this
// browser's.
func (s *Service) resume(p *provider, signed, cookie string) (flow, error) {
	f, err := s.read(signed)
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return flow{}, errExpired
	case err != nil, f.Provider != p.Name:
		return flow{}, errDecode.Because(err)
	case cookie == "" || f.CSRF == "" || subtle.ConstantTimeCompare([]byte(cookie), []byte(f.CSRF)) != 1:
		return flow{}, errState
	}
	return f, nil
}

func (s *Service) read(signed string) (f flow, err error) {
	if len(signed) > maxState {
		return f, errors.New("longer than any state")
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithAudience(stateAudience),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(s.cfg.Now), jwt.WithStrictDecoding())
	for _, key := range s.keys {
		var st state
		_, err = parser.ParseWithClaims(signed, &st, func(*jwt.Token) (any, error) { return []byte(key), nil })
		if !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
			return key.flow(st, signed), err
		}
	}
	return f, err
}
