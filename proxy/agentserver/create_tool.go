package agentserver

import (
	"slices"
	"strings"
)

// browserTools is the one set of tools that clients send as a matter of course and that is left out.
const browserTools = "browser_tool_set"

// builtinTools are the tools that work for one conversation alone, on every server of this generation. Names that are neither here
// nor in withheldTools are a client's own or another team's.
func builtinTools() []string {
	return []string{
		"terminal", "file_editor", "task_tracker",
		"edit", "list_directory", "read_file", "write_file",
		"glob", "grep", "planning_file_editor",
	}
}

// withheldTools are the server's other tools, and why a conversation does not get them. The browser is left out without a word,
// because stock clients send it with every conversation; what nobody gets who did not ask for it is refused.
func withheldTools() map[string]string {
	const (
		shared = "The agents that it can call are those of all teams. Leave it out, and turn enable_sub_agents off."
		inside = "It runs code inside the server. Leave it out."
	)
	return map[string]string{
		"task": shared, "task_tool_set": shared,
		"workflow": inside, "workflow_tool_set": inside,
		"ask_oracle": "It asks a model of the server's own profiles, whoever saved it. Leave it out.",
		browserTools: "There is one browser in the server, with the pages and cookies of all teams.",
	}
}

// toolsFor are the tools of a conversation. A server of its own, in a container, has a browser of its own too.
func toolsFor(contained bool) []string {
	if contained {
		return append(builtinTools(), browserTools)
	}
	return builtinTools()
}

// tool accepts a built-in tool. The only parameter is the planner's file, which must lie in the conversation's folder.
func tool(s *sanitizer, loc []any, v any) (any, bool) {
	in, _ := v.(map[string]any)
	name, _ := in["name"].(string)
	available := toolsFor(s.contained)
	switch why, withheld := withheldTools()[name]; {
	case slices.Contains(available, name):
	case name == browserTools:
		return nil, false
	case withheld:
		s.refuse(at(loc, "name"), "This tool is not available here. %s", why)
		return nil, false
	default:
		s.refuse(at(loc, "name"), "This tool is not available here. Use one of: %s", strings.Join(available, ", "))
		return nil, false
	}
	return map[string]any{"name": name, "params": s.toolParams(at(loc, "params"), name, in["params"])}, true
}

func (s *sanitizer) toolParams(loc []any, name string, v any) map[string]any {
	allowed := rules{}
	if name == "planning_file_editor" {
		allowed["plan_path"] = pathBelow(s.workingDir)
	}
	params, _ := v.(map[string]any)
	for _, other := range sortedKeys(params) {
		if _, known := allowed[other]; !known && !empty(params[other]) {
			s.refuse(at(loc, other), "Parameters of tools are not taken. Leave it out.")
		}
	}
	return s.members(loc, params, allowed)
}

// defaultTool keeps the tools without reach beyond the conversation and leaves out those that read shared profiles.
func defaultTool(_ *sanitizer, _ []any, v any) (any, bool) {
	name, _ := v.(string)
	return name, slices.Contains([]string{"FinishTool", "ThinkTool", "InvokeSkillTool"}, name)
}

// pathBelow is an absolute path in dir, or null.
func pathBelow(dir string) rule {
	return func(s *sanitizer, loc []any, v any) (any, bool) {
		p, isString := v.(string)
		if v == nil || isString && canonicalPath(p) && within(dir, p) {
			return v, true
		}
		s.refuse(loc, "The path must lie in the conversation's working directory")
		return nil, false
	}
}
