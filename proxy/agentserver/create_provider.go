package agentserver

import (
	"regexp"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// Which providers a model with a client's own key may have. Everything else is refused: many a provider of the library behind the
// server takes its key, its address or its identity from the host, whatever a client gives.

// keyedProviders have one public address and go by the key alone.
func keyedProviders() []string {
	return []string{
		"openai", "anthropic", "gemini", "mistral", "codestral", "groq", "deepseek", "openrouter", "together_ai", "fireworks_ai", "xai",
		"cohere", "cohere_chat", "perplexity", "cerebras", "sambanova", "deepinfra", "nebius", "novita", "moonshot", "minimax", "zai",
		"dashscope", "hyperbolic", "openhands",
	}
}

// addressedProviders go by the key, too, but have no address of their own, or one on the server's host or of its environment.
func addressedProviders() []string {
	return []string{
		"azure", "azure_ai", "ollama", "ollama_chat", "litellm_proxy", "hosted_vllm", "custom_openai", "openai_like", "lm_studio",
	}
}

// bareNames are the names without a provider that mean OpenAI, Anthropic or Cohere. Others ("gemini-2", "text-bison",
// "ai21.jamba", "arn:…") are taken for those of a cloud, with the host's identity, or for nothing.
var bareNames = regexp.MustCompile(`^(ft:)?(gpt-|chatgpt-|o[1-9]|codex-|claude-|command-)[A-Za-z0-9._:-]*$`)

// settleModel gives one LLM object its key and address. A client's own key is taken for providers only that go by it.
func (d *Dialect) settleModel(x *proxy.Exchange, m modelAt) error {
	llm, _ := m.holder["llm"].(map[string]any)
	if err := stringsOnly(m.loc, llm, "model", "api_key", "base_url"); err != nil {
		return err
	}
	s := &sanitizer{}
	if s.noReferences(m.loc, llm); s.err() != nil {
		return s.err()
	}
	if operators, err := d.fillTokens(x, m.loc, llm); err != nil || operators {
		return err
	}
	s.noReferences(m.loc, llm) // in what was kept
	if ownKey(llm) {
		s.checkProvider(m.loc, llm)
	}
	if err := s.err(); err != nil {
		return err
	}
	return d.resolveModel(x, m.loc, llm)
}

// checkProvider takes a name as it is written: the library behind the server knows providers in lower case only, and guesses where
// it knows none.
func (s *sanitizer) checkProvider(loc []any, llm map[string]any) {
	name := trimmed(llm, "model")
	provider, _, named := strings.Cut(name, "/")
	switch {
	case name == "": // the upstream's default
	case !named && !bareNames.MatchString(name):
		s.refuse(at(loc, "model"), "It is not clear whose model this is. Name its provider: provider/model.")
	case !named, slices.Contains(keyedProviders(), provider):
	case slices.Contains(addressedProviders(), provider):
		if trimmed(llm, "base_url") == "" {
			s.refuse(at(loc, "base_url"), "Models of %s need a base_url", provider)
		}
	case provider == "bedrock":
		if trimmed(llm, "aws_access_key_id") == "" || trimmed(llm, "aws_secret_access_key") == "" {
			s.refuse(at(loc, "aws_access_key_id"), "Models of bedrock need aws_access_key_id and aws_secret_access_key")
		}
	default:
		s.refuse(at(loc, "model"), "Models of this provider cannot be used here. Use one of %s, or any OpenAI-compatible address: openai/model with a base_url.",
			strings.Join(slices.Concat(keyedProviders(), addressedProviders(), []string{"bedrock"}), ", "))
	}
}

// noReferences refuses values that the library behind the server replaces by what they name: a variable of the server's
// environment, or a token of its host.
func (s *sanitizer) noReferences(loc []any, llm map[string]any) {
	for _, name := range sortedKeys(llm) {
		value := strings.ToLower(trimmed(llm, name))
		if strings.HasPrefix(value, "os.environ") || strings.HasPrefix(value, "oidc/") {
			s.refuse(at(loc, name), "References to the server's environment are not taken. Give the value itself.")
		}
	}
}
