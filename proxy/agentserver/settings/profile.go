package settings

import (
	"context"
	"maps"
	"net/http"

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
	return nil, nil, modelProfiles().missing(name)
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
		return modelProfiles().missing(name)
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
func (s *Surface) savable(ctx context.Context, llm map[string]any) error {
	loc := []any{"body", "llm"}
	if trimmed(llm, "model") == "" {
		return problem.Fields(fault("value_error", loc, "Value error, model must be specified in LLM"))
	}
	return s.judgeModel(ctx, loc, llm)
}

// kept is the change that keeps a model. What it holds replaces what was there, but a mask, and a token of this very key, keep the
// key. A profile has no layer below it: a key of somebody else's can come from nowhere, and is refused.
func (s *Surface) kept(q request, llm map[string]any, secrets bool) (func(*vault.Draft) error, error) {
	found, err := s.redeemAll(q.context(), q.who, llm)
	if err != nil {
		return nil, err
	}
	return func(d *vault.Draft) error {
		split := &splitter{places: llmSecretPlaces(), tokens: found, who: q.who, draft: d, kind: vault.KindProfile, loc: []any{"body", "llm"}}
		before := d.Fields()
		rest, err := split.split(llm)
		if err != nil {
			return err
		}
		for _, field := range before {
			if valueAt(llm, field) == nil {
				d.Clear(field)
			}
		}
		if !secrets {
			clearKeys(d)
		}
		if trimmed(llm, "provider_connection_id") != "" {
			rest["base_url"] = nil // it is the connection's, as its key is
			d.Clear("/api_key")
		}
		d.Body = vault.Merge(map[string]any{}, rest)
		delete(d.Body, unkept)
		return nil
	}, nil
}

// unkept is a member of a model that the upstream takes and neither keeps nor shows.
const unkept = "fallback_strategy"

// clearKeys removes a profile's keys. What else is sealed of it are headers and the like, which belong to the model.
func clearKeys(d *vault.Draft) {
	for _, name := range []string{"api_key", "aws_access_key_id", "aws_secret_access_key", "aws_session_token"} {
		d.Clear("/" + name)
	}
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

// inClear is a secret that will be used.
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
