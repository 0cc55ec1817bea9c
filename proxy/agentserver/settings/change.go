package settings

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// change is a patch of the settings, ready to be kept: whatever needs a look-up elsewhere was done before.
type change struct {
	*Surface // asks nobody, as a row is locked
	who      who
	scope    vault.Scope
	body     map[string]any
	agent    map[string]any // the patch of the agent settings
	talk     map[string]any // the patch of the conversation settings
	tokens   tokens
	allowed  func(holdings, *effective) error // asked of what there is before; nil allows
}

// patch keeps a change if the settings that come of it are ones that the upstream would keep.
func (s *Surface) patch(ctx context.Context, w who, scope vault.Scope, body map[string]any) error {
	c, err := s.prepared(ctx, w.in(scope), scope, body)
	if err != nil {
		return err
	}
	return s.Vault.Change(ctx, scope, w.by, func(tx *vault.Changes) error { return c.keep(ctx, tx) })
}

func (s *Surface) prepared(ctx context.Context, w who, scope vault.Scope, body map[string]any) (*change, error) {
	if v, sent := body[operatorModel]; sent && v != nil && scope.User != uuid.Nil {
		return nil, problem.Fields(fault("value_error", []any{"body", operatorModel}, "This is the team's to say: send it with %s: team.", ScopeHeader))
	}
	still, err := s.still(ctx)
	if err != nil {
		return nil, err
	}
	c := &change{Surface: still, who: w, scope: scope, body: body}
	if sent, has := body["conversation_settings_diff"].(map[string]any); has {
		if c.talk, err = still.knownTalk(ctx, sent); err != nil {
			return nil, err
		}
	}
	sent, has := body["agent_settings_diff"].(map[string]any)
	if !has {
		return c, nil
	}
	if c.agent, err = still.known(ctx, sent); err != nil {
		return nil, err
	}
	if err := s.judgeSent(ctx, []any{"body", "agent_settings_diff"}, c.agent); err != nil {
		return nil, err
	}
	c.tokens, err = s.redeemAll(ctx, w, c.agent)
	return c, err
}

// still is a surface that asks the upstream for nothing: for use while a row is locked.
func (s *Surface) still(ctx context.Context) (*Surface, error) {
	book, err := s.Book.Still(ctx)
	if err != nil {
		return nil, err
	}
	still := *s
	still.Book = book
	return &still, nil
}

// keep merges the patch into what is there at this moment.
func (c *change) keep(ctx context.Context, tx *vault.Changes) error {
	_, err := tx.Update(vault.KindSettings, "", func(d *vault.Draft) error {
		docs, err := d.Layers(vault.KindSettings, vault.KindProfile, vault.KindConnection)
		if err != nil {
			return err
		}
		held := holdings{who: c.who, docs: docs}
		if err := c.refusal(ctx, held); err != nil {
			return err
		}
		if err := c.apply(d); err != nil {
			return err
		}
		return c.judge(ctx, held, d)
	})
	return err
}

// refusal is why the change does not go with what there is; nil where it does.
func (c *change) refusal(ctx context.Context, held holdings) error {
	if name, set := c.body[activeProfile].(string); set {
		if err := held.usable(c.scope, name); err != nil {
			return err
		}
	}
	if c.allowed == nil {
		return nil
	}
	e, err := c.stack(ctx, held)
	if err != nil {
		return err
	}
	return c.allowed(held, e)
}

// apply merges the patch into a draft. A profile that becomes active takes the place of the model settings made before, unless
// the patch brings some itself.
func (c *change) apply(d *vault.Draft) error {
	_, ownModel := c.agent["llm"]
	if _, set := c.body[activeProfile].(string); set && !ownModel {
		c.clearModel(d)
	}
	for diff, part := range parts() {
		patch, sent := c.body[diff].(map[string]any)
		if !sent {
			continue
		}
		var err error
		if d.Body[part], err = c.merged(d, part, patch); err != nil {
			return err
		}
	}
	c.single(d)
	if sentServers(object(object(d.Body, agentSettings), "mcp_config")) > mostServers {
		return tooManyServers([]any{"body", "agent_settings_diff"})
	}
	return nil
}

