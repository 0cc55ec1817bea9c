package settings

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// Models lists, with their keys in clear, the models that a caller may use without giving a key: the one that counts first, then
// the profiles, then the operator's. A key goes with its own model and address only.
func (s *Surface) Models(ctx context.Context, p *access.Principal, team uuid.UUID) ([]Operator, error) {
	h, err := s.holdings(ctx, of(p, team), vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return nil, err
	}
	e, err := s.stack(ctx, h)
	if err != nil {
		return nil, err
	}
	found, err := s.lent(nil, object(e.agent, "llm"), e.keys["/llm/api_key"], hasKey(e))
	if err != nil {
		return nil, err
	}
	for _, d := range h.counting(vault.KindProfile) {
		llm := maps.Clone(d.Body)
		k, has := profileKeys(h, d, llm)["/api_key"]
		if found, err = s.lent(found, llm, k, has); err != nil {
			return nil, err
		}
	}
	if s.operatorServes(h) {
		return s.lent(found, map[string]any{"model": s.Operator.Model, "base_url": s.Operator.BaseURL}, key{}, true)
	}
	return found, nil
}

func hasKey(e *effective) bool { _, has := e.keys["/llm/api_key"]; return has }

func (s *Surface) lent(found []Operator, llm map[string]any, k key, has bool) ([]Operator, error) {
	if !has || trimmed(llm, "model") == "" {
		return found, nil
	}
	value, err := s.inClear(k)
	if err != nil {
		return nil, err
	}
	return append(found, Operator{Model: trimmed(llm, "model"), BaseURL: trimmed(llm, "base_url"), APIKey: value}), nil
}

// FillServers settles the MCP servers that a client sent, in place: tokens become what they stand for, one's own anywhere and
// the team's with the server as the team wrote it; addresses must be ones that may be called, and commands allowed.
func (s *Surface) FillServers(ctx context.Context, p *access.Principal, team uuid.UUID, loc []any, servers map[string]any) error {
	w := of(p, team)
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, isObject := servers[name].(map[string]any)
		if !isObject {
			continue
		}
		if err := s.fillServer(ctx, w, at(loc, name), name, server); err != nil {
			return err
		}
	}
	return s.judgeServers(ctx, loc, servers)
}
