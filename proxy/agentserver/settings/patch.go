package settings

import (
	"net/http"
	"regexp"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// errInvalid is what the upstream says of settings that do not fit, whatever is wrong with them.
var errInvalid = problem.New(http.StatusUnprocessableEntity, "Settings validation failed")

// Patch changes the settings of one scope: each diff is merged into what the scope has sent before.
func (s *Surface) Patch(x *proxy.Exchange) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	if err := judgePatch(body); err != nil {
		return err
	}
	q, err := s.begin(x, opening{changes: !s.preferring(x, body)})
	if err != nil {
		return err
	}
	if err := s.patch(q.context(), q.who, q.scope, body); err != nil {
		return err
	}
	return s.answer(q, redacted, http.StatusOK)
}

// parts are the members of a patch, by the part of the document that each changes.
func parts() map[string]string {
	return map[string]string{
		"agent_settings_diff":        agentSettings,
		"conversation_settings_diff": conversationSettings,
		"misc_settings_diff":         miscSettings,
	}
}

// pointers are the members that name what is active, and how their values look.
func pointers() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{activeProfile: profileName, activeAgentProfile: profileID}
}

var (
	profileName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	profileID   = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
)

// judgePatch refuses what the upstream would refuse by its shape.
func judgePatch(body map[string]any) error {
	var faults []problem.Field
	sent := false
	for diff := range parts() {
		if v := body[diff]; v != nil && !isObject(v) {
			faults = append(faults, fault("dict_type", []any{"body", diff}, "Input should be a valid dictionary"))
		}
		sent = sent || body[diff] != nil
	}
	for name, pattern := range pointers() {
		v, set := body[name]
		sent = sent || set
		text, isText := v.(string)
		switch {
		case v == nil:
		case !isText:
			faults = append(faults, fault("string_type", []any{"body", name}, "Input should be a valid string"))
		case !pattern.MatchString(text):
			faults = append(faults, fault("string_pattern_mismatch", []any{"body", name}, "String should match pattern '%s'", pattern))
		}
	}
	if v, set := body[operatorModel]; set {
		sent = true
		if _, isBool := v.(bool); v != nil && !isBool {
			faults = append(faults, fault("bool_type", []any{"body", operatorModel}, "Input should be a valid boolean"))
		}
	}
	switch {
	case len(faults) > 0:
		return problem.Fields(faults...)
	case !sent:
		return problem.New(http.StatusBadRequest, "At least one of agent_settings_diff, conversation_settings_diff, misc_settings_diff, "+
			"active_profile, or active_agent_profile_id must be provided")
	}
	return nil
}

// preferring says whether a patch is of preferences, which are everybody's own to change.
func (s *Surface) preferring(x *proxy.Exchange, body map[string]any) bool {
	return onlyPreferences(body) && x.Request.Header.Get(ScopeHeader) == "" && whoAsks(x).may(access.SettingsPreferences)
}

func onlyPreferences(body map[string]any) bool {
	for name, v := range body {
		diff, isObject := v.(map[string]any)
		switch {
		case name == "misc_settings_diff" && isObject:
			for member := range diff {
				if member != "app_preferences" {
					return false
				}
			}
		case parts()[name] != "" && v != nil && !(isObject && len(diff) == 0), pointers()[name] != nil, name == operatorModel:
			return false
		}
	}
	return true
}
