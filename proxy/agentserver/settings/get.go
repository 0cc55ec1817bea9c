package settings

import (
	"net/http"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// Get answers with the settings that count for the caller; in the team's scope with those of the team.
func (s *Surface) Get(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	m, err := modeOf(x.Request.Header, q.who)
	if err != nil {
		return err
	}
	return s.answer(q, m, http.StatusOK)
}

// answer writes the settings in the upstream's shape. The team's own also say whether the operator's model may serve it.
func (s *Surface) answer(q request, m mode, status int) error {
	e, err := s.effective(q.context(), q.who)
	if err != nil {
		return err
	}
	if err := s.show(q.context(), q.who, m, e.agent, e.keys); err != nil {
		return err
	}
	tidy(e.agent)
	shown := map[string]any{
		"agent_settings":          e.agent,
		"conversation_settings":   e.conversation,
		"llm_api_key_is_set":      e.hasKey(),
		"active_profile":          e.profile,
		"active_agent_profile_id": e.agentProfile,
		"misc_settings":           e.misc,
	}
	if ofTeam(q.Exchange) {
		shown[operatorModel] = e.operatorServes
	}
	return q.JSON(status, shown)
}
