package agentserver

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// What stands where a key would stand.
const (
	hiddenKey      = "**********"           // a key is set; nobody asked for it
	operatorMarker = "operator-managed-key" // asked for: gives the operator's key at creation, and is worth nothing elsewhere
	storedMarker   = "stored-key"           // the same for a key in the anonymous tenant's own files
)

// revealed reads X-Expose-Secrets as the upstream does. All its modes mean the same to us: a marker instead of the mask.
func revealed(h http.Header) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(h.Get("X-Expose-Secrets"))) {
	case "":
		return false, nil
	case "encrypted", "plaintext", "true":
		return true, nil
	default:
		return false, problem.New(http.StatusBadRequest,
			"Invalid X-Expose-Secrets header value. Valid values are: 'encrypted', 'plaintext'.")
	}
}

func (d *Dialect) getSettings(x *proxy.Exchange) error {
	reveal, err := revealed(x.Request.Header)
	if err != nil {
		return err
	}
	return d.answerSettings(x, reveal)
}

// patchSettings keeps the caller's own preferences and refuses everything else.
func (d *Dialect) patchSettings(x *proxy.Exchange) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	preferences, err := preferencesIn(body)
	if err != nil {
		return err
	}
	patch := map[string]any{appPreferences: preferences}
	if err := d.config.Preferences.Merge(x.Request.Context(), subject(x.Principal()), patch); err != nil {
		return err
	}
	return d.answerSettings(x, false)
}

const appPreferences = "app_preferences"

// preferencesIn finds the one thing that may be changed. As upstream, null means that a member was not sent, except for the
// two pointers to profiles, where it would clear them.
func preferencesIn(body map[string]any) (map[string]any, error) {
	for _, diff := range []string{"agent_settings_diff", "conversation_settings_diff"} {
		if changes, isObject := body[diff].(map[string]any); body[diff] != nil && (!isObject || len(changes) > 0) {
			return nil, errManaged
		}
	}
	for _, pointer := range []string{"active_profile", "active_agent_profile_id"} {
		if _, sent := body[pointer]; sent {
			return nil, errManaged
		}
	}
	misc, err := member(body, []any{"body"}, "misc_settings_diff")
	if err != nil {
		return nil, err
	}
	if misc == nil {
		return nil, problem.New(http.StatusBadRequest, "At least misc_settings_diff must be provided.")
	}
	for name := range misc {
		if name != appPreferences {
			return nil, errManaged
		}
	}
	return member(misc, []any{"body", "misc_settings_diff"}, appPreferences)
}

// member finds an object by its name; it is nil when it is absent or null.
func member(in map[string]any, loc []any, name string) (map[string]any, error) {
	v := in[name]
	if v == nil {
		return nil, nil
	}
	found, isObject := v.(map[string]any)
	if !isObject {
		return nil, problem.Fields(problem.Field{Type: "dict_type", Loc: at(loc, name), Msg: "Input should be a valid dictionary", Input: v})
	}
	return found, nil
}

// subject is whose preferences these are. All who come without an account share theirs.
func subject(p *access.Principal) uuid.UUID {
	if p.Anonymous {
		return access.AnonymousTeam
	}
	return p.User
}

func (d *Dialect) answerSettings(x *proxy.Exchange, reveal bool) error {
	ctx := x.Request.Context()
	agent, err := d.book.AgentDefaults(ctx)
	if err != nil {
		return err
	}
	conversation, err := d.book.ConversationDefaults(ctx)
	if err != nil {
		return err
	}
	misc, err := d.preferences(ctx, x.Principal())
	if err != nil {
		return err
	}
	agent["llm"] = d.operatorLLM(agent, reveal)
	return x.JSON(http.StatusOK, map[string]any{
		"agent_settings":          agent,
		"conversation_settings":   conversation,
		"llm_api_key_is_set":      d.config.OperatorModel.Model != "",
		"active_profile":          d.activeProfile(),
		"active_agent_profile_id": nil,
		"misc_settings":           misc,
	})
}

// operatorLLM is the default model object with the operator's model in it, where there is one.
func (d *Dialect) operatorLLM(agent map[string]any, reveal bool) map[string]any {
	llm, _ := agent["llm"].(map[string]any)
	if llm == nil {
		llm = map[string]any{}
	}
	m := d.config.OperatorModel
	if m.Model == "" {
		return llm
	}
	llm["model"], llm["base_url"], llm["api_key"] = m.Model, orNull(m.BaseURL), hiddenKey
	if reveal {
		llm["api_key"] = operatorMarker
	}
	return llm
}

// preferences are what the caller patched, over our one default: nobody is tracked, so nobody needs to be asked.
func (d *Dialect) preferences(ctx context.Context, p *access.Principal) (map[string]any, error) {
	raw, err := d.config.Preferences.Get(ctx, subject(p))
	if err != nil {
		return nil, err
	}
	var kept map[string]any
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, err
	}
	app := map[string]any{"user_consents_to_analytics": false}
	mine, _ := kept[appPreferences].(map[string]any)
	for name, value := range mine {
		app[name] = value
	}
	return map[string]any{appPreferences: app}, nil
}
