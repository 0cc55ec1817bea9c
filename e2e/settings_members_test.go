package e2e_test

// member is a member of the settings and what a patch may say of it: right, wrong, null, and the default itself.
type member struct {
	name   string
	values []any
}

// below makes a value that is a patch of an object.
func below(members []member) any {
	return func(p *patches) any { return p.some(members, 3) }
}

func agentMembers() []member {
	llm, servers := below(modelMembers()), below(serverNames())
	return []member{
		{"llm", []any{llm, llm, llm, llm, map[string]any{}, "x"}},
		{"mcp_config", []any{servers, servers, servers, servers, nil, map[string]any{}}},
		{"condenser", []any{below(condenserMembers()), below(condenserMembers()), nil, map[string]any{}}},
		{"verification", []any{below(verificationMembers()), below(verificationMembers()), nil, map[string]any{}}},
		{"agent_context", []any{below(contextMembers()), below(contextMembers()), nil, map[string]any{}}},
		{"tools", []any{nil, []any{}, []any{map[string]any{"name": "terminal"}}, []any{map[string]any{"name": "a", "params": map[string]any{"b": nil}}}, "x"}},
		{"agent", []any{"CodeActAgent", "other", nil}},
		{"enable_sub_agents", []any{true, false, "on", "maybe", nil}},
		{"enable_switch_llm_tool", []any{true, false, 0, nil}},
		{"tool_concurrency_limit", []any{1, 4, "2", 3.0, 0, nil}},
		{"unknown", []any{1, nil}},
	}
}

func modelMembers() []member {
	return []member{
		{"model", []any{"openai/gpt-4o", "anthropic/claude", "openai/gpt-4o", ""}},
		{"api_key", []any{"sk-one-0123456789", "sk-two-0123456789", "", nil}},
		{"base_url", []any{"http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1/", "", nil}},
		{"api_version", []any{"2026-01-01", nil}},
		{"temperature", []any{0, 0.5, "0.25", 1, nil, -1, true}},
		{"top_p", []any{1, 0.9, 2, nil}},
		{"top_k", []any{10, 2.5, nil}},
		{"num_retries", []any{5, 0, "7", 1.0, 1.5, nil}},
		{"timeout", []any{300, 60, nil, "x"}},
		{"stream", []any{false, true, "yes", 1, 2, nil}},
		{"max_output_tokens", []any{100, nil, 0}},
		{"reasoning_effort", []any{"low", "high", "strange", nil}},
		{"reasoning_summary", []any{"auto", nil}},
		{"caching_prompt", []any{true, false, nil}},
		{"usage_id", []any{"agent", "mine", nil}},
		{"capability_overrides", []any{map[string]any{"a": true}, map[string]any{"a": nil, "b": "x"}, map[string]any{}, nil}},
		{"litellm_extra_body", []any{map[string]any{"a": 1, "b": map[string]any{"c": true}}, map[string]any{"b": nil}, map[string]any{"b": map[string]any{"c": 2}}, map[string]any{}, nil}},
		{"seed", []any{1, nil}},
		{"aws_access_key_id", []any{"AKIA0123456789", nil}},
		{"aws_region_name", []any{"eu-west-1", nil}},
		{"unknown", []any{1, nil}},
	}
}

func serverNames() []member {
	server := below(serverMembers())
	return []member{
		{"one", []any{server, server, server, map[string]any{"url": "http://127.0.0.1:9/", "headers": map[string]any{"A": "header-one-0123"}}, nil}},
		{"two", []any{server, map[string]any{"command": "cat", "args": []any{"-u"}, "env": map[string]any{"E": "variable-0123"}}, map[string]any{}, nil}},
		{"three", []any{map[string]any{"url": "http://127.0.0.1:9/", "auth": map[string]any{"strategy": "bearer", "value": "bearer-0123"}}, nil}},
	}
}

// serverMembers have no null that is none of the member's own values, and the extra body of a model none in an object of its own: in
// what is new the upstream takes it for a value, and the product takes nothing away. settings.cases.txt shows that, and that it takes
// away what is there.
func serverMembers() []member {
	return []member{
		{"url", []any{"http://127.0.0.1:9/", "http://127.0.0.1:9/other", nil}},
		{"transport", []any{"http", "sse", nil}},
		{"headers", []any{map[string]any{"A": "header-two-0123"}, map[string]any{"B": "header-b-0123"}, map[string]any{}, nil}},
		{"env", []any{map[string]any{"F": "variable-f-0123"}, nil}},
		{"enabled", []any{true, false}},
		{"description", []any{"x", "", nil}},
		{"timeout", []any{5, 2.5, "3", nil}},
		{"args", []any{[]any{"a", "b"}, []any{}, nil}},
		{"keep_alive", []any{true, nil}},
	}
}

func condenserMembers() []member {
	return []member{
		{"enabled", []any{true, false, nil, "off"}},
		{"max_size", []any{240, 100, "50", 1, nil}},
		{"keep_first", []any{2, 4, -1, nil}},
		{"max_tokens", []any{1000, nil}},
		{"minimum_progress", []any{0.1, 0.5, 1, nil}},
	}
}

func verificationMembers() []member {
	return []member{
		{"critic_enabled", []any{false, nil}},
		{"critic_mode", []any{"finish_and_message", "all_actions", "never", nil}},
		{"critic_threshold", []any{0.6, 0.9, 2, "0.5", nil}},
		{"enable_iterative_refinement", []any{true, false, nil}},
		{"max_refinement_iterations", []any{3, 5, 0, nil}},
		{"unknown", []any{1}},
	}
}

func contextMembers() []member {
	return []member{
		{"system_message_suffix", []any{"Be brief.", "", nil, 5}},
		{"disabled_skills", []any{[]any{"a"}, []any{"b", "c"}, []any{}, nil, []any{1}}},
		{"load_public_skills", []any{true, false, "yes", nil}},
		{"load_memory", []any{false, true, nil}},
		{"unknown", []any{1}},
	}
}

func talkMembers() []member {
	return []member{
		{"max_iterations", []any{500, 10, "20", 30.0, 0, 1.5, nil}},
		{"confirmation_mode", []any{true, false, "on", "x", nil}},
		{"security_analyzer", []any{"llm", "none", "other", nil}},
		{"schema_version", []any{1, 2}},
		{"unknown", []any{1, nil}},
	}
}
