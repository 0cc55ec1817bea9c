// Package apikey owns API keys: what programs show instead of signing in, of people and of service accounts.
//
// It never keeps a key in the clear and never says one a second time; it knows nothing of roles, and of teams only the id that a
// key may be bound to. Its key idea: a key tells by its own form, before anybody is asked, that it can be one, and the row behind
// it takes the place of a session: ending it ends whatever goes on in its name, on every replica.
package apikey

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// Most is how many keys that are not over an owner may have.
const Most = 100

// Config is what a Service needs.
type Config struct {
	DB *postgres.DB // required
	// MayBind says, in the transaction that makes the key, whether the user's keys may be bound to the team. Nil: to none.
	MayBind func(ctx context.Context, tx *postgres.Tx, user, team uuid.UUID) error
	Now     func() time.Time // time.Now by default
}

// Service is the keys of one installation.
type Service struct {
	cfg Config
	db  *postgres.DB
}

// New makes a service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Service{cfg: cfg, db: cfg.DB}
}

// Now is the time by which keys end.
func (s *Service) Now() time.Time { return s.cfg.Now() }
