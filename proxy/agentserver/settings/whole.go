package settings

import (
	"encoding/json"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

// wholeForm is the model of those agent settings that the upstream describes nowhere but in its code: agent profiles have them, too.
func wholeForm() map[string]any {
	model := profileForm("model")
	properties := map[string]any{"agent_context": map[string]any{"$ref": "#/$defs/Context"}}
	for _, name := range []string{"agent", "tools", "condenser", "verification", "enable_sub_agents", "enable_switch_llm_tool", "tool_concurrency_limit"} {
		properties[name] = object(model, "properties")[name]
	}
	return map[string]any{"type": "object", "properties": properties, "$defs": model["$defs"]}
}

// wholeMembers are the members of its objects.
func wholeMembers() map[string]map[string]any {
	all := map[string]map[string]any{}
	for name, def := range map[string]string{"agent_context": "Context", "condenser": "Summarizing", "verification": "Verification"} {
		all[name] = object(object(object(profileForm("model"), "$defs"), def), "properties")
	}
	return all
}

// whole says whether these are as the upstream takes them, and reads them as it does.
func (e *effective) whole() bool {
	form, given := wholeForm(), map[string]any{}
	for name := range object(form, "properties") {
		if v, has := e.agent[name]; has {
			given[name] = v
		}
	}
	clean, faults := schema.Given(form, given)
	if len(faults) > 0 {
		return false
	}
	for name, v := range clean.(map[string]any) {
		members, isObject := v.(map[string]any)
		if !isObject {
			e.agent[name] = v
			continue
		}
		for member, below := range members {
			object(e.agent, name)[member] = below
		}
	}
	return e.nameTools()
}

// nameTools gives tools the parameters that they were not given; a tool without a name is none.
func (e *effective) nameTools() bool {
	tools, _ := e.agent["tools"].([]any)
	for _, item := range tools {
		tool, _ := item.(map[string]any)
		if trimmed(tool, "name") == "" {
			return false
		}
		if tool["params"] == nil {
			tool["params"] = map[string]any{}
		}
	}
	return true
}

// tidy shows agent settings as the upstream does: MCP servers without what is empty, and a condenser's own members only.
func tidy(agent map[string]any) {
	for _, v := range object(agent, "mcp_config") {
		server, _ := v.(map[string]any)
		for name, member := range server {
			if below, isObject := member.(map[string]any); member == nil || isObject && len(below) == 0 {
				delete(server, name)
			}
		}
		if _, said := server["enabled"]; server != nil && !said {
			server["enabled"] = true
		}
	}
	if condenser := object(agent, "condenser"); condenser["condenser_kind"] == "no_op" {
		agent["condenser"] = map[string]any{"condenser_kind": "no_op", "enabled": condenser["enabled"]}
	}
}

func atLeastOne(v any) bool {
	n, isNumber := v.(json.Number)
	return !isNumber || !strings.HasPrefix(n.String(), "-") && n.String() != "0"
}
