package settings

import (
	"context"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// seedName is the name of the agent profile that is there before anybody made one. It says what the settings say.
const seedName = "default"

// seedSpace is the name space of the ids of such profiles.
var seedSpace = uuid.MustParse("6d1f3a52-7f0e-4b0b-9a55-2f1f0c3c8f10")

// seedID is the id of a scope's first profile: the same at each reading, and once it is kept.
func seedID(scope vault.Scope) string {
	return uuid.NewSHA1(seedSpace, append(scope.Team[:], scope.User[:]...)).String()
}

// seed is the profile that follows from the settings that count. The upstream keeps one at the first reading; here reading keeps
// nothing, so it is made anew until somebody changes something.
func (s *Surface) seed(ctx context.Context, h holdings) (map[string]any, error) {
	e, err := s.stack(ctx, h)
	if err != nil {
		return nil, err
	}
	model, named := s.active(h).(string)
	if !named {
		model = seedName
	}
	sent := map[string]any{"llm_profile_ref": model, "system_message_suffix": object(e.agent, "agent_context")["system_message_suffix"]}
	for _, name := range []string{"agent", "tools", "condenser", "enable_sub_agents", "enable_switch_llm_tool", "tool_concurrency_limit"} {
		if v := e.agent[name]; v != nil {
			sent[name] = v
		}
	}
	verification := profileForm("verification")
	for name := range verification {
		if v, given := object(e.agent, "verification")[name]; given {
			verification[name] = v
		}
	}
	sent["verification"] = verification
	profile, err := wholeProfile(seedName, sent)
	if err != nil { // settings of another version: the model's profile is what matters
		profile, err = wholeProfile(seedName, map[string]any{"llm_profile_ref": model})
	}
	if err == nil {
		profile["id"] = seedID(h.who.own())
	}
	return profile, err
}

// first is the first agent profile of a scope that has none yet, as it is made anew at each reading; nil where there are some.
// Those of models have no first one.
func (s *Surface) first(q request, f shelf) (map[string]any, error) {
	if f.kind != vault.KindAgentProfile {
		return nil, nil
	}
	r, err := s.roster(q.context(), q.who)
	return r.seed, err
}

// changeShelf makes changes among profiles, beside which the first one is kept.
func (s *Surface) changeShelf(q request, f shelf, work func(*vault.Changes) error) error {
	first, err := s.first(q, f)
	if err != nil {
		return err
	}
	return s.change(q, func(c *vault.Changes) error {
		if err := plant(c, first); err != nil {
			return err
		}
		return work(c)
	})
}

// plant keeps the first profile and makes it the active one: before the first change beside it, so that it stays what it was.
func plant(c *vault.Changes, profile map[string]any) error {
	if profile == nil {
		return nil
	}
	docs, err := c.Layers(vault.KindAgentProfile)
	if err != nil || len(docs) > 0 { // somebody was faster
		return err
	}
	_, err = c.Update(vault.KindAgentProfile, seedName, func(d *vault.Draft) error {
		d.Body = profile
		return nil
	})
	if err != nil {
		return err
	}
	id, _ := profile["id"].(string)
	return point(c, id)
}
