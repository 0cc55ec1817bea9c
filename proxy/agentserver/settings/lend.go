package settings

import (
	"context"
	"maps"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Models lists, with their keys in clear, the models that a caller may use without giving a key: the one that counts first, then
// the profiles, then the operator's. A key goes with its own model and address only. A profile whose key does not open is left
// out; the model that counts is not.
func (s *Surface) Models(ctx context.Context, p *access.Principal, team uuid.UUID) ([]Operator, error) {
	h, err := s.holdings(ctx, of(p, team), vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return nil, err
	}
	e, err := s.stack(ctx, h)
	if err != nil {
		return nil, err
	}
	found, err := s.lent(nil, object(e.agent, "llm"), e.modelKeys())
	if err != nil {
		return nil, err
	}
	for _, d := range h.counting(vault.KindProfile) {
		llm := maps.Clone(d.Body)
		with, err := s.lent(found, llm, profileKeys(h, d, llm))
		if err != nil {
			s.missed(ctx, d, err)
			continue
		}
		found = with
	}
	if s.operatorServes(h) {
		return s.lent(found, map[string]any{"model": s.Operator.Model, "base_url": s.Operator.BaseURL}, map[string]key{"/api_key": {}})
	}
	return found, nil
}

// lent adds a model that has a key. The only error is that of a key which does not open.
func (s *Surface) lent(found []Operator, llm map[string]any, keys map[string]key) ([]Operator, error) {
	k, has := keys["/api_key"]
	if !has || trimmed(llm, "model") == "" {
		return found, nil
	}
	value, err := s.inClear(k)
	if err != nil {
		return nil, err
	}
	return append(found, Operator{Model: trimmed(llm, "model"), BaseURL: trimmed(llm, "base_url"), APIKey: value}), nil
}
