package settings

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// operatorProfile is the name under which the operator's model is listed where nobody has a profile of that name. It is the name
// that clients ask for unasked.
const operatorProfile = "default"

// named takes a profile's name from the path.
func named(x *proxy.Exchange) (string, error) {
	name := x.Param("name")
	switch {
	case name == "":
		return "", problem.Fields(fault("string_too_short", []any{"path", "name"}, "String should have at least 1 character"))
	case len(name) > 64:
		return "", problem.Fields(fault("string_too_long", []any{"path", "name"}, "String should have at most 64 characters"))
	case !profileName.MatchString(name):
		return "", problem.Fields(fault("string_pattern_mismatch", []any{"path", "name"}, "String should match pattern '%s'", profileName))
	}
	return name, nil
}

func noProfile(name string) error {
	return problem.Newf(http.StatusNotFound, "Profile '%s' not found", name)
}

// ListProfiles lists the models that count for the caller: one's own, the team's, and the operator's.
func (s *Surface) ListProfiles(x *proxy.Exchange) error {
	w := whoAsks(x)
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(x.Request.Context(), w.in(scope), vault.KindProfile, vault.KindConnection, vault.KindSettings)
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
		if set, is := d.Body[activeProfile].(string); is {
			name = set
		} else if len(object(object(d.Body, agentSettings), "llm")) > 0 {
			name = nil
		}
	}
	return name
}

// GetProfile shows one model. Without X-Expose-Secrets its key is null, unlike in the settings.
func (s *Surface) GetProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w := whoAsks(x)
	m, err := modeOf(x.Request.Header, w)
	if err != nil {
		return err
	}
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(x.Request.Context(), w.in(scope), vault.KindProfile, vault.KindConnection, vault.KindSettings)
	if err != nil {
		return err
	}
	llm, keys, err := s.profile(x.Request.Context(), h, name)
	if err != nil {
		return err
	}
	_, hasKey := keys["/api_key"]
	if linked := llm["provider_connection_id"]; linked != nil { // shown as it is kept: the connection's key and address stay there
		llm["base_url"] = nil
		delete(keys, "/api_key")
	}
	if err := s.show(x.Request.Context(), w, m, llm, keys); err != nil {
		return err
	}
	if m == redacted {
		llm["api_key"] = nil
	}
	return x.JSON(http.StatusOK, map[string]any{"name": name, "config": llm, "api_key_set": hasKey})
}

// SaveProfile makes or replaces a model of a scope.
func (s *Surface) SaveProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	body, err := s.body(x, "SaveProfileRequest")
	if err != nil {
		return err
	}
	w := whoAsks(x)
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	llm := object(body, "llm")
	if err := s.savable(x.Request.Context(), w.in(scope), llm); err != nil {
		return err
	}
	keep := body["include_secrets"] != false
	if _, err := s.save(x.Request.Context(), w, scope, name, llm, keep); err != nil {
		return limited(err, "Profile limit reached (%d). Delete a profile before saving a new one.")
	}
	return x.JSON(http.StatusCreated, map[string]any{"name": name, "message": "Profile '" + name + "' saved"})
}

// DeleteProfile removes one; that it was not there is no error. What an agent profile names stays.
func (s *Surface) DeleteProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	referrers, err := s.referrers(ctx, scope, name)
	if err != nil {
		return err
	}
	if len(referrers) > 0 {
		return problem.Newf(http.StatusConflict, "LLM profile is referenced by %d agent profile(s): %s", len(referrers), strings.Join(referrers, ", "))
	}
	removed, err := s.Vault.Delete(ctx, scope, vault.KindProfile, name, w.by)
	if err == nil && !removed {
		err = s.teamsOr(ctx, w, scope, vault.KindProfile, name, nil)
	}
	if err == nil && removed {
		err = s.follow(ctx, w, scope, name, "")
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"name": name, "message": "Profile '" + name + "' deleted"})
}

// RenameProfile gives one another name; what is active, and what agent profiles name, follows.
func (s *Surface) RenameProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	body, err := s.body(x, "RenameProfileRequest")
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	to, _ := body["new_name"].(string)
	err = s.Vault.Rename(ctx, scope, vault.KindProfile, name, to, w.by)
	switch {
	case errors.Is(err, vault.ErrMissing):
		return s.teamsOr(ctx, w, scope, vault.KindProfile, name, noProfile(name))
	case errors.Is(err, vault.ErrExists):
		return problem.Newf(http.StatusConflict, "Profile '%s' already exists", to)
	case err != nil:
		return err
	}
	message := "Profile '" + name + "' renamed to '" + to + "'"
	if name == to {
		message = "Profile '" + name + "' unchanged (same name)"
	} else if err := s.follow(ctx, w, scope, name, to); err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"name": to, "message": message})
}

// ActivateProfile makes a profile the model of a scope; settings of the model made before give way.
func (s *Surface) ActivateProfile(x *proxy.Exchange) error {
	name, err := named(x)
	if err != nil {
		return err
	}
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(ctx, w.in(scope), vault.KindProfile, vault.KindSettings)
	if err != nil {
		return err
	}
	switch p := h.find(scope, vault.KindProfile, name); {
	case p == nil && name == operatorProfile && s.operatorServes(h):
		err = s.clear(ctx, w, scope) // back to the layer below
	case p == nil:
		return noProfile(name)
	default:
		err = s.patch(ctx, w, scope, map[string]any{activeProfile: name})
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{
		"name": name, "message": "Profile '" + name + "' activated and applied to current settings", "llm_applied": true,
	})
}
