package settings

import (
	"strings"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// address is where a model's key goes, and as whom at Amazon.
type address struct{ base, ollama, bedrock, provider, region, role, profile, session string }

// addressOf reads it from an LLM object. Where no address is given, the provider that the model's name begins with decides.
func addressOf(llm map[string]any) address {
	a := address{
		base:   strings.TrimRight(trimmed(llm, "base_url"), "/"),
		ollama: trimmed(llm, "ollama_base_url"), bedrock: trimmed(llm, "aws_bedrock_runtime_endpoint"),
		region: trimmed(llm, "aws_region_name"), role: trimmed(llm, "aws_role_name"),
		profile: trimmed(llm, "aws_profile_name"), session: trimmed(llm, "aws_session_name"),
	}
	switch model := trimmed(llm, "model"); {
	case strings.Contains(model, "://"): // some providers take the address from the model's name
		a.provider = model
	case a.base == "":
		a.provider = providerOf(model)
	}
	return a
}

// addressMembers are the members of an LLM object that belong to its address.
func addressMembers() []string {
	return []string{
		"base_url", "ollama_base_url", "aws_bedrock_runtime_endpoint", "aws_region_name", "aws_role_name", "aws_profile_name", "aws_session_name",
	}
}

// addressOfConnection is where a connection's key goes.
func addressOfConnection(c *vault.Document) address {
	return addressOf(map[string]any{"base_url": c.Body["base_url"], "model": trimmed(c.Body, "provider") + "/"})
}

// providerOf is the text before the first slash, "" for a bare name.
func providerOf(model string) string {
	provider, _, named := strings.Cut(model, "/")
	if !named {
		return ""
	}
	return strings.ToLower(provider)
}

// trimmed is a member as a string without blanks around it; "" when it is absent or none.
func trimmed(in map[string]any, name string) string {
	s, _ := in[name].(string)
	return strings.TrimSpace(s)
}
