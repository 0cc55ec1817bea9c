package settings

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// The routes of named LLM configurations, which scripts know, are a view on the caller's own model profiles: a configuration is a
// profile, the default one is the active one.

var (
	errNoConfiguration   = problem.New(http.StatusNotFound, "LLM configuration not found")
	errConfigurationsOwn = problem.New(http.StatusBadRequest, "Configurations are everybody's own: leave "+ScopeHeader+" out, or use profiles.")
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

// configurations are the caller's own profiles, and the name of the active one.
func (s *Surface) configurations(x *proxy.Exchange) ([]*vault.Document, any, error) {
	if ofTeam(x) {
		return nil, nil, errConfigurationsOwn
	}
	w := whoAsks(x)
	h, err := s.holdings(x.Request.Context(), w, vault.KindProfile, vault.KindSettings)
	if err != nil {
		return nil, nil, err
	}
	own := slices.DeleteFunc(h.counting(vault.KindProfile), func(d *vault.Document) bool { return d.Scope != w.own() })
	return own, s.active(h), nil
}

// ListConfigurations lists them, bare.
func (s *Surface) ListConfigurations(x *proxy.Exchange) error {
	docs, active, err := s.configurations(x)
	if err != nil {
		return err
	}
	listed := []any{}
	for _, d := range docs {
		listed = append(listed, shownConfiguration(d, active))
	}
	return x.JSON(http.StatusOK, listed)
}

// configuration is the one that the path names.
func (s *Surface) configuration(x *proxy.Exchange) (*vault.Document, any, error) {
	docs, active, err := s.configurations(x)
	if err != nil {
		return nil, nil, err
	}
	id, err := uuid.Parse(x.Param("configuration_id"))
	for _, d := range docs {
		if err == nil && d.ID == id {
			return d, active, nil
		}
	}
	return nil, nil, errNoConfiguration
}

// GetConfiguration shows one.
func (s *Surface) GetConfiguration(x *proxy.Exchange) error {
	d, active, err := s.configuration(x)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, shownConfiguration(d, active))
}

// CreateConfiguration keeps a new one.
func (s *Surface) CreateConfiguration(x *proxy.Exchange) error {
	w, err := configures(x)
	if err != nil {
		return err
	}
	body, llm, err := s.configured(x, nil, "name", "model")
	if err != nil {
		return err
	}
	name := trimmed(body, "name")
	if !profileName.MatchString(name) {
		return problem.Fields(fault("string_pattern_mismatch", []any{"body", "name"}, "String should match pattern '%s'", profileName))
	}
	_, found, err := s.Vault.Get(x.Request.Context(), w.own(), vault.KindProfile, name)
	switch {
	case err != nil:
		return err
	case found:
		return problem.Newf(http.StatusConflict, "There is a configuration '%s' already", name)
	}
	return s.keepConfiguration(x, w, name, llm, body["is_default"] == true, http.StatusCreated)
}

// PutConfiguration changes what is sent of one.
func (s *Surface) PutConfiguration(x *proxy.Exchange) error {
	w, err := configures(x)
	if err != nil {
		return err
	}
	d, _, err := s.configuration(x)
	if err != nil {
		return err
	}
	body, llm, err := s.configured(x, d)
	if err != nil {
		return err
	}
	name := d.Name
	if to := trimmed(body, "name"); to != "" && to != name {
		if !profileName.MatchString(to) {
			return problem.Fields(fault("string_pattern_mismatch", []any{"body", "name"}, "String should match pattern '%s'", profileName))
		}
		if err := s.renameConfiguration(x.Request.Context(), w, name, to); err != nil {
			return err
		}
		name = to
	}
	return s.keepConfiguration(x, w, name, llm, body["is_default"] == true, http.StatusOK)
}

func (s *Surface) renameConfiguration(ctx context.Context, w who, name, to string) error {
	err := s.Vault.Rename(ctx, w.own(), vault.KindProfile, name, to, w.by)
	switch {
	case errors.Is(err, vault.ErrExists):
		return problem.Newf(http.StatusConflict, "There is a configuration '%s' already", to)
	case errors.Is(err, vault.ErrMissing): // somebody was faster
		return errNoConfiguration
	case err != nil:
		return err
	}
	return s.follow(ctx, w, w.own(), name, to)
}

