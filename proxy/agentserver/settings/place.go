package settings

import (
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// places are the places of secrets, taken apart into steps: * stands for any one step and a last ** for any number of them.
type places [][]string

// secretPlaces are those below agent settings. They are the reviewed list; Unsealed compares it with what the upstream's schemas
// call secret. An MCP server's url is none: it is shown to everybody who sees the settings, so a key does not belong into it.
func secretPlaces() places {
	return placesOf(
		"/llm/api_key", "/llm/aws_access_key_id", "/llm/aws_secret_access_key", "/llm/aws_session_token",
		"/llm/extra_headers/*", "/llm/litellm_extra_body/**", // the schema shows them in clear; keys are sent there all the same
		"/mcp_config/*/env/*", "/mcp_config/*/headers/*",
		"/mcp_config/*/auth/value", "/mcp_config/*/auth/password", "/mcp_config/*/auth/headers/*",
		"/mcp_config/*/auth/authentication/client_secret",
		"/mcp_config/*/auth/state/**", // the upstream lets any member be there
		"/verification/critic_api_key",
		"/agent_context/secrets/**",
	)
}

// llmSecretPlaces are those of a single LLM object.
func llmSecretPlaces() places { return secretPlaces().below("llm") }

// serverSecretPlaces are those of a single MCP server.
func serverSecretPlaces() places { return secretPlaces().below("mcp_config").below("*") }

func (p places) below(step string) places {
	var found places
	for _, pattern := range p {
		if pattern[0] == step {
			found = append(found, pattern[1:])
		}
	}
	return found
}

func placesOf(patterns ...string) places {
	all := make(places, len(patterns))
	for i, p := range patterns {
		all[i] = steps(p)
	}
	return all
}

// nature says what a place is.
type nature int

const (
	open   nature = iota // no secret lies here
	above                // secrets lie below: it is an object
	secret               // a secret, which is a text
	free                 // an object of any shape, whose texts are secrets
)

// nature finds what the place is that a path leads to.
func (p places) nature(path []string) nature {
	found := open
	for _, pattern := range p {
		found = max(found, natureBy(pattern, path))
	}
	return found
}

// sealed says whether a text at this place is a secret.
func (n nature) sealed() bool { return n >= secret }

func natureBy(pattern, path []string) nature {
	for i, step := range pattern {
		switch {
		case i >= len(path):
			return above
		case step == "**":
			return free
		case step != "*" && step != path[i]:
			return open
		}
	}
	if len(path) == len(pattern) {
		return secret
	}
	return open
}

// join adds one step to a pointer.
func join(pointer, step string) string { return pointer + "/" + schema.Escape(step) }

// steps takes a pointer apart.
func steps(pointer string) []string {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, p := range parts {
		if strings.Contains(p, "~") {
			parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
		}
	}
	return parts
}

// within says whether a pointer is parent or lies below it.
func within(parent, pointer string) bool {
	return pointer == parent || strings.HasPrefix(pointer, parent+"/")
}

// place puts a value where a pointer leads; objects on the way are made where they are missing.
func place(in map[string]any, pointer string, v any) {
	parts := steps(pointer)
	for _, name := range parts[:len(parts)-1] {
		next, isObject := in[name].(map[string]any)
		if !isObject {
			next = map[string]any{}
			in[name] = next
		}
		in = next
	}
	in[parts[len(parts)-1]] = v
}

// valueAt is what stands where a pointer leads; nil for nothing.
func valueAt(in map[string]any, pointer string) any {
	var here any = in
	for _, name := range steps(pointer) {
		members, _ := here.(map[string]any)
		here = members[name]
	}
	return here
}

// taken says whether an object has something where a pointer leads, or something other than an object on the way.
func taken(in map[string]any, pointer string) bool {
	var here any = in
	for _, name := range steps(pointer) {
		members, isObject := here.(map[string]any)
		if !isObject {
			return true
		}
		if here = members[name]; here == nil {
			return false
		}
	}
	return true
}

// deepest is how many objects and lists may lie inside each other.
const deepest = 60

// tooDeep says whether there are more.
func tooDeep(v any, left int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, member := range v {
			if left == 0 || tooDeep(member, left-1) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if left == 0 || tooDeep(item, left-1) {
				return true
			}
		}
	}
	return false
}

// cloned is a copy in which nothing is shared.
func cloned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = cloned(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = cloned(item)
		}
		return out
	}
	return v
}

func isObject(v any) bool { _, is := v.(map[string]any); return is }
