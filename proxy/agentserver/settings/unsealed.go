package settings

import (
	"context"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// kept is what the upstream describes by a model or a schema and we keep: where it lies below the agent settings or in a document of
// its own, and which of its places are sealed.
type kept struct {
	model, below string
	sealed       places
}

// keptModels are all of them but the settings themselves.
func keptModels() []kept {
	agent := secretPlaces()
	return []kept{
		{"LLM", "/llm", agent}, {"MCPServer", "/mcp_config/*", agent}, {"AgentContext", "/agent_context", agent},
		{"ProviderConnectionCreateRequest", "", placesOf(connectionKey)}, {"SecretCreateRequest", "", placesOf(secretField)},
	}
}

// neverKept is refused wherever it is sent: see unwanted.
const neverKept = "/agent_context/skills/*/mcp_tools"

// CalledSecret lists the places that the upstream calls secret in what we keep.
func (s *Surface) CalledSecret(ctx context.Context) (called []string, err error) {
	called, _, err = s.secrecy(ctx)
	return called, err
}

// Unsealed lists those of them that we would keep in clear. There should be none: a new version of the upstream may bring one.
func (s *Surface) Unsealed(ctx context.Context) (inClear []string, err error) {
	_, inClear, err = s.secrecy(ctx)
	return inClear, err
}

func (s *Surface) secrecy(ctx context.Context) (called, inClear []string, err error) {
	judge := func(by places, found []string, below string) {
		for _, pointer := range found {
			called = append(called, below+pointer)
			if !by.nature(steps(below+pointer)).sealed() && !within(neverKept, below+pointer) {
				inClear = append(inClear, below+pointer)
			}
		}
	}
	for path, by := range map[string]places{schema.Agent: secretPlaces(), schema.Conversation: nil} { // of a conversation nothing is sealed
		found, err := s.Book.SecretSettings(ctx, path)
		if err != nil {
			return nil, nil, err
		}
		judge(by, found, "")
	}
	for _, k := range keptModels() {
		found, err := s.Book.SecretFields(ctx, k.model)
		if err != nil {
			return nil, nil, err
		}
		judge(k.sealed, found, k.below)
	}
	return called, inClear, nil
}
