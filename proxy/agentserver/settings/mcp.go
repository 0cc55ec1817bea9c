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
	return s.changeServer(x, "MCPServer", http.StatusCreated, func(name string, present bool) error {
		if present {
			return problem.Newf(http.StatusConflict, "MCP server '%s' already exists", clipped(name))
		}
		return nil
	})
}

// PatchServer changes some members of one that is there.
func (s *Surface) PatchServer(x *proxy.Exchange) error {
	return s.changeServer(x, "MCPServerPatch", http.StatusOK, serverPresent)
}

// DeleteServer removes one.
func (s *Surface) DeleteServer(x *proxy.Exchange) error {
	ctx, w, name := x.Request.Context(), whoAsks(x), x.Param("settings_key")
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	kept, found, err := s.Vault.Get(ctx, scope, vault.KindSettings, "")
	if err != nil {
		return err
	}
	own := false
	if found {
		_, own = object(object(kept.Body, agentSettings), "mcp_config")[name]
	}
	return s.patchServer(x, http.StatusOK, nil, func(name string, present bool) error {
		if present && !own {
			return problem.Newf(http.StatusForbidden, "'%s' belongs to the team: an Admin can change it.", clipped(name))
		}
		return serverPresent(name, present)
	})
}

func serverPresent(name string, present bool) error {
	if !present {
		return problem.Newf(http.StatusNotFound, "MCP server '%s' was not found", clipped(name))
	}
	return nil
}

func (s *Surface) changeServer(x *proxy.Exchange, model string, status int, allowed func(name string, present bool) error) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	clean, faults, err := s.Book.Validate(x.Request.Context(), model, body, "body")
	if err != nil {
		return err
	}
	if server, isObject := clean.(map[string]any); isObject && len(faults) == 0 && model == "MCPServer" {
		if why := misfit(server, object(server, "headers")); why != "" {
			faults = append(faults, fault("value_error", []any{"body"}, "Value error, %s", why))
		}
	}
	if len(faults) > 0 {
		return problem.Fields(faults...)
	}
	return s.patchServer(x, status, clean, allowed)
}

// patchServer is a patch of the settings that means one server.
func (s *Surface) patchServer(x *proxy.Exchange, status int, change any, allowed func(name string, present bool) error) error {
	ctx, w, name := x.Request.Context(), whoAsks(x), x.Param("settings_key")
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	w = w.in(scope)
	e, err := s.effective(ctx, w)
	if err != nil {
		return err
	}
	_, present := object(e.agent, "mcp_config")[name]
	if err := allowed(name, present); err != nil {
		return err
	}
	body := map[string]any{"agent_settings_diff": map[string]any{"mcp_config": map[string]any{name: change}}}
	if err := s.patch(ctx, w, scope, body); err != nil {
		return err
	}
	return s.answer(x, w, redacted, status)
}

// judgeServers lets MCP servers be called at public addresses and those the operator allows, and be commands where they may.
func (s *Surface) judgeServers(ctx context.Context, loc []any, servers map[string]any) error {
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
