package agentserver

import (
	"strings"
	"unicode/utf8"
)

// skillRules is the allow-list of a skill that a body brings. source is left out without a word: the server looks whether that
// file of its host exists, and says so.
func skillRules() rules {
	return rules{
		"name":                     text(shortText),
		"content":                  skillContent,
		"description":              text(10_000),
		"version":                  text(100),
		"license":                  text(shortText),
		"compatibility":            text(shortText),
		"is_agentskills_format":    flag,
		"disable_model_invocation": flag,
		"trigger":                  object(triggerRules()),
		"inputs":                   list(100, plain),
		"metadata":                 dictionary(100, text(10_000)),
		"allowed_tools":            list(100, text(shortText)),
		"mcp_tools":                unless(noServers),
	}
}

// skillContent parts every "!" from a backtick behind it: the server runs what stands in !`…` in a shell of its own, with its own
// environment and outside of any confirmation, when a skill is invoked. An agent reads the same text as before.
func skillContent(s *sanitizer, loc []any, v any) (any, bool) {
	out, keep := text(1_000_000)(s, loc, v)
	if content, isString := out.(string); isString {
		return strings.ReplaceAll(content, "!`", "! `"), keep
	}
	return out, keep
}

func triggerRules() rules {
	return rules{
		"type":     word("keyword", "task", "path"),
		"keywords": list(200, text(shortText)),
		"triggers": list(200, text(shortText)),
		"paths":    list(200, glob),
	}
}

// glob is a pattern of file names. The server turns it into an expression that it tries on every path, during which it does
// nothing else: with many stars that takes for ever.
func glob(s *sanitizer, loc []any, v any) (any, bool) {
	pattern, isString := v.(string)
	if !isString {
		s.fault("string_type", loc, "Input should be a valid string")
		return nil, false
	}
	deep := strings.Count(pattern, "**")
	if utf8.RuneCountInString(pattern) > 200 || deep > 2 || strings.Count(pattern, "*")-2*deep > 3 {
		s.refuse(loc, "A pattern has at most 200 characters, two ** and three other *")
		return nil, false
	}
	return pattern, true
}
