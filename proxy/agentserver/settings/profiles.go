package settings

import (
	"net/http"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// operatorProfile is the name under which the operator's model is listed where nobody has a profile of that name. It is the name
// that clients ask for unasked.
const operatorProfile = "default"

// ListProfiles lists the models that count for the caller: one's own, the team's, and the operator's.
func (s *Surface) ListProfiles(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	h, err := s.holdings(q.context(), q.who, vault.KindProfile, vault.KindConnection, vault.KindSettings)
	if err != nil {
		return err
	}
	listed := []any{}
	for _, p := range h.counting(vault.KindProfile) {
		listed = append(listed, summary(h, p))
	}
	if s.operatorServes(h) && h.find(h.who.own(), vault.KindProfile, operatorProfile) == nil {
		listed = append(listed, map[string]any{"name": operatorProfile, "model": s.Operator.Model, "base_url": orNull(s.Operator.BaseURL),
			"provider_connection_id": nil, "provider_connection_broken": false, "api_key_set": true})
	}
	slices.SortStableFunc(listed, func(a, b any) int { return strings.Compare(nameOf(a), nameOf(b)) })
	return x.JSON(http.StatusOK, map[string]any{"profiles": listed, "active_profile": s.active(h)})
}

func nameOf(v any) string { name, _ := v.(map[string]any)["name"].(string); return name }

// operatorServes says whether the operator's model is there for this team.
func (s *Surface) operatorServes(h holdings) bool {
	team := h.find(h.who.team(), vault.KindSettings, "")
	return s.Operator.Model != "" && (team == nil || team.Body[operatorModel] != false)
}

// active is the name of the active profile: the highest layer's that names one; the operator's where its model counts.
func (s *Surface) active(h holdings) any {
	var name any
	if s.operatorServes(h) {
		name = operatorProfile
	}
	for _, d := range h.docs {
		if d.Kind != vault.KindSettings {
			continue
		}
		if set, is := d.Body[activeProfile].(string); is && h.find(d.Scope, vault.KindProfile, set) != nil {
			name = set
		} else if len(object(object(d.Body, agentSettings), "llm")) > 0 {
			name = nil
		}
	}
	return name
}

// GetProfile shows one model. Without X-Expose-Secrets its key is null, unlike in the settings.
func (s *Surface) GetProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: named})
	if err != nil {
		return err
	}
	m, err := modeOf(x.Request.Header, q.who)
	if err != nil {
		return err
	}
	h, err := s.holdings(q.context(), q.who, vault.KindProfile, vault.KindConnection, vault.KindSettings)
	if err != nil {
		return err
	}
	llm, keys, err := s.profile(q.context(), h, q.name)
	if err != nil {
		return err
	}
	_, hasKey := keys["/api_key"]
	if linked := llm["provider_connection_id"]; linked != nil { // shown as it is kept: the connection's key and address stay there
		llm["base_url"] = nil
		delete(keys, "/api_key")
	}
	if err := s.show(q.context(), q.who, m, llm, keys); err != nil {
		return err
	}
	if m == redacted {
		llm["api_key"] = nil
	}
	return q.JSON(http.StatusOK, map[string]any{"name": q.name, "config": llm, "api_key_set": hasKey})
}

// SaveProfile makes or replaces a model of a scope.
func (s *Surface) SaveProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: named, body: "SaveProfileRequest", changes: true})
	if err != nil {
		return err
	}
	llm := object(q.body, "llm")
	if err := s.savable(q.context(), llm); err != nil {
		return err
	}
	keep, err := s.kept(q, llm, q.body["include_secrets"] != false)
	if err != nil {
		return err
	}
	if _, err := s.Vault.Update(q.context(), q.scope, vault.KindProfile, q.name, q.who.by, keep); err != nil {
		return limited(err, "Profile limit reached (%d). Delete a profile before saving a new one.")
	}
	return q.JSON(http.StatusCreated, map[string]any{"name": q.name, "message": "Profile '" + q.name + "' saved"})
}

// DeleteProfile removes one; that it was not there is no error. What an agent profile names stays.
func (s *Surface) DeleteProfile(x *proxy.Exchange) error { return s.remove(x, modelProfiles()) }

// RenameProfile gives one another name; what is active, and what agent profiles name, follows.
func (s *Surface) RenameProfile(x *proxy.Exchange) error { return s.rename(x, modelProfiles()) }

// ActivateProfile makes a profile the model of a scope; settings of the model made before give way.
func (s *Surface) ActivateProfile(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: named, changes: true})
	if err != nil {
		return err
	}
	h, err := s.holdings(q.context(), q.who, vault.KindProfile, vault.KindSettings)
	if err != nil {
		return err
	}
	if h.find(q.scope, vault.KindProfile, q.name) == nil && q.name == operatorProfile && s.operatorServes(h) {
		err = s.clear(q)
	} else {
		err = s.patch(q.context(), q.who, q.scope, map[string]any{activeProfile: q.name})
	}
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{
		"name": q.name, "message": "Profile '" + q.name + "' activated and applied to current settings", "llm_applied": true,
	})
}

// clear removes a scope's own model, so that the layer below shows.
func (s *Surface) clear(q request) error {
	_, err := s.Vault.Update(q.context(), q.scope, vault.KindSettings, "", q.who.by, func(d *vault.Draft) error {
		s.clearModel(d)
		delete(d.Body, activeProfile)
		return nil
	})
	return err
}
