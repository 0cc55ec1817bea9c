package schema

import (
	"context"
	"time"
)

// AgentDefaults are the agent settings of somebody who never changed one. The schema lists what people may change; what else the
// upstream's object holds is added, as its version 1.49 has it. Each call gives a new object.
func (b *Book) AgentDefaults(ctx context.Context) (map[string]any, error) {
	defaults, err := b.Defaults(ctx, Agent)
	if err != nil {
		return nil, err
	}
	return filled(defaults, map[string]any{
		"schema_version": 6,
		"agent_kind":     kind,
		"llm":            map[string]any{"is_subscription": false},
		"agent_context": map[string]any{
			"skills":                  []any{},
			"disabled_skills":         []any{},
			"registered_marketplaces": []any{},
			"marketplace_path":        "marketplaces/default.json",
			"system_message_suffix":   nil,
			"user_message_suffix":     nil,
			"load_user_skills":        false,
			"load_public_skills":      false,
			"load_project_skills":     false,
			"secrets":                 nil,
			"current_datetime":        time.Now().UTC().Format(time.RFC3339Nano),
		},
	}), nil
}

// ConversationDefaults are those of a conversation.
func (b *Book) ConversationDefaults(ctx context.Context) (map[string]any, error) {
	defaults, err := b.Defaults(ctx, Conversation)
	if err != nil {
		return nil, err
	}
	return filled(defaults, map[string]any{"schema_version": 1}), nil
}

// filled adds what is missing in base, at any depth. What the schema says always counts.
func filled(base, rest map[string]any) map[string]any {
	for name, value := range rest {
		present, known := base[name]
		below, isObject := present.(map[string]any)
		more, moreIsObject := value.(map[string]any)
		switch {
		case !known:
			base[name] = value
		case isObject && moreIsObject:
			filled(below, more)
		}
	}
	return base
}