// merged is one part of the settings with its patch over it.
func (c *change) merged(d *vault.Draft, part string, patch map[string]any) (map[string]any, error) {
	before := object(d.Body, part)
	switch part {
	case agentSettings:
		rest, err := c.withoutSecrets(d)
		return vault.Merge(before, rest), err
	case conversationSettings:
		if holdsNull(c.talk) {
			return nil, errInvalid // the upstream resets no field of a conversation by null
		}
		maps.Copy(before, c.talk) // values all
		return before, nil
	}
	return mergedFree(before, patch), nil
}

// single changes the members that are a single value.
func (c *change) single(d *vault.Draft) {
	for _, name := range []string{activeProfile, activeAgentProfile, operatorModel} {
		if v, sent := c.body[name]; sent && v == nil {
			delete(d.Body, name)
		} else if sent {
			d.Body[name] = v
		}
	}
}

// holdsNull says so of a patch of conversation settings. That nobody analyzes is a value there.
func holdsNull(patch map[string]any) bool {
	for name, v := range patch {
		if v == nil && name != "security_analyzer" {
			return true
		}
	}
	return false
}

// clearModel removes a layer's own model.
func (s *Surface) clearModel(d *vault.Draft) {
	delete(object(d.Body, agentSettings), "llm")
	d.ClearBelow("/" + agentSettings + "/llm")
}

func (c *change) withoutSecrets(d *vault.Draft) (map[string]any, error) {
	s := &splitter{
		places: secretPlaces(), tokens: c.tokens, who: c.who, draft: d, kind: vault.KindSettings, root: "/" + agentSettings,
		loc: []any{"body", "agent_settings_diff"},
	}
	return s.split(c.agent)
}

// judge puts the layers together as they will be, and refuses what the upstream would refuse of what the patch touches. What
// somebody else has done wrong elsewhere is no reason.
func (c *change) judge(ctx context.Context, held holdings, d *vault.Draft) error {
	e, err := c.settled(ctx, held, d)
	if err != nil {
		return err
	}
	if c.body[activeProfile] != nil || c.agent != nil {
		if err := c.judgeAgent(ctx, e); err != nil {
			return err
		}
		settle(object(d.Body, agentSettings), e.agent)
	}
	if c.body["conversation_settings_diff"] != nil {
		if err := c.judgeConversation(ctx, e); err != nil {
			return err
		}
		settle(object(d.Body, conversationSettings), e.conversation)
	}
	return nil
}

// settled puts the layers together as they will be, and notes in the draft where its secrets are meant to go.
func (s *Surface) settled(ctx context.Context, held holdings, d *vault.Draft) (*effective, error) {
	before, err := s.stack(ctx, held)
	if err != nil {
		return nil, err
	}
	next := d.Preview()
	held.docs = slices.DeleteFunc(slices.Clone(held.docs), func(old *vault.Document) bool {
		return old.Kind == vault.KindSettings && old.Scope == next.Scope
	})
	held.docs = append(held.docs, next) // one's own come last; of the team's view there are no others
	e, err := s.stack(ctx, held)
	if err != nil {
		return nil, err
	}
	e.pin(d, next.Scope, before) // the preview's body is the draft's
	return s.stack(ctx, held)
}

// settle keeps what was sent as the upstream reads it: 5 where "5" was sent.
func settle(sent, read map[string]any) {
	for name, v := range sent {
		below, isObject := v.(map[string]any)
		clean, known := read[name]
		cleanBelow, isToo := clean.(map[string]any)
		switch {
		case isObject && isToo:
			settle(below, cleanBelow)
		case known && v != nil:
			sent[name] = clean
		}
	}
}