// configures is who asks for a change of configurations: they are everybody's own.
func configures(x *proxy.Exchange) (who, error) {
	w := whoAsks(x)
	if ofTeam(x) {
		return who{}, errConfigurationsOwn
	}
	_, err := writable(x, w)
	return w, err
}

// configured reads a configuration as an LLM object, over what there is. The required members must be sent.
func (s *Surface) configured(x *proxy.Exchange, before *vault.Document, required ...string) (body, llm map[string]any, err error) {
	if body, err = x.ReadJSON(); err != nil {
		return nil, nil, err
	}
	var faults []problem.Field
	for _, name := range []string{"name", "provider", "model", "base_url", "api_key"} {
		if v := body[name]; v != nil && !isText(v) {
			faults = append(faults, fault("string_type", []any{"body", name}, "Input should be a valid string"))
		}
	}
	llm = map[string]any{}
	if before != nil {
		llm = vault.Merge(llm, before.Body)
		for _, field := range before.Fields() {
			place(llm, field, mask) // stays, unless another one is sent
		}
	}
	for _, name := range required {
		if trimmed(body, name) == "" {
			faults = append(faults, fault("missing", []any{"body", name}, "Field required"))
		}
	}
	if len(faults) > 0 {
		return nil, nil, problem.Fields(faults...)
	}
	for _, name := range []string{"base_url", "api_key"} {
		if v, sent := body[name]; sent {
			llm[name] = v
		}
	}
	if model := trimmed(body, "model"); model != "" {
		llm["model"] = modelName(trimmed(body, "provider"), model)
	}
	return body, llm, s.savable(x.Request.Context(), whoAsks(x), llm)
}

func isText(v any) bool { _, is := v.(string); return is }

// modelName writes the provider before a model's bare name.
func modelName(provider, model string) string {
	if provider == "" || provider == "custom" || strings.Contains(model, "/") {
		return model
	}
	return provider + "/" + model
}

func (s *Surface) keepConfiguration(x *proxy.Exchange, w who, name string, llm map[string]any, activate bool, status int) error {
	ctx := x.Request.Context()
	d, err := s.save(ctx, w, w.own(), name, llm, true)
	if err != nil {
		return limited(err, "There are %d configurations already. Delete one before saving a new one.")
	}
	if activate {
		if err := s.patch(ctx, w, w.own(), map[string]any{activeProfile: name}); err != nil {
			return err
		}
	}
	_, active, err := s.configurations(x)
	if err != nil {
		return err
	}
	return x.JSON(status, shownConfiguration(d, active))
}

// DeleteConfiguration removes one.
func (s *Surface) DeleteConfiguration(x *proxy.Exchange) error {
	w, err := configures(x)
	if err != nil {
		return err
	}
	d, _, err := s.configuration(x)
	if err != nil {
		return err
	}
	if _, err := s.Vault.Delete(x.Request.Context(), w.own(), vault.KindProfile, d.Name, w.by); err != nil {
		return err
	}
	if err := s.follow(x.Request.Context(), w, w.own(), d.Name, ""); err != nil {
		return err
	}
	return x.NoContent(http.StatusNoContent)
}

// DefaultConfiguration makes one the model that counts.
func (s *Surface) DefaultConfiguration(x *proxy.Exchange) error {
	w, err := configures(x)
	if err != nil {
		return err
	}
	d, _, err := s.configuration(x)
	if err != nil {
		return err
	}
	if err := s.patch(x.Request.Context(), w, w.own(), map[string]any{activeProfile: d.Name}); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, shownConfiguration(d, d.Name))
}

// TestConfiguration asks a model for one word, without keeping anything.
func (s *Surface) TestConfiguration(x *proxy.Exchange) error {
	w, err := configures(x)
	if err != nil {
		return err
	}
	_, llm, err := s.configured(x, nil, "model")
	if err != nil {
		return err
	}
	if err := s.fill(x.Request.Context(), w, []any{"body"}, llm); err != nil {
		return err
	}
	answer := s.pretest(x.Request.Context(), llm)
	message := any(nil)
	if fault, failed := answer["error"].(map[string]any); failed {
		message = fault["message"]
	}
	return x.JSON(http.StatusOK, map[string]any{"success": answer["valid"], "message": message})
}
