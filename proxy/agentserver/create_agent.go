package agentserver

// What an agent may be made of, in both forms a client may send: agent_settings (the Canvas UI) and agent (the Python SDK).

const (
	longText  = 100_000 // prompts, skills
	shortText = 1_000   // names, descriptions
	noServers = "MCP servers cannot be given with a conversation: the server would run or call them at once. Leave mcp_config out."
)

// agentSettings judges agent_settings. switch_llm as a tool is off, because its profiles are those of all teams, and so are the
// agents that enable_sub_agents would put at the agent's disposal.
func agentSettings(s *sanitizer, loc []any, v any) (any, bool) {
	return fixing(map[string]any{"enable_switch_llm_tool": false, "enable_sub_agents": false}, settingsRules())(s, loc, v)
}

func settingsRules() rules {
	return rules{
		"schema_version":         number(0, 1000),
		"agent_kind":             word("openhands"),
		"agent":                  text(shortText),
		"llm":                    modelOf("default"),
		"tools":                  list(100, tool),
		"tool_concurrency_limit": number(1, 16),
		"mcp_config":             mcpServers,
		"agent_context":          agentContext,
		"condenser":              object(condenserSettingsRules()),
		"verification":           object(verificationRules()),
	}
}

// agentRules is the allow-list of an agent of kind Agent, the only kind there is here: the others start a command of the
// client's choice. filter_tools_regex is left out without a word: an expression that takes for ever stops the whole server.
func agentRules() rules {
	return rules{
		"kind":                     word("Agent"),
		"llm":                      modelOf("default"),
		"tools":                    list(100, tool),
		"mcp_config":               mcpServers,
		"include_default_tools":    list(20, defaultTool),
		"agent_context":            agentContext,
		"system_prompt":            text(longText),
		"system_prompt_filename":   word("system_prompt.j2", "system_prompt_planning.j2"),
		"security_policy_filename": word("security_policy.j2", ""),
		"system_prompt_kwargs":     dictionary(50, plain),
		"condenser":                condenser,
		"critic":                   unless("A critic calls an address of its own. Leave critic out."),
		"tool_concurrency_limit":   number(1, 16),
	}
}

func condenserSettingsRules() rules {
	return rules{
		"enabled":                            flag,
		"condenser_kind":                     word("llm_summarizing", "no_op"),
		"max_size":                           number(1, 100_000),
		"max_tokens":                         number(1, 100_000_000),
		"keep_first":                         number(0, 100_000),
		"minimum_progress":                   number(0, 1),
		"hard_context_reset_max_retries":     number(1, 100),
		"hard_context_reset_context_scaling": number(0, 1),
	}
}

// condenser is an agent's own condenser: of the two kinds that need no further objects.
func condenser(s *sanitizer, loc []any, v any) (any, bool) {
	allowed := condenserSettingsRules()
	delete(allowed, "enabled")
	delete(allowed, "condenser_kind")
	allowed["kind"] = word("LLMSummarizingCondenser", "NoOpCondenser")
	allowed["llm"] = modelOf("condenser")
	return object(allowed)(s, loc, v)
}

// verificationRules leaves the critic off: it would take the model's key to a service of its own.
func verificationRules() rules {
	const why = "The critic calls an address of its own. Leave it off."
	return rules{
		"critic_enabled":    unless(why),
		"critic_server_url": unless(why),
		"critic_api_key":    unless(why),
		"critic_model_name": unless(why),
	}
}

// agentContext judges agent_context. What belongs to the server's one user folder is off.
func agentContext(s *sanitizer, loc []any, v any) (any, bool) {
	return fixing(map[string]any{"load_user_skills": false, "load_memory": false}, contextRules())(s, loc, v)
}

// contextRules leaves secrets to the conversation's secrets, where they are checked. load_project_skills stays the client's: the
// same skills, with hooks besides, come by way of plugins in the folder, which nothing in a body can switch off.
func contextRules() rules {
	return rules{
		"skills":                  list(500, object(skillRules())),
		"disabled_skills":         list(1000, text(shortText)),
		"system_message_suffix":   text(longText),
		"user_message_suffix":     text(longText),
		"current_datetime":        text(100),
		"load_project_skills":     flag,
		"load_public_skills":      flag,
		"secrets":                 unless("Give secrets in the conversation's secrets, not in agent_context."),
		"registered_marketplaces": unless("The server would fetch from these marketplaces. Leave registered_marketplaces out."),
	}
}

// plain is any small tree of scalars.
func plain(s *sanitizer, loc []any, v any) (any, bool) { return plainTo(4)(s, loc, v) }

func plainTo(depth int) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		if depth == 0 {
			s.refuse(loc, "Input is nested too deeply")
			return nil, false
		}
		switch v.(type) {
		case []any:
			return list(1000, plainTo(depth-1))(s, loc, v)
		case map[string]any:
			return dictionary(100, plainTo(depth-1))(s, loc, v)
		}
		return scalar(s, loc, v)
	}
}
