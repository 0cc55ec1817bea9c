package settings

import (
	"context"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// Unsealed lists the places below agent settings that the upstream's schemas call secret and that we would keep in clear. There
// should be none: a new version of the upstream may bring one.
func (s *Surface) Unsealed(ctx context.Context) ([]string, error) {
	called, err := s.Book.SecretSettings(ctx, schema.Agent)
	if err != nil {
		return nil, err
	}
	for model, place := range map[string]string{"LLM": "/llm", "MCPServer": "/mcp_config/*"} {
		below, err := s.Book.SecretFields(ctx, model)
		if err != nil {
			return nil, err
		}
		for _, pointer := range below {
			called = append(called, place+pointer)
		}
	}
	var found []string
	reviewed := secretPlaces()
	for _, pointer := range called {
		if !reviewed.nature(steps(pointer)).sealed() {
			found = append(found, pointer)
		}
	}
	return found, nil
}
