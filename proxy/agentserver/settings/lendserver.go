package settings

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

const elsewhereServer = "Values of the team are used only with the server as it was saved. Leave its url, command, arguments, variables and headers as they were."

// FillServers settles the MCP servers that a client sent, in place: tokens become what they stand for, one's own anywhere and
// the team's with the server as the team wrote it; addresses must be ones that may be called, and commands allowed.
func (s *Surface) FillServers(ctx context.Context, p *access.Principal, team uuid.UUID, loc []any, servers map[string]any) error {
	w := of(p, team)
	found, err := s.redeemAll(ctx, w, servers)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		server, isObject := servers[name].(map[string]any)
		if !isObject {
			continue
		}
		f := &serverFiller{who: w, tokens: found, name: name, server: server}
		if err := f.fill(at(loc, name)); err != nil {
			return err
		}
	}
	return s.judgeServers(ctx, loc, servers)
}

// serverFiller completes one MCP server.
type serverFiller struct {
	who    who
	tokens tokens
	name   string
	server map[string]any

	others, given bool // whether values of the team, and values of the caller's, are in it
}

// fill puts values in the place of tokens. Beside the team's values stand no others: a variable or a header more could lead them
// elsewhere.
func (f *serverFiller) fill(loc []any) error {
	if err := f.members("", loc, f.server); err != nil {
		return err
	}
	if f.others && f.given {
		return problem.Fields(fault("value_error", loc, elsewhereServer))
	}
	return nil
}

func (f *serverFiller) members(pointer string, loc []any, in map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		here, loc := join(pointer, name), at(loc, name)
		switch v := in[name].(type) {
		case map[string]any:
			if err := f.members(here, loc, v); err != nil {
				return err
			}
		case string:
			if !isToken(v) {
				f.given = f.given || serverSecretPlaces().nature(steps(here)).sealed()
				continue
			}
			value, err := f.worth(here, loc, v)
			if err != nil {
				return err
			}
			in[name] = value
		}
	}
	return nil
}

// worth is what a token stands for: it must have been given for this very place.
func (f *serverFiller) worth(pointer string, loc []any, token string) (any, error) {
	r := f.tokens[strings.TrimSpace(token)]
	if r.key.doc == nil || r.key.field != "/"+agentSettings+"/mcp_config/"+schema.Escape(f.name)+pointer {
		return nil, problem.Fields(fault("value_error", loc, "%s", staleToken))
	}
	mine := r.key.mine(f.who)
	if !mine && !sameServer(object(object(object(r.key.doc.Body, agentSettings), "mcp_config"), f.name), f.server) {
		return nil, problem.Fields(fault("value_error", loc, elsewhereServer))
	}
	f.others, f.given = f.others || !mine, f.given || mine
	return unpacked(r.value), r.lost
}

// serverAddress lists the members of an MCP server that say where it is.
func serverAddress() []string { return []string{"url", "command", "args", "cwd", "transport"} }

// sameServer says whether a server is where its owner put it.
func sameServer(kept, sent map[string]any) bool {
	for _, member := range serverAddress() {
		a, b := kept[member], sent[member]
		if (a != nil || b != nil) && !reflect.DeepEqual(a, b) {
			return false
		}
	}
	return true
}
