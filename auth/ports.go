package auth

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/mail"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Mailer takes mails that go out once the transaction is committed.
type Mailer interface {
	Put(ctx context.Context, tx *postgres.Tx, m mail.Message) error
}

// Keys finds the owners of API keys.
type Keys interface {
	// Plausible says, without asking anybody, whether a token has the form of a key: prefix, length and checksum.
	Plausible(token string) bool
	// Find returns what a good key proves. A key that is unknown, expired or revoked, or whose owner is inactive, is sql.ErrNoRows.
	Find(ctx context.Context, token string) (KeyProof, error)
	// FindByID is Find for who has proof of a key other than the key itself, such as a link that we signed.
	FindByID(ctx context.Context, key, owner uuid.UUID) (KeyProof, error)
	// Touch notes, at most once a minute for each, that keys were used.
	Touch(ctx context.Context, keys []uuid.UUID, now time.Time) error
}

// KeyProof is what a good API key proves.
type KeyProof struct {
	User    User
	Service bool         // the owner is a service account: nobody who could show or prove anything
	Key     uuid.UUID    // as an event of postgres.TopicSession names it when it ends
	Scope   access.Scope // never access.NoScope
	Team    uuid.UUID    // the only team that it is good for; uuid.Nil for all of the user's
	Expires time.Time    // never zero: a key that does not expire gets a time far away
	Seen    time.Time    // the last noted use
}

// Factors is what second factors add to signing in (package auth/factor).
type Factors interface {
	// Methods returns what the user can show: FactorTOTP, FactorPasskey, FactorRecovery. Empty: they have no second factor.
	Methods(ctx context.Context, user uuid.UUID) ([]string, error)
	// Verify uses up what the user shows, in the transaction in which it counts. What is wrong in any way is ErrBadFactor.
	Verify(ctx context.Context, tx *postgres.Tx, user uuid.UUID, shown Shown) error
}

// The kinds of second factors, as clients read them. Recovery codes are for those who lost the others.
const (
	FactorTOTP     = "totp"
	FactorPasskey  = "passkey"
	FactorRecovery = "recovery"
)

// Shown is the second factor that somebody shows: one of the three.
type Shown struct {
	Code     string // of an authenticator app
	Recovery string // one of the recovery codes
	Passkey  PasskeyAnswer
}

// PasskeyAnswer is what a browser answers in the name of a passkey.
type PasskeyAnswer struct {
	Ceremony   string // names what was asked; the only copy is with whom it was asked of
	Binding    string // the session, challenge or browser that it was asked of: from another it counts for nothing
	Credential []byte // the browser's JSON
}

// Limits slows down those who try too often (package internal/ratelimit).
type Limits interface {
	// Take counts one try of the action under each key, and answers 429 with Retry-After when one of them has none left.
	Take(ctx context.Context, action string, keys ...string) error
	// Failed notes that a try was wrong, so that the next ones under the same keys must wait longer.
	Failed(ctx context.Context, action string, keys ...string) error
	// Succeeded forgets the failures under the keys.
	Succeeded(ctx context.Context, action string, keys ...string) error
}
