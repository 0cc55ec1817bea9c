// Package factor owns second factors: codes of authenticator apps (TOTP), recovery codes and passkeys.
//
// It never opens a session and never decides who must have a factor: package auth asks it what somebody can show and whether what
// they show is right. Its key idea: whatever is shown counts once, by one conditional UPDATE, so that of many who show the same at
// the same time exactly one gets through.
package factor

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Keys seals and opens the secrets of authenticator apps (*sealed.Source is one).
type Keys interface {
	Seal(plain []byte, place ...string) ([]byte, error)
	Open(sealed []byte, place ...string) ([]byte, error)
}

// Config is what a Verifier needs.
type Config struct {
	DB        *postgres.DB // required
	Keys      Keys         // nil: there are no authenticator apps
	PublicURL string       // the origin that people see: passkeys are made for its host
	Issuer    string       // what authenticator apps and passkeys call us; OpenHands by default
	Now       func() time.Time
}

// Verifier judges what is shown as a second factor.
type Verifier struct {
	db       *postgres.DB
	keys     Keys
	issuer   string
	now      func() time.Time
	passkeys *relyingParty // nil: there are no passkeys here
	noKeys   error         // why not
}

var _ auth.Factors = (*Verifier)(nil)

// NewVerifier makes a verifier.
func NewVerifier(cfg Config) *Verifier {
	v := &Verifier{db: cfg.DB, keys: cfg.Keys, issuer: cmp.Or(cfg.Issuer, "OpenHands"), now: cfg.Now}
	if v.now == nil {
		v.now = time.Now
	}
	v.passkeys, v.noKeys = newRelyingParty(cfg.PublicURL, v.issuer)
	return v
}

// Service lets people set up and remove their second factors, and sign in by a passkey alone.
type Service struct {
	*Verifier
	users *auth.Service
	mail  auth.Mailer

	// OtherWay says whether a user can sign in by an identity elsewhere. It runs in a transaction that holds the account. nil: nobody.
	OtherWay func(ctx context.Context, tx *postgres.Tx, user uuid.UUID) (bool, error)
}

// New makes a service over the verifier that is Config.Factors of users. mail may be nil: then nobody is told.
func New(v *Verifier, users *auth.Service, mail auth.Mailer) *Service {
	return &Service{Verifier: v, users: users, mail: mail}
}

var errUnsealable = problem.New(http.StatusServiceUnavailable,
	"Authenticator apps cannot be set up here: the server has no VAULT_KEYSET to seal their secrets with. Ask its operator.")
