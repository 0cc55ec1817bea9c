package auth

import (
	"context"

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
	p := &proof{identity: Identity{User: k.User, Session: k.Key, Expires: k.Expires, Key: true, Scope: k.Scope, Bound: k.Team}}
	p.seen.Store(k.Seen.UnixNano())
	p.noted.Store(k.Seen.UnixNano())
	return p, nil
}
