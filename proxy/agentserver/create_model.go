package agentserver

import "strings"

// modelOf judges an LLM object. Its usage is fixed: a name of the client's could meet another in the server's registry.
func modelOf(usage string) rule {
	return fixing(map[string]any{"usage_id": usage}, modelRules())
}

// modelRules is the allow-list of an LLM object. What is left out names files and stores of the server's host or makes it fetch
// images; what is refused would send a key or a request to a place that nobody checked, with an identity that is not the
// caller's. Which address and which key a model may have is settled in settleModel.
func modelRules() rules {
	const cloud = "The server's own cloud identity cannot be used. Give access key and secret key."
	return rules{
		"model":                      modelName,
		"api_key":                    text(10_000),
		"base_url":                   text(2_000),
		"api_version":                text(100),
		"api_mode":                   word("auto", "chat", "responses"),
		"model_canonical_name":       text(300),
		"temperature":                number(0, 100),
		"top_p":                      number(0, 1),
		"top_k":                      number(0, 1e9),
		"seed":                       number(-1e18, 1e18),
		"max_input_tokens":           number(1, 1e9),
		"max_output_tokens":          number(1, 1e9),
		"max_message_chars":          number(1, 1e8),
		"reasoning_effort":           text(50),
		"reasoning_summary":          text(50),
		"enable_encrypted_reasoning": flag,
		"extended_thinking_budget":   number(0, 1e9),
		"prompt_cache_retention":     text(50),
		"timeout":                    number(0, 3600),
		"num_retries":                number(0, 20),
		"retry_multiplier":           number(0, 100),
		"retry_min_wait":             number(0, 600),
		"retry_max_wait":             number(0, 600),
		"caching_prompt":             flag,
		"drop_params":                flag,
		"disable_vision":             flag,
		"disable_stop_word":          flag,
		"native_tool_calling":        flag,
		"force_string_serializer":    flag,
		"stream":                     flag,
		"input_cost_per_token":       number(0, 1e6),
		"output_cost_per_token":      number(0, 1e6),
		"capability_overrides":       dictionary(50, scalar),
		"openrouter_site_url":        text(shortText),
		"openrouter_app_name":        text(shortText),

		"aws_access_key_id":     text(shortText),
		"aws_secret_access_key": text(shortText),
		"aws_session_token":     text(10_000),
		"aws_region_name":       region,
		"aws_profile_name":      unless(cloud),
		"aws_role_name":         unless(cloud),
		"aws_session_name":      unless(cloud),

		"aws_bedrock_runtime_endpoint": unless("Leave aws_bedrock_runtime_endpoint out."),
		"ollama_base_url":              unless("Give the address as base_url."),
		"auth_type":                    only("api_key", "A subscription would be the login of all teams. Use an API key."),
		"subscription_vendor":          unless("A subscription would be the login of all teams. Use an API key."),
		"provider_connection_id":       text(shortText), // its key and address take the place of those given
		"extra_headers":                unless("Extra headers would be shown in clear to everyone in the team. Leave extra_headers out."),
		"litellm_extra_body":           unless("It would be shown in clear to everyone in the team. Leave litellm_extra_body out."),
	}
}

// modelName refuses a model that is an address: some providers would call it.
func modelName(s *sanitizer, loc []any, v any) (any, bool) {
	name, isString := v.(string)
	switch {
	case v == nil:
		return nil, false // the upstream's default
	case !isString:
		s.fault("string_type", loc, "Input should be a valid string")
	case len(name) > 300 || strings.Contains(name, "://") || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		s.refuse(loc, "This is no name of a model")
	default:
		return name, true
	}
	return nil, false
}

// region is a name of a region: it becomes part of a host name.
func region(s *sanitizer, loc []any, v any) (any, bool) {
	name, isString := v.(string)
	ok := isString && len(name) <= 40 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	if v == nil || ok {
		return v, true
	}
	s.refuse(loc, "This is no name of a region")
	return nil, false
}
