package settings

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// profile is a model by name, over the schema's defaults, and where its keys lie.
func (s *Surface) profile(ctx context.Context, h holdings, name string) (map[string]any, map[string]key, error) {
	e, err := s.bottom(ctx)
	if err != nil {
		return nil, nil, err
	}
	llm := object(e.agent, "llm")
	p := h.find(h.who.own(), vault.KindProfile, name)
	switch {
	case p != nil:
		llm = vault.Merge(llm, p.Body)
		return llm, profileKeys(h, p, llm), nil
	case name == operatorProfile && s.operatorServes(h):
		e.operator(s.Operator)
		return llm, map[string]key{"/api_key": {}}, nil
	}
	return nil, nil, noProfile(name)
}

// summary is a line of the list of profiles.
func summary(h holdings, p *vault.Document) map[string]any {
	llm := maps.Clone(p.Body)
	keys := profileKeys(h, p, llm)
	_, hasKey := keys["/api_key"]
	id, linked := p.Body["provider_connection_id"].(string)
	return map[string]any{
		"name": p.Name, "model": p.Body["model"], "base_url": p.Body["base_url"], "provider_connection_id": p.Body["provider_connection_id"],
		"provider_connection_broken": linked && h.find(p.Scope, vault.KindConnection, id) == nil, "api_key_set": hasKey,
	}
}

// usable says whether a profile can become the active one: it is there, and so is the connection that it names.
func (h holdings) usable(scope vault.Scope, name string) error {
	p := h.find(scope, vault.KindProfile, name)
	if p == nil {
		return noProfile(clipped(name))
	}
	if id := h.brokenLink(p); id != "" {
		return problem.Newf(http.StatusUnprocessableEntity, "Profile '%s' references provider connection '%s', which does not exist. "+
			"Update the profile or recreate the connection.", name, clipped(id))
	}
	return nil
}

// brokenLink is the id of the connection that a profile names and that is not there; "" where nothing is missing.
func (h holdings) brokenLink(p *vault.Document) string {
	if id := trimmed(p.Body, "provider_connection_id"); h.find(p.Scope, vault.KindConnection, id) == nil {
		return id
	}
	return ""
}

// savable refuses models that could not be used later. That a connection is missing shows in the list.
func (s *Surface) savable(ctx context.Context, _ who, llm map[string]any) error {
	loc := []any{"body", "llm"}
	if trimmed(llm, "model") == "" {
		return problem.Fields(fault("value_error", loc, "Value error, model must be specified in LLM"))
	}
	return s.judgeModel(ctx, loc, llm)
}

// save keeps a model. What it holds replaces what was there, but a mask, and a token of this very key, keep the key. A profile has
// no layer below it: a key of somebody else's can come from nowhere, and is refused.
func (s *Surface) save(ctx context.Context, w who, scope vault.Scope, name string, llm map[string]any, secrets bool) (*vault.Document, error) {
	w = w.in(scope)
	found, err := s.redeemAll(ctx, w, llm)
	if err != nil {
		return nil, err
	}
	return s.Vault.Update(ctx, scope, vault.KindProfile, name, w.by, func(d *vault.Draft) error {
		split := &splitter{places: llmSecretPlaces(), tokens: found, who: w, draft: d, kind: vault.KindProfile, loc: []any{"body", "llm"}}
		before := d.Fields()
		rest, err := split.split(llm)
		if err != nil {
			return err
		}
		for _, field := range before {
			if !secrets || !sent(llm, field) {
				d.Clear(field)
			}
		}
		if !secrets || trimmed(llm, "provider_connection_id") != "" { // its key and address are the connection's
			d.ClearBelow("")
		}
		if trimmed(llm, "provider_connection_id") != "" {
			rest["base_url"] = nil
		}
		d.Body = vault.Merge(map[string]any{}, rest)
		return nil
	})
}

// sent says whether something stands at a pointer's place.
func sent(in map[string]any, pointer string) bool {
	return valueAt(in, pointer) != nil
}

// referrers are the agent profiles that name a model's profile, of those that see it.
func (s *Surface) referrers(ctx context.Context, scope vault.Scope, name string) ([]string, error) {
	docs, err := s.Vault.List(ctx, scope, vault.KindAgentProfile)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, d := range docs {
		if d.Body["llm_profile_ref"] == name {
			found = append(found, d.Name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// follow makes what named a profile name another one; nothing when to is empty.
func (s *Surface) follow(ctx context.Context, w who, scope vault.Scope, from, to string) error {
	doc, found, err := s.Vault.Get(ctx, scope, vault.KindSettings, "")
	if err != nil {
		return err
	}
	if found && doc.Body[activeProfile] == from {
		if err := s.rewrite(ctx, w, scope, vault.KindSettings, "", activeProfile, from, to); err != nil {
			return err
		}
	}
	referrers, err := s.referrers(ctx, scope, from)
	if err != nil {
		return err
	}
	for _, name := range referrers {
		if err := s.rewrite(ctx, w, scope, vault.KindAgentProfile, name, "llm_profile_ref", from, to); err != nil {
			return err
		}
	}
	return nil
}

func (s *Surface) rewrite(ctx context.Context, w who, scope vault.Scope, kind vault.Kind, name, member, from, to string) error {
	_, err := s.Vault.Update(ctx, scope, kind, name, w.by, func(d *vault.Draft) error {
		switch {
		case d.Body[member] != from:
		case to == "":
			delete(d.Body, member)
		default:
			d.Body[member] = to
		}
		return nil
	})
	return err
}

// clear removes a scope's own model, so that the layer below shows.
func (s *Surface) clear(ctx context.Context, w who, scope vault.Scope) error {
	_, err := s.Vault.Update(ctx, scope, vault.KindSettings, "", w.by, func(d *vault.Draft) error {
		s.clearModel(d)
		delete(d.Body, activeProfile)
		return nil
	})
	return err
}

// Profile gives a model as a client would send it, with tokens in the place of its keys, for a conversation of this caller's.
func (s *Surface) Profile(ctx context.Context, p *access.Principal, team uuid.UUID, name string) (map[string]any, error) {
	w := of(p, team)
	h, err := s.holdings(ctx, w, vault.KindProfile, vault.KindConnection, vault.KindSettings)
	if err != nil {
		return nil, err
	}
	llm, keys, err := s.profile(ctx, h, name)
	if err != nil {
		return nil, err
	}
	if err := s.openable(keys); err != nil {
		return nil, err
	}
	delete(llm, "provider_connection_id") // its key and address are there already
	return llm, s.show(ctx, w, encrypted, llm, keys)
}

// fillIn puts secrets in clear into their places.
func (s *Surface) fillIn(in map[string]any, keys map[string]key) error {
	for pointer, k := range keys {
		value, err := s.inClear(k)
		if err != nil {
			return err
		}
		place(in, pointer, unpacked(value))
	}
	return nil
}

func (s *Surface) inClear(k key) (string, error) {
	if k.operators() {
		if s.Operator.APIKey == "" {
			return "unused", nil // without any key the upstream would take one from its environment
		}
		return s.Operator.APIKey, nil
	}
	value, err := s.Vault.Open(k.doc, k.field)
	if err != nil {
		return "", k.unavailable(err)
	}
	return value, nil
}
