package auth

import (
	"context"
	"database/sql"
	"errors"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// isKey says whether a credential has the form of an API key.
func (s *Service) isKey(c access.Credential) bool {
	presented := c.Form == access.FormBearer || c.Form == access.FormKey
	return presented && s.cfg.Keys != nil && s.cfg.Keys.Plausible(c.Token)
}

// readKey asks whose API key it is.
func (s *Service) readKey(ctx context.Context, token string) (*proof, error) {
	k, err := s.cfg.Keys.Find(ctx, token)
	if err != nil {
		return nil, err
	}
	return keyProof(k), nil
}

// readByID asks about a session by its id, or about the API key that takes the place of one.
func (s *Service) readByID(ctx context.Context, user, session uuid.UUID) (*proof, error) {
	row, err := sessionByID(ctx, s.db, session, user)
	if !errors.Is(err, sql.ErrNoRows) || s.cfg.Keys == nil {
		return newProof(row, row.Expires, s.idleOf(row)), err
	}
	k, err := s.cfg.Keys.FindByID(ctx, session, user)
	if err != nil {
		return nil, err
	}
	return keyProof(k), nil
}

func keyProof(k KeyProof) *proof {
	p := &proof{identity: Identity{User: k.User, Session: k.Key, Expires: k.Expires, Key: true, Service: k.Service, Scope: k.Scope, Bound: k.Team}}
	p.seen.Store(k.Seen.UnixNano())
	p.noted.Store(k.Seen.UnixNano())
	return p
}
