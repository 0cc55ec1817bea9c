package llm

import (
	"encoding/json"
	"slices"
	"strings"
)

// chat is the part of a chat completion request that matters here.
type chat struct {
	Model    string    `json:"model"`
	Stream   bool      `json:"stream"`
	Messages []message `json:"messages"`
	Tools    []struct {
		Function tool `json:"function"`
	} `json:"tools"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string  `json:"role"`
	Content content `json:"content"`
}

type tool struct {
	Name       string `json:"name"`
	Parameters struct {
		Properties map[string]struct {
			Type string   `json:"type"`
			Enum []string `json:"enum"`
		} `json:"properties"`
		Required []string `json:"required"`
	} `json:"parameters"`
}

// content is a message's text parts: a string and a list of parts are both in use.
type content []string

// UnmarshalJSON implements json.Unmarshaler.
func (c *content) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		*c = content{text}
		return nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return err
	}
	*c = nil
	for _, part := range parts {
		*c = append(*c, part.Text)
	}
	return nil
}

// conversation is what the next step depends on.
type conversation struct {
	user    string   // the last message of the user, without what the agent adds behind it
	results []string // the tool results after it
}

func (c chat) conversation() conversation {
	var found conversation
	for _, m := range c.Messages {
		switch {
		case m.Role == "user" && len(m.Content) > 0:
			found = conversation{user: m.Content[0]}
		case m.Role == "tool":
			found.results = append(found.results, strings.Join(m.Content, "\n"))
		}
	}
	return found
}

// names are the tools that the request offers.
func (c chat) names() []string {
	var all []string
	for _, t := range c.Tools {
		all = append(all, t.Function.Name)
	}
	return all
}

// offered finds the first of the named tools that the request offers.
func (c chat) offered(names ...string) (tool, bool) {
	for _, name := range names {
		for _, t := range c.Tools {
			if t.Function.Name == name {
				return t.Function, true
			}
		}
	}
	return tool{}, false
}

// arguments fills what the tool's schema requires beyond the given ones: which
// extras an agent-server asks for (a risk, a summary) depends on its settings.
func (t tool) arguments(given map[string]string) string {
	all := map[string]any{}
	for name, value := range given {
		all[name] = value
	}
	for _, name := range t.Parameters.Required {
		if _, set := all[name]; !set {
			all[name] = t.filler(name)
		}
	}
	encoded, _ := json.Marshal(all) // strings and booleans always encode
	return string(encoded)
}

func (t tool) filler(name string) any {
	property := t.Parameters.Properties[name]
	switch {
	case slices.Contains(property.Enum, "LOW"):
		return "LOW"
	case len(property.Enum) > 0:
		return property.Enum[0]
	case property.Type == "boolean":
		return false
	case property.Type == "integer", property.Type == "number":
		return 0
	default:
		return "scripted step"
	}
}
