package settings

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// Get answers with the settings that count for the caller; in the team's scope with those of the team.
func (s *Surface) Get(x *proxy.Exchange) error {
	w := whoAsks(x)
	m, err := modeOf(x.Request.Header, w)
	if err != nil {
		return err
	}
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	return s.answer(x, w.in(scope), m, http.StatusOK)
}

// answer writes the settings in the upstream's shape. The team's own also say whether the operator's model may serve it.
func (s *Surface) answer(x *proxy.Exchange, w who, m mode, status int) error {
	ctx := x.Request.Context()
	e, err := s.effective(ctx, w)
	if err != nil {
		return err
	}
	_, hasKey := e.keys["/llm/api_key"]
	if err := s.show(ctx, w, m, e.agent, e.keys); err != nil {
		return err
	}
	shown := map[string]any{
		"agent_settings":          e.agent,
		"conversation_settings":   e.conversation,
		"llm_api_key_is_set":      hasKey,
		"active_profile":          e.profile,
		"active_agent_profile_id": e.agentProfile,
		"misc_settings":           e.misc,
	}
	if ofTeam(x) {
		shown[operatorModel] = e.operatorServes
	}
	return x.JSON(status, shown)
}
