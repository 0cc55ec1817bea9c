package settings

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// ListAgentProfiles lists the agents that may be started.
func (s *Surface) ListAgentProfiles(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	r, err := s.roster(q.context(), q.who)
	if err != nil {
		return err
	}
	listed := []any{}
	for _, p := range r.all() {
		listed = append(listed, map[string]any{
			"id": p["id"], "name": p["name"], "agent_kind": p["agent_kind"], "revision": p["revision"],
			"llm_profile_ref": p["llm_profile_ref"], "mcp_server_refs": p["mcp_server_refs"],
		})
	}
	return q.JSON(http.StatusOK, map[string]any{"profiles": listed, "active_agent_profile_id": r.active()})
}

// sought is the agent profile that a request names, among all that count.
func (s *Surface) sought(x *proxy.Exchange) (request, roster, map[string]any, error) {
	q, err := s.begin(x, opening{name: named})
	if err != nil {
		return q, roster{}, nil, err
	}
	r, err := s.roster(q.context(), q.who)
	if err != nil {
		return q, r, nil, err
	}
	p := r.named(q.name)
	if p == nil {
		err = agentProfiles().missing(q.name)
	}
	return q, r, p, err
}

// GetAgentProfile shows one. There is nothing to mask in it.
func (s *Surface) GetAgentProfile(x *proxy.Exchange) error {
	q, _, p, err := s.sought(x)
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{"name": q.name, "profile": p})
}

// SaveAgentProfile makes or replaces one. Its id is ours to give, and stays.
func (s *Surface) SaveAgentProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: named, changes: true})
	if err != nil {
		return err
	}
	sent, err := anyObject(x)
	if err != nil {
		return err
	}
	profile, err := wholeProfile(q.name, sent)
	if err != nil {
		return err
	}
	err = s.changeShelf(q, agentProfiles(), func(c *vault.Changes) error {
		_, err := c.Update(vault.KindAgentProfile, q.name, func(d *vault.Draft) error {
			revise(d, profile)
			return nil
		})
		return err
	})
	if err != nil {
		return limited(err, "Agent profile limit reached (%d). Delete a profile before saving a new one.")
	}
	return q.JSON(http.StatusCreated, map[string]any{"name": q.name, "message": "Agent profile '" + q.name + "' saved"})
}

// revise puts a profile in the place of what a draft holds.
func revise(d *vault.Draft, profile map[string]any) {
	profile["id"] = uuid.NewString()
	if !d.Created {
		profile["id"], profile["revision"] = d.Body["id"], oneMore(d.Body["revision"])
	}
	d.Body = profile
}

// DeleteAgentProfile removes one; that it was not there is no error.
func (s *Surface) DeleteAgentProfile(x *proxy.Exchange) error { return s.remove(x, agentProfiles()) }

// RenameAgentProfile gives one another name. What is active follows, as it goes by the id.
func (s *Surface) RenameAgentProfile(x *proxy.Exchange) error { return s.rename(x, agentProfiles()) }

// ActivateAgentProfile makes one the active one of a scope. The path names its id. Settings stay as they are.
func (s *Surface) ActivateAgentProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{changes: true})
	if err != nil {
		return err
	}
	id := x.Param("name")
	err = s.changeShelf(q, agentProfiles(), func(c *vault.Changes) error {
		docs, err := c.Layers(vault.KindAgentProfile)
		switch {
		case err != nil:
			return err
		case holdings{docs: docs}.agentProfile(id) == nil:
			return problem.Newf(http.StatusNotFound, "Agent profile with id '%s' not found", clipped(id))
		}
		return point(c, id)
	})
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{
		"id": id, "message": "Agent profile '" + id + "' activated", "agent_settings_applied": false,
	})
}
