package settings

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// fillServer puts values in the place of the tokens in one MCP server. Beside the team's values stand no others: a variable or a
// header more could lead them elsewhere.
func (s *Surface) fillServer(ctx context.Context, w who, loc []any, name string, server map[string]any) error {
	others, plain := false, false
	var fill func(pointer string, loc []any, in map[string]any) error
	fill = func(pointer string, loc []any, in map[string]any) error {
		for _, member := range slices.Sorted(maps.Keys(in)) {
			here, loc := join(pointer, member), at(loc, member)
			switch v := in[member].(type) {
			case map[string]any:
				if err := fill(here, loc, v); err != nil {
					return err
				}
			case string:
				if !isToken(v) {
					plain = plain || serverSecretPlaces().nature(steps(here)).sealed()
					continue
				}
				value, mine, err := s.serverSecret(ctx, w, loc, name, here, v, server)
				if err != nil {
					return err
				}
				in[member], others, plain = unpacked(value), others || !mine, plain || mine
			}
		}
		return nil
	}
	if err := fill("", loc, server); err != nil {
		return err
	}
	if others && plain {
		return problem.Fields(fault("value_error", loc, elsewhereServer))
	}
	return nil
}

const elsewhereServer = "Values of the team are used only with the server as it was saved. Leave its url, command, arguments, variables and headers as they were."

// serverSecret is what a token in an MCP server stands for: it must have been given for this very place.
func (s *Surface) serverSecret(ctx context.Context, w who, loc []any, name, pointer, token string, server map[string]any) (value string, mine bool, err error) {
	k, value, err := s.redeem(ctx, w, token)
	if err != nil && !errors.Is(err, errStale) {
		return "", false, err
	}
	if err != nil || k.field != "/"+agentSettings+"/mcp_config/"+schema.Escape(name)+pointer {
		return "", false, problem.Fields(fault("value_error", loc, "%s", staleToken))
	}
	if !k.mine(w) && !sameServer(object(object(object(k.doc.Body, agentSettings), "mcp_config"), name), server) {
		return "", false, problem.Fields(fault("value_error", loc, elsewhereServer))
	}
	return value, k.mine(w), nil
}

// sameServer says whether a server is where its owner put it.
func sameServer(kept, sent map[string]any) bool {
	for _, member := range []string{"url", "command", "args", "cwd", "transport"} {
		a, b := kept[member], sent[member]
		if (a != nil || b != nil) && !reflect.DeepEqual(a, b) {
			return false
		}
	}
	return true
}
