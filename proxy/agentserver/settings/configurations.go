package settings

import (
	"cmp"
	"net/http"

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

// configures opens a request for configurations: they are everybody's own.
func (s *Surface) configures(x *proxy.Exchange, changes bool) (request, error) {
	if ofTeam(x) {
		return request{}, errConfigurationsOwn
	}
	return s.begin(x, opening{changes: changes})
}

// configurations are the caller's own profiles, and the name of the active one.
func (s *Surface) configurations(q request) ([]*vault.Document, any, error) {
	h, err := s.holdings(q.context(), q.who, vault.KindProfile, vault.KindSettings)
	if err != nil {
		return nil, nil, err
	}
	var own []*vault.Document
	for _, d := range h.docs {
		if d.Scope == q.scope && d.Kind == vault.KindProfile {
			own = append(own, d)
		}
	}
	return own, s.active(h), nil
}

// configuration is the one that the path names.
func (s *Surface) configuration(x *proxy.Exchange, changes bool) (q request, d *vault.Document, active any, err error) {
	if q, err = s.configures(x, changes); err != nil {
		return q, nil, nil, err
	}
	docs, active, err := s.configurations(q)
	if err != nil {
		return q, nil, nil, err
	}
	id, err := uuid.Parse(x.Param("configuration_id"))
	for _, d := range docs {
		if err == nil && d.ID == id {
			return q, d, active, nil
		}
	}
	return q, nil, nil, errNoConfiguration
}

// ListConfigurations lists them, bare.
func (s *Surface) ListConfigurations(x *proxy.Exchange) error {
	q, err := s.configures(x, false)
	if err != nil {
		return err
	}
	docs, active, err := s.configurations(q)
	if err != nil {
		return err
	}
	listed := []any{}
	for _, d := range docs {
		listed = append(listed, shownConfiguration(d, active))
	}
	return q.JSON(http.StatusOK, listed)
}

// GetConfiguration shows one.
func (s *Surface) GetConfiguration(x *proxy.Exchange) error {
	q, d, active, err := s.configuration(x, false)
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, shownConfiguration(d, active))
}

// CreateConfiguration keeps a new one.
func (s *Surface) CreateConfiguration(x *proxy.Exchange) error {
	q, err := s.configures(x, true)
	if err != nil {
		return err
	}
	body, llm, err := s.configured(q, nil, "name", "model")
	if err != nil {
		return err
	}
	d, err := s.keepConfiguration(q, "", trimmed(body, "name"), llm, body["is_default"] == true)
	if err != nil {
		return err
	}
	return s.answerConfiguration(q, d, http.StatusCreated)
}

// PutConfiguration changes what is sent of one.
func (s *Surface) PutConfiguration(x *proxy.Exchange) error {
	q, before, _, err := s.configuration(x, true)
	if err != nil {
		return err
	}
	body, llm, err := s.configured(q, before)
	if err != nil {
		return err
	}
	d, err := s.keepConfiguration(q, before.Name, cmp.Or(trimmed(body, "name"), before.Name), llm, body["is_default"] == true)
	if err != nil {
		return err
	}
	return s.answerConfiguration(q, d, http.StatusOK)
}

func (s *Surface) answerConfiguration(q request, d *vault.Document, status int) error {
	_, active, err := s.configurations(q)
	if err != nil {
		return err
	}
	return q.JSON(status, shownConfiguration(d, active))
}

// DeleteConfiguration removes one.
func (s *Surface) DeleteConfiguration(x *proxy.Exchange) error {
	q, d, _, err := s.configuration(x, true)
	if err != nil {
		return err
	}
	err = s.change(q, func(c *vault.Changes) error {
		if err := modelProfiles().release(c, q.scope, d.Name); err != nil {
			return err
		}
		_, err := c.Delete(vault.KindProfile, d.Name)
		return err
	})
	if err != nil {
		return err
	}
	return q.NoContent(http.StatusNoContent)
}

// DefaultConfiguration makes one the model that counts.
func (s *Surface) DefaultConfiguration(x *proxy.Exchange) error {
	q, d, _, err := s.configuration(x, true)
	if err != nil {
		return err
	}
	if err := s.patch(q.context(), q.who, q.scope, map[string]any{activeProfile: d.Name}); err != nil {
		return err
	}
	return q.JSON(http.StatusOK, shownConfiguration(d, d.Name))
}

// TestConfiguration asks a model for one word, without keeping anything.
func (s *Surface) TestConfiguration(x *proxy.Exchange) error {
	q, err := s.configures(x, true)
	if err != nil {
		return err
	}
	_, llm, err := s.configured(q, nil, "model")
	if err != nil {
		return err
	}
	given := plainKey(llm)
	operators, err := s.fill(q.context(), q.who, []any{"body"}, llm)
	if err != nil {
		return err
	}
	answer := s.pretest(q.context(), llm, operators, given)
	message := any(nil)
	if fault, failed := answer["error"].(map[string]any); failed {
		message = fault["message"]
	}
	return q.JSON(http.StatusOK, map[string]any{"success": answer["valid"], "message": message})
}
