package settings

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// viewed is the roster of a request that reads.
func (s *Surface) viewed(x *proxy.Exchange) (roster, error) {
	w := whoAsks(x)
	scope, err := scopeOf(x, w)
	if err != nil {
		return roster{}, err
	}
	return s.roster(x.Request.Context(), w.in(scope))
}

// ListAgentProfiles lists the agents that may be started.
func (s *Surface) ListAgentProfiles(x *proxy.Exchange) error {
	r, err := s.viewed(x)
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
	return x.JSON(http.StatusOK, map[string]any{"profiles": listed, "active_agent_profile_id": r.active()})
}

// GetAgentProfile shows one. There is nothing to mask in it.
func (s *Surface) GetAgentProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	r, err := s.viewed(x)
	if err != nil {
		return err
	}
	p := r.named(name)
	if p == nil {
		return noAgentProfile(name)
	}
	return x.JSON(http.StatusOK, map[string]any{"name": name, "profile": p})
}

// SaveAgentProfile makes or replaces one. Its id is ours to give, and stays.
func (s *Surface) SaveAgentProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	sent, err := anyObject(x)
	if err != nil {
		return err
	}
	profile, err := wholeProfile(name, sent)
	if err != nil {
		return err
	}
	if err := s.planted(ctx, w, scope); err != nil {
		return err
	}
	_, err = s.Vault.Update(ctx, scope, vault.KindAgentProfile, name, w.by, func(d *vault.Draft) error {
		profile["id"] = uuid.NewString()
		if !d.Created {
			profile["id"], profile["revision"] = d.Body["id"], oneMore(d.Body["revision"])
		}
		d.Body = profile
		return nil
	})
	if err != nil {
		return limited(err, "Agent profile limit reached (%d). Delete a profile before saving a new one.")
	}
	return x.JSON(http.StatusCreated, map[string]any{"name": name, "message": "Agent profile '" + name + "' saved"})
}

// anyObject reads a body that may be any object, which is not called a model where it is none.
func anyObject(x *proxy.Exchange) (map[string]any, error) {
	body, err := x.ReadJSON()
	if p, is := errors.AsType[*problem.Error](err); is {
		if faults, listed := p.Detail.([]problem.Field); listed && len(faults) == 1 && faults[0].Type == "model_attributes_type" {
			return nil, problem.Fields(fault("dict_type", faults[0].Loc, "Input should be a valid dictionary"))
		}
	}
	return body, err
}

// planted keeps the first profile of a scope where it is still made anew at each reading.
func (s *Surface) planted(ctx context.Context, w who, scope vault.Scope) error {
	r, err := s.roster(ctx, w.in(scope))
	if err != nil || r.seed == nil {
		return err
	}
	return s.plant(ctx, w, scope, r.seed)
}

// DeleteAgentProfile removes one; that it was not there is no error.
func (s *Surface) DeleteAgentProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	doc, found, err := s.Vault.Get(ctx, scope, vault.KindAgentProfile, name)
	switch {
	case err != nil:
		return err
	case !found:
		err = s.teamsOr(ctx, w, scope, vault.KindAgentProfile, name, nil)
	default:
		err = s.removeAgentProfile(ctx, w, doc)
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"name": name, "message": "Agent profile '" + name + "' deleted"})
}

func (s *Surface) removeAgentProfile(ctx context.Context, w who, doc *vault.Document) error {
	if _, err := s.Vault.Delete(ctx, doc.Scope, vault.KindAgentProfile, doc.Name, w.by); err != nil {
		return err
	}
	settings, found, err := s.Vault.Get(ctx, doc.Scope, vault.KindSettings, "")
	if err != nil || !found || settings.Body[activeAgentProfile] != doc.Body["id"] {
		return err
	}
	return s.point(ctx, w, doc.Scope, nil)
}

// RenameAgentProfile gives one another name. What is active follows, as it goes by the id.
func (s *Surface) RenameAgentProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	body, err := s.body(x, "RenameAgentProfileRequest")
	if err != nil {
		return err
	}
	if err := s.planted(ctx, w, scope); err != nil {
		return err
	}
	to, _ := body["new_name"].(string)
	err = s.Vault.Rename(ctx, scope, vault.KindAgentProfile, name, to, w.by)
	switch {
	case errors.Is(err, vault.ErrMissing):
		return s.teamsOr(ctx, w, scope, vault.KindAgentProfile, name, noAgentProfile(name))
	case errors.Is(err, vault.ErrExists):
		return problem.Newf(http.StatusConflict, "Agent profile '%s' already exists", to)
	case err != nil:
		return err
	}
	message := fmt.Sprintf("Agent profile '%s' renamed to '%s'", name, to)
	if name == to {
		message = fmt.Sprintf("Agent profile '%s' unchanged (same name)", name)
	}
	return x.JSON(http.StatusOK, map[string]any{"name": to, "message": message})
}

// ActivateAgentProfile makes one the active one of a scope. The path names its id. Settings stay as they are.
func (s *Surface) ActivateAgentProfile(x *proxy.Exchange) error {
	w, ctx, id := whoAsks(x), x.Request.Context(), x.Param("name")
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	r, err := s.roster(ctx, w.in(scope))
	switch {
	case err != nil:
	case r.seed != nil && r.seed["id"] == id:
		err = s.plant(ctx, w, scope, r.seed)
	case r.agentProfile(id) == nil:
		err = problem.Newf(http.StatusNotFound, "Agent profile with id '%s' not found", clipped(id))
	default:
		err = s.point(ctx, w, scope, id)
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{
		"id": id, "message": "Agent profile '" + id + "' activated", "agent_settings_applied": false,
	})
}
