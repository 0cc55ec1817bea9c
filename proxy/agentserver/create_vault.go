package agentserver

import (
	"maps"
	"slices"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// profiled puts an agent profile's settings into the body of a create, in the place of the id that names it, and gives the names of
// the secrets that the profile's agent may have; nil means all.
func (d *Dialect) profiled(x *proxy.Exchange, in map[string]any) ([]string, error) {
	id := in["agent_profile_id"]
	if id == nil || d.usesFiles(x) {
		return nil, nil
	}
	loc := []any{"body", "agent_profile_id"}
	text, isText := id.(string)
	switch {
	case !isText:
		return nil, problem.Fields(problem.Field{Type: "string_type", Loc: loc, Msg: "Input should be a valid string"})
	case in["agent"] != nil || in["agent_settings"] != nil:
		return nil, problem.Fields(problem.Field{Type: "value_error", Loc: []any{"body"},
			Msg: "Value error, agent_profile_id cannot be combined with agent or agent_settings"})
	}
	launch, err := d.settings.AgentProfile(x.Request.Context(), x.Principal(), x.Team(), text)
	if err != nil {
		return nil, err
	}
	delete(in, "agent_profile_id")
	in["agent_settings"] = launch.AgentSettings
	return launch.SecretRefs, nil
}

// onlySecrets leaves the named secrets in a body; nil names all.
func onlySecrets(body map[string]any, saved []savedSecret, names []string) []savedSecret {
	if names == nil {
		return saved
	}
	given, _ := body["secrets"].(map[string]any)
	maps.DeleteFunc(given, func(name string, _ any) bool { return !slices.Contains(names, name) })
	return slices.DeleteFunc(saved, func(s savedSecret) bool { return !slices.Contains(names, s.as) })
}

// fillServers settles the MCP servers of a body: the addresses that may be called, and the secrets that belong to them.
func (d *Dialect) fillServers(x *proxy.Exchange, loc []any, body map[string]any) error {
	for _, name := range []string{"agent_settings", "agent"} {
		holder, _ := body[name].(map[string]any)
		servers, _ := holder["mcp_config"].(map[string]any)
		if len(servers) == 0 {
			continue
		}
		err := d.settings.FillServers(x.Request.Context(), x.Principal(), x.Team(), at(at(loc, name), "mcp_config"), servers)
		if err != nil {
			return err
		}
	}
	return nil
}

// switchProfile gives a conversation the model of a profile, by its name.
func (d *Dialect) switchProfile(x *proxy.Exchange) error {
	in, err := x.ReadJSON()
	if err != nil {
		return err
	}
	name, isText := in["profile_name"].(string)
	if !isText {
		return problem.Fields(problem.Field{Type: "missing", Loc: []any{"body", "profile_name"}, Msg: "Field required"})
	}
	llm, err := d.settings.Profile(x.Request.Context(), x.Principal(), x.Team(), name)
	if err != nil {
		return err
	}
	return d.switchTo(x, map[string]any{"llm": llm})
}

// mcpServers is the allow-list of MCP servers by name. Where they lead and what they may be is settled in fillServers.
func mcpServers(s *sanitizer, loc []any, v any) (any, bool) {
	if s.bare {
		return unless(noServers)(s, loc, v)
	}
	return dictionary(50, object(rules{
		"url":              text(2_000),
		"transport":        word("stdio", "http", "streamable-http", "sse"),
		"command":          text(2_000),
		"args":             list(100, text(10_000)),
		"env":              dictionary(100, text(10_000)),
		"cwd":              text(4_096),
		"description":      text(shortText),
		"icon":             text(10_000),
		"timeout":          number(0, 3_600),
		"sse_read_timeout": number(0, 3_600),
		"keep_alive":       flag,
		"headers":          dictionary(100, text(10_000)),
		"auth":             signedIn,
		"enabled":          flag,
	}))(s, loc, v)
}

// signedIn leaves out what nobody needs to call a server, and what the upstream would keep and show in clear.
func signedIn(s *sanitizer, loc []any, v any) (any, bool) {
	out, ok := plain(s, loc, v)
	auth, _ := out.(map[string]any)
	state, _ := auth["state"].(map[string]any)
	if tokens, given := state["tokens"].(map[string]any); given {
		delete(tokens, "id_token")
	}
	if client, given := state["client_info"].(map[string]any); given {
		delete(client, "registration_access_token")
	}
	return out, ok
}
