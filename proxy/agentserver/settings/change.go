package settings

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

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

// change is a patch of the settings, ready to be kept: whatever needs a query or a look-up was done before.
type change struct {
	*Surface // asks nothing
	who      who
	held     holdings // as they were before
	body     map[string]any
	agent    map[string]any // the patch of the agent settings
	tokens   tokens
}

// patch keeps the change if the settings that come of it are ones that the upstream would keep.
func (s *Surface) patch(ctx context.Context, w who, scope vault.Scope, body map[string]any) error {
	c, err := s.prepared(ctx, w.in(scope), scope, body)
	if err != nil {
		return err
	}
	_, err = s.Vault.Update(ctx, scope, vault.KindSettings, "", w.by, func(d *vault.Draft) error {
		if err := c.apply(d); err != nil {
			return err
		}
		return c.judge(ctx, d)
	})
	return err
}

func (s *Surface) prepared(ctx context.Context, w who, scope vault.Scope, body map[string]any) (*change, error) {
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return nil, err
	}
	if name, set := body[activeProfile].(string); set {
		if err := h.usable(scope, name); err != nil {
			return nil, err
		}
	}
	if v, sent := body[operatorModel]; sent && v != nil && scope.User != uuid.Nil {
		return nil, problem.Fields(fault("value_error", []any{"body", operatorModel}, "This is the team's to say: send it with %s: team.", ScopeHeader))
	}
	still, err := s.still(ctx)
	if err != nil {
		return nil, err
	}
	c := &change{Surface: still, who: w, held: h, body: body}
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
		if part == agentSettings {
			var err error
			if patch, err = c.withoutSecrets(d); err != nil {
				return err
			}
		}
		if part == conversationSettings && holdsNull(patch) {
			return errInvalid // the upstream resets no field of a conversation by null
		}
		d.Body[part] = vault.Merge(object(d.Body, part), patch)
	}
	c.single(d)
	if sentServers(object(object(d.Body, agentSettings), "mcp_config")) > mostServers {
		return tooManyServers([]any{"body", "agent_settings_diff"})
	}
	return nil
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

func holdsNull(patch map[string]any) bool {
	for _, v := range patch {
		if v == nil {
			return true
		}
	}
	return false
}

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
func (c *change) judge(ctx context.Context, d *vault.Draft) error {
	next, h := d.Preview(), c.held
	h.docs = slices.DeleteFunc(slices.Clone(h.docs), func(old *vault.Document) bool {
		return old.Kind == vault.KindSettings && old.Scope == next.Scope
	})
	h.docs = append(h.docs, next) // one's own come last; of the team's view there are no others
	e, err := c.stack(ctx, h)
	if err != nil {
		return err
	}
	if c.body[activeProfile] != nil || c.agent != nil {
		if err := c.judgeAgent(ctx, e); err != nil {
			return err
		}
	}
	if c.body["conversation_settings_diff"] != nil {
		return c.judgeConversation(ctx, e)
	}
	return nil
}
