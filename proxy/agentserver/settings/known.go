package settings

import (
	"context"
	"fmt"
	"maps"
	"strconv"
)

// known leaves out of a patch of agent settings what the upstream ignores: a key in a member that nobody knows would lie in clear.
func (s *Surface) known(ctx context.Context, patch map[string]any) (map[string]any, error) {
	defaults, err := s.Book.AgentDefaults(ctx)
	if err != nil {
		return nil, err
	}
	patch = maps.Clone(patch)
	maps.DeleteFunc(patch, func(name string, _ any) bool { _, has := defaults[name]; return !has })
	if err := versioned(patch, 6); err != nil {
		return nil, err
	}
	for name, members := range wholeMembers() {
		if part, isObject := patch[name].(map[string]any); isObject {
			part = maps.Clone(part)
			maps.DeleteFunc(part, func(member string, _ any) bool {
				_, has := object(defaults, name)[member]
				return !has && members[member] == nil
			})
			patch[name] = part
		}
	}
	if llm, isObject := patch["llm"].(map[string]any); isObject {
		clean, err := s.Book.Known(ctx, "LLM", llm)
		if err != nil {
			return nil, err
		}
		patch["llm"] = clean
		delete(object(patch, "llm"), unkept)
	}
	if servers, isObject := patch["mcp_config"].(map[string]any); isObject {
		clean := map[string]any{}
		for name, server := range servers {
			if clean[name], err = s.Book.Known(ctx, "MCPServer", server); err != nil {
				return nil, err
			}
		}
		patch["mcp_config"] = clean
	}
	return patch, nil
}

// knownTalk does so of one of conversation settings, of which nothing is a secret.
func (s *Surface) knownTalk(ctx context.Context, patch map[string]any) (map[string]any, error) {
	defaults, err := s.Book.ConversationDefaults(ctx)
	if err != nil {
		return nil, err
	}
	patch = maps.Clone(patch)
	maps.DeleteFunc(patch, func(name string, _ any) bool { _, has := defaults[name]; return !has })
	return patch, versioned(patch, 1)
}

// versioned takes the version of its form out of a patch: it says nothing, unless it is one that the upstream does not know.
func versioned(patch map[string]any, latest int64) error {
	v, sent := patch["schema_version"]
	delete(patch, "schema_version")
	if n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64); sent && v != nil && (err != nil || n < 1 || n > latest) {
		return errInvalid
	}
	return nil
}
