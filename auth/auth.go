// Package auth owns who people are: users, passwords, sessions and the access tokens in FastAPI-Users' form.
//
// It knows nothing of teams; what must happen together with a new user goes through Hooks, in the same transaction. It never
// keeps a password or a token in the clear. Its key idea: a server-side session stands behind every credential, so that ending
// the session ends whatever was made of it, on every replica.
package auth

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"log/slog"
	"runtime"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/cache"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Who may register.
const (
	RegistrationOpen   = "open"
	RegistrationInvite = "invite"
	RegistrationClosed = "closed"
)

// Config is what a Service needs. Everything but DB and JWTSecret has a default.
type Config struct {
	DB              *postgres.DB         // required; Listen must have been called for credentials to be cached
	JWTSecret       []byte               // required; signs and verifies access tokens
	PreviousSecrets [][]byte             // still verify, no longer sign
	SigningKeys     []ed25519.PrivateKey // the first signs access tokens in the secret's place, all verify
	JWTLifetime     time.Duration        // one hour by default
	SessionLifetime time.Duration        // of a browser or offline session, used or not; 14 days by default
	SessionIdle     time.Duration        // of one that is not used; no limit by default
	RefreshGrace    time.Duration        // how long a used refresh token still gives its successor; 20 s by default
	Registration    string               // RegistrationInvite by default
	RequireVerified bool                 // only who proved their address may sign in and act
	EmailDomains    []string             // of those who may register by themselves, lower-case; empty: any
	Blocklist       bool                 // the most common passwords are refused
	BreachURL       string               // of a service in the form of Pwned Passwords' range API; empty: nobody is asked about passwords
	PublicURL       string               // the origin that people see, for links in mails
	Hooks           Hooks
	Mail            Mailer      // nil: nobody is told anything
	Keys            Keys        // nil: there are no API keys
	Factors         Factors     // nil: nobody has a second factor
	Limits          Limits      // nil: nobody is slowed down
	HashWorkers     int         // passwords hashed at the same time; half the processors by default
	HashQueue       int         // callers that may wait for one of them; 32 for each by default
	Hashes          argon.Maker // where passwords are hashed; argon.Here by default
	Hash            HashParams  // the cost of new password hashes; the contract's by default
	CacheLimit      int         // credentials remembered; 10,000 by default
	Now             func() time.Time
	Log             *slog.Logger // discards by default
}

// Hooks is what others do when something happens here. A nil hook does nothing.
type Hooks struct {
	// UserCreated runs in the transaction that creates the user. teamName is empty unless the registration gave one.
	UserCreated func(ctx context.Context, tx *postgres.Tx, u User, teamName string) error
	// MayDelete runs in the transaction that deletes the user, before it does, and may refuse.
	MayDelete func(ctx context.Context, tx *postgres.Tx, u User) error
	// MayLeave runs in the transaction in which users delete their own accounts, before MayDelete, and may refuse.
	MayLeave func(ctx context.Context, tx *postgres.Tx, u User) error
	// Ended runs in the transaction that ends, for good, everything by which a user comes in: what is no session is for it to end.
	Ended func(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error
	// Reclaimed runs in the transaction in which the owner of a mailbox takes an account back that somebody else may have had. Whatever
	// else one comes in by, and was added since then, is for it to end; zero: since ever.
	Reclaimed func(ctx context.Context, tx *postgres.Tx, u User, since time.Time) error
	// SuperuserEnded runs in the transaction in which somebody stops to be a superuser who can sign in.
	SuperuserEnded func(ctx context.Context, tx *postgres.Tx, user uuid.UUID) error
	// MayRegister is asked about somebody who registers by themselves, once nothing else speaks against it, and may refuse.
	MayRegister func(ctx context.Context, r Registration) error
	// FactorRequired says whether the user must have a second factor: by the policy of the installation, of a team or of a role.
	FactorRequired func(ctx context.Context, u User) (bool, error)
}

// Service is the accounts of one installation.
type Service struct {
	cfg        Config
	db         *postgres.DB
	hasher     *hasher
	tokens     tokens
	refreshKey []byte
	proven     *cache.Cache[credentialKey, *proof]
	touches    *touches
	errands    *errands
	common     map[string]struct{} // passwords that are refused
	breach     *breach
}

// New makes a service. Close ends its background work.
func New(cfg Config) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		cfg:        cfg,
		db:         cfg.DB,
		hasher:     newHasher(cfg.Hashes, cfg.Hash, cfg.HashWorkers, cfg.HashQueue),
		tokens:     newTokens(cfg),
		refreshKey: newRefreshKey(cfg.JWTSecret),
		proven:     cache.New[credentialKey, *proof](cfg.CacheLimit, cfg.DB.Bus.Fresh),
		touches:    startTouches(cfg),
		errands:    startErrands(cfg.Log),
		common:     commonPasswords(cfg.Blocklist),
		breach:     newBreach(cfg.BreachURL, cfg.Log),
	}
	cfg.DB.Bus.Subscribe(s.forget)
	return s
}

// Close ends the background work. The database stays open.
func (s *Service) Close() {
	s.errands.close()
	s.touches.close()
	s.breach.close()
}

func (c Config) withDefaults() Config {
	c.JWTLifetime = cmp.Or(c.JWTLifetime, time.Hour)
	c.SessionLifetime = cmp.Or(c.SessionLifetime, 14*24*time.Hour)
	c.RefreshGrace = cmp.Or(c.RefreshGrace, 20*time.Second)
	c.Registration = cmp.Or(c.Registration, RegistrationInvite)
	c.HashWorkers = cmp.Or(c.HashWorkers, max(1, runtime.GOMAXPROCS(0)/2))
	c.HashQueue = cmp.Or(c.HashQueue, 32*c.HashWorkers)
	c.Hash = cmp.Or(c.Hash, HashParams{Memory: 64 * 1024, Passes: 3, Lanes: 4})
	if c.Hashes == nil {
		c.Hashes = argon.Here{}
	}
	c.CacheLimit = cmp.Or(c.CacheLimit, 10_000)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
