package settings

import (
	"context"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// CreateServer adds one MCP server under a name that is free.
func (s *Surface) CreateServer(x *proxy.Exchange) error {
	return s.changeServer(x, opening{name: serverNamed, body: "MCPServer", changes: true}, http.StatusCreated, func(name string, present, _ bool) error {
		if present {
			return problem.Newf(http.StatusConflict, "MCP server '%s' already exists", clipped(name))
		}
		return nil
	})
}

// PatchServer changes some members of one that is there.
func (s *Surface) PatchServer(x *proxy.Exchange) error {
	return s.changeServer(x, opening{name: serverNamed, body: "MCPServerPatch", changes: true}, http.StatusOK, func(name string, present, _ bool) error {
		return serverPresent(name, present)
	})
}

// DeleteServer removes one.
func (s *Surface) DeleteServer(x *proxy.Exchange) error {
	return s.changeServer(x, opening{name: serverNamed, changes: true}, http.StatusOK, func(name string, present, own bool) error {
		if present && !own {
			return teams(name)
		}
		return serverPresent(name, present)
	})
}

func serverNamed(x *proxy.Exchange) (string, error) { return x.Param("settings_key"), nil }

func serverPresent(name string, present bool) error {
	if !present {
		return problem.Newf(http.StatusNotFound, "MCP server '%s' was not found", clipped(name))
	}
	return nil
}

// changeServer is a patch of the settings that means one server. allowed is asked whether there is one of that name, and whether
// it is the scope's own.
func (s *Surface) changeServer(x *proxy.Exchange, o opening, status int, allowed func(name string, present, own bool) error) error {
	q, err := s.begin(x, o)
	if err != nil {
		return err
	}
	var server any // nil removes it
	if o.body != "" {
		server = q.body
	}
	if why := misfit(q.body, object(q.body, "headers")); o.body == "MCPServer" && why != "" {
		return problem.Fields(fault("value_error", []any{"body"}, "Value error, %s", why))
	}
	c, err := s.prepared(q.context(), q.who, q.scope, map[string]any{
		"agent_settings_diff": map[string]any{"mcp_config": map[string]any{q.name: server}},
	})
	if err != nil {
		return err
	}
	c.allowed = func(h holdings, e *effective) error {
		_, present := object(e.agent, "mcp_config")[q.name]
		_, own := serversOf(h.mine(q.scope, vault.KindSettings, ""))[q.name]
		return allowed(q.name, present, own)
	}
	if err := s.change(q, func(tx *vault.Changes) error { return c.keep(q.context(), tx) }); err != nil {
		return err
	}
	return s.answer(q, redacted, status)
}

// serversOf are those that a document holds.
func serversOf(d *vault.Document) map[string]any {
	if d == nil {
		return nil
	}
	return object(object(d.Body, agentSettings), "mcp_config")
}

// judgeServers lets MCP servers be called at public addresses and those the operator allows, and be commands where they may.
func (s *Surface) judgeServers(ctx context.Context, loc []any, servers map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	checked := map[string]bool{"": true}
	for name := range servers {
		server := object(servers, name)
		if url := trimmed(server, "url"); !checked[url] {
			checked[url] = true
			if err := s.Egress.Check(ctx, url); err != nil {
				return problem.Fields(fault("value_error", at(loc, name, "url"), "%s", problem.Of(err).Detail))
			}
		}
		if trimmed(server, "command") != "" && !s.Commands {
			return problem.Fields(fault("value_error", at(loc, name, "command"),
				"MCP servers that are commands are off here, as the conversations' shells are. Give one with a url."))
		}
	}
	return nil
}

// misfit says why members of an MCP server do not go together; "" where they do.
func misfit(server, headers map[string]any) string {
	transport := trimmed(server, "transport")
	switch {
	case transport == "stdio" && trimmed(server, "command") == "":
		return "stdio MCP servers require 'command'"
	case transport != "" && transport != "stdio" && trimmed(server, "url") == "":
		return "remote MCP servers require 'url'"
	}
	for name := range headers {
		if server["auth"] != nil && strings.EqualFold(name, "Authorization") {
			return "'auth' cannot be combined with an explicit top-level 'Authorization' header; use auth.strategy='header' instead."
		}
	}
	return ""
}

// misfits says whether there is such a server. The names of headers lie with their values.
func (e *effective) misfits() bool {
	headers := map[string]map[string]any{}
	for pointer := range e.keys {
		if parts := steps(pointer); len(parts) == 4 && parts[0] == "mcp_config" && parts[2] == "headers" {
			if headers[parts[1]] == nil {
				headers[parts[1]] = map[string]any{}
			}
			headers[parts[1]][parts[3]] = mask
		}
	}
	servers := object(e.agent, "mcp_config")
	for name := range servers {
		if misfit(object(servers, name), headers[name]) != "" {
			return true
		}
	}
	return false
}
