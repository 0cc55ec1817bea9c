package settings

import (
	"slices"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// referrers are the agent profiles of a scope that name a model's profile.
func (h holdings) referrers(scope vault.Scope, name string) []string {
	var found []string
	for _, d := range h.docs {
		if d.Scope == scope && d.Kind == vault.KindAgentProfile && d.Body["llm_profile_ref"] == name {
			found = append(found, d.Name)
		}
	}
	slices.Sort(found)
	return found
}

// follow makes what in a scope named a model's profile name another one; nothing when to is empty.
func follow(c *vault.Changes, scope vault.Scope, from, to string) error {
	docs, err := c.Layers(vault.KindSettings, vault.KindAgentProfile)
	if err != nil {
		return err
	}
	members := map[vault.Kind]string{vault.KindSettings: activeProfile, vault.KindAgentProfile: "llm_profile_ref"}
	for _, d := range docs {
		member := members[d.Kind]
		if d.Scope != scope || d.Body[member] != from {
			continue
		}
		if _, err := c.Update(d.Kind, d.Name, func(d *vault.Draft) error { return set(d, member, to) }); err != nil {
			return err
		}
	}
	return nil
}

// set changes one member of a draft; "" removes it.
func set(d *vault.Draft, member, to string) error {
	if d.Body[member] = to; to == "" {
		delete(d.Body, member)
	}
	return nil
}

// point makes an agent profile the active one of a scope; "" for none. Settings are not touched beside it.
func point(c *vault.Changes, id string) error {
	_, err := c.Update(vault.KindSettings, "", func(d *vault.Draft) error { return set(d, activeAgentProfile, id) })
	return err
}
