package agentserver

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// operatorProfile is the name of the one profile there is: the operator's model. It is the name that clients ask for unasked.
const operatorProfile = "default"

// activeProfile is nil without an operator's model.
func (d *Dialect) activeProfile() any {
	if d.config.OperatorModel.Model == "" {
		return nil
	}
	return operatorProfile
}

func (d *Dialect) listProfiles(x *proxy.Exchange) error {
	profiles := []any{}
	if m := d.config.OperatorModel; m.Model != "" {
		profiles = append(profiles, map[string]any{
			"name":                       operatorProfile,
			"model":                      m.Model,
			"base_url":                   orNull(m.BaseURL),
			"provider_connection_id":     nil,
			"provider_connection_broken": false,
			"api_key_set":                true,
		})
	}
	return x.JSON(http.StatusOK, map[string]any{"profiles": profiles, "active_profile": d.activeProfile()})
}

func (d *Dialect) getProfile(x *proxy.Exchange) error {
	reveal, err := revealed(x.Request.Header)
	if err != nil {
		return err
	}
	if err := d.knownProfile(x); err != nil {
		return err
	}
	agent, err := d.book.AgentDefaults(x.Request.Context())
	if err != nil {
		return err
	}
	llm := d.operatorLLM(agent, reveal)
	if !reveal {
		llm["api_key"] = nil // here, unlike in the settings, the upstream shows nothing at all
	}
	return x.JSON(http.StatusOK, map[string]any{"name": operatorProfile, "config": llm, "api_key_set": true})
}

// activateProfile has nothing to do: the one profile is always active.
func (d *Dialect) activateProfile(x *proxy.Exchange) error {
	if err := d.knownProfile(x); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{
		"name":        operatorProfile,
		"message":     "Profile '" + operatorProfile + "' activated and applied to current settings",
		"llm_applied": true,
	})
}

func (d *Dialect) knownProfile(x *proxy.Exchange) error {
	name := x.Param("name")
	if name == operatorProfile && d.config.OperatorModel.Model != "" {
		return nil
	}
	return problem.Newf(http.StatusNotFound, "Profile '%s' not found", clipped(name))
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
