package agentserver

import (
	"regexp"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
)

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
		"provider_connection_id":       unless("Provider connections are not available here. Give api_key and base_url."),
		"extra_headers":                unless("Extra headers would be shown in clear to everyone in the team. Leave extra_headers out."),
		"litellm_extra_body":           unless("It would be shown in clear to everyone in the team. Leave litellm_extra_body out."),
	}
}

// hostIdentity are providers that work with the identity or the devices of the server's host, whatever key is given.
func hostIdentity() []string {
	return []string{
		"a2a", "a2a_agent", "auto_router", "aws_polly", "aws_textract", "bedrock_mantle", "chatgpt", "dotprompt", "gdc", "github_copilot",
		"langgraph", "litellm_agent", "oci", "petals", "s3_vectors", "sagemaker", "sagemaker_chat", "sagemaker_nova", "sap",
		"vertex_ai", "vertex_ai_beta", "gigachat", "watsonx", "watsonx_text", "pg_vector", "milvus",
	}
}

// hostAddress are providers whose default address is on the server's own host.
func hostAddress() []string {
	return []string{
		"ollama", "ollama_chat", "lm_studio", "llamafile", "docker_model_runner", "lemonade", "hosted_vllm", "vllm", "openai_like",
		"oobabooga", "xinference", "triton", "infinity", "custom", "custom_openai", "litellm_proxy", "ragflow", "langflow",
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

// bareCloudName says whether a name without a provider would be taken for one of a cloud, with the host's identity:
// "anthropic.claude-3", "ai21.jamba" and "arn:…" for Amazon's, "gemini-2" and "text-bison" for Google's.
func bareCloudName(name string) bool {
	if strings.Contains(name, "/") {
		return false
	}
	return slices.ContainsFunc([]*regexp.Regexp{
		regexp.MustCompile(`(?i)[a-z0-9]\.[a-z]`),
		regexp.MustCompile(`(?i)^(arn:|gemini|medlm|publishers)|bison|gecko`),
	}, func(r *regexp.Regexp) bool { return r.MatchString(name) })
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

// settleModel gives one LLM object its key and address. A client's own key is of no use with some providers: they have a default
// address on the server's own host, or go by its cloud identity.
func (d *Dialect) settleModel(x *proxy.Exchange, m modelAt) error {
	llm, _ := m.holder["llm"].(map[string]any)
	if ownKey(llm) {
		s := &sanitizer{}
		s.checkProvider(m.loc, llm)
		if err := s.err(); err != nil {
			return err
		}
	}
	return d.resolveModel(x, m.loc, llm)
}

func (s *sanitizer) checkProvider(loc []any, llm map[string]any) {
	name := trimmed(llm, "model")
	provider, _, _ := strings.Cut(strings.ToLower(name), "/")
	switch {
	case slices.Contains(hostIdentity(), provider), bareCloudName(name):
		s.refuse(at(loc, "model"), "This model would use the server's own identity. Choose another provider, and name it: provider/model.")
	case slices.Contains(hostAddress(), provider) && trimmed(llm, "base_url") == "":
		s.refuse(at(loc, "base_url"), "Models of %s need a base_url", provider)
	case strings.HasPrefix(provider, "bedrock") && (trimmed(llm, "aws_access_key_id") == "" || trimmed(llm, "aws_secret_access_key") == ""):
		s.refuse(at(loc, "aws_access_key_id"), "Models of %s need aws_access_key_id and aws_secret_access_key", provider)
	}
}
