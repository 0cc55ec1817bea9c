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

// plant keeps the first profile and makes it the active one: before the first change beside it, so that it stays what it was.
func (s *Surface) plant(ctx context.Context, w who, scope vault.Scope, profile map[string]any) error {
	_, err := s.Vault.Update(ctx, scope, vault.KindAgentProfile, seedName, w.by, func(d *vault.Draft) error {
		if d.Created {
			d.Body = profile
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.point(ctx, w, scope, profile["id"])
}

// point makes an agent profile the active one of a scope; nil for none. Settings are not touched beside it.
func (s *Surface) point(ctx context.Context, w who, scope vault.Scope, id any) error {
	_, err := s.Vault.Update(ctx, scope, vault.KindSettings, "", w.by, func(d *vault.Draft) error {
		if id == nil {
			delete(d.Body, activeAgentProfile)
		} else {
			d.Body[activeAgentProfile] = id
		}
		return nil
	})
	return err
}
