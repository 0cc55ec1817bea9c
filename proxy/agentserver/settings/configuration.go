package settings

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

func shownConfiguration(d *vault.Document, active any) map[string]any {
	provider := providerOf(trimmed(d.Body, "model"))
	if provider == "" {
		provider = "openai"
	}
	masked := any(nil)
	if d.Has("/api_key") {
		masked = mask
	}
	return map[string]any{
		"id": d.ID, "name": d.Name, "provider": provider, "model": d.Body["model"], "base_url": d.Body["base_url"],
		"is_default": active == d.Name, "is_active": active == d.Name, "test_status": nil, "test_message": nil, "last_used_at": nil,
		"created_at": d.CreatedAt.UTC().Format(time.RFC3339), "updated_at": d.UpdatedAt.UTC().Format(time.RFC3339), "api_key_masked": masked,
	}
}

// configured reads a configuration as an LLM object, over what there is. The required members must be sent.
func (s *Surface) configured(q request, before *vault.Document, required ...string) (body, llm map[string]any, err error) {
	if body, err = q.ReadJSON(); err != nil {
		return nil, nil, err
	}
	if faults := misconfigured(body, required); len(faults) > 0 {
		return nil, nil, problem.Fields(faults...)
	}
	llm = map[string]any{}
	if before != nil {
		llm = vault.Merge(llm, before.Body)
		for _, field := range before.Fields() {
			place(llm, field, mask) // stays, unless another one is sent
		}
	}
	for _, name := range []string{"base_url", "api_key"} {
		if v, sent := body[name]; sent {
			llm[name] = v
		}
	}
	if model := trimmed(body, "model"); model != "" {
		llm["model"] = modelName(trimmed(body, "provider"), model)
	}
	if name := trimmed(body, "name"); name != "" && !profileName.MatchString(name) {
		return nil, nil, badName([]any{"body", "name"})
	}
	return body, llm, s.savable(q.context(), llm)
}

// misconfigured finds what is wrong with the members of a body.
func misconfigured(body map[string]any, required []string) []problem.Field {
	var faults []problem.Field
	for _, name := range []string{"name", "provider", "model", "base_url", "api_key"} {
		if v := body[name]; v != nil && !isText(v) {
			faults = append(faults, fault("string_type", []any{"body", name}, "Input should be a valid string"))
		}
	}
	for _, name := range required {
		if trimmed(body, name) == "" {
			faults = append(faults, fault("missing", []any{"body", name}, "Field required"))
		}
	}
	return faults
}

func isText(v any) bool { _, is := v.(string); return is }

// modelName writes the provider before a model's bare name.
func modelName(provider, model string) string {
	if provider == "" || provider == "custom" || strings.Contains(model, "/") {
		return model
	}
	return provider + "/" + model
}

// keepConfiguration keeps a model under a name, which was another one before, or "" for a new one: its new name, what names it,
// what it says and that it is the one that counts are one change.
func (s *Surface) keepConfiguration(q request, before, name string, llm map[string]any, activate bool) (*vault.Document, error) {
	keep, err := s.kept(q, llm, true)
	if err != nil {
		return nil, err
	}
	active, err := s.prepared(q.context(), q.who, q.scope, map[string]any{activeProfile: name})
	if err != nil {
		return nil, err
	}
	var d *vault.Document
	err = s.change(q, func(c *vault.Changes) (err error) {
		if d, err = saved(c, q.scope, before, name, keep); err != nil || !activate {
			return err
		}
		return active.keep(q.context(), c)
	})
	switch {
	case errors.Is(err, vault.ErrExists):
		return nil, problem.Newf(http.StatusConflict, "There is a configuration '%s' already", name)
	case errors.Is(err, vault.ErrMissing): // somebody was faster
		return nil, errNoConfiguration
	}
	return d, limited(err, "There are %d configurations already. Delete one before saving a new one.")
}

// saved keeps a model's profile: ErrExists for a new one whose name is taken, ErrMissing for one that is gone.
func saved(c *vault.Changes, scope vault.Scope, before, name string, keep func(*vault.Draft) error) (*vault.Document, error) {
	if before == "" {
		return c.Update(vault.KindProfile, name, func(d *vault.Draft) error {
			if !d.Created {
				return vault.ErrExists
			}
			return keep(d)
		})
	}
	if before != name {
		if err := modelProfiles().renamed(c, scope, before, name); err != nil {
			return nil, err
		}
	}
	return c.Edit(vault.KindProfile, name, keep)
}
