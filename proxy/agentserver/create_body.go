package agentserver

import (
	"bytes"
	_ "embed" // the tools of the Canvas UI
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/proxy"
)

// maxIterations bounds one run.
const maxIterations = 10_000

// canvasTools are the two tools that the Canvas UI brings with every conversation, to the letter.
//
//go:embed canvas_tools.json
var canvasTools []byte

// requestRules is the allow-list of the body that starts a conversation. It follows one rule. What could only widen the
// caller's power over the server, or reach other teams, is refused (422, with the place) when it says something that the caller
// would miss: plugins, an agent profile, MCP servers, other kinds of agents. What is harmless to lose, and sent by clients as a
// matter of course, is left out without a word:
//
//   - worktree: its folder would lie outside the team's root, so it is never made;
//   - secrets_encrypted: no token of the upstream was ever given out, so none can come back;
//   - hook_config: shell commands, which would run as the server's user outside of any confirmation. The server itself takes such
//     hooks from plugins below the working directory, which no body can switch off: see docs/security.md;
//   - tool_module_qualnames, agent_definitions: registered in the whole process, for all teams;
//   - browser_tool_set: there is one browser for all teams (other tools of the kind are refused: no client sends them unasked);
//   - client_tools other than the UI's own two: a name once registered belongs to everybody;
//   - title_llm_profile, user_id, observability_*: the operator's profiles and traces. user_id is set to the caller's.
//
// Ids, workspace and secrets are judged in startRequest, because they need more than the value itself.
func requestRules() rules {
	return rules{
		"agent":                  object(agentRules()),
		"agent_settings":         agentSettings,
		"agent_profile_id":       unless("Agent profiles are not available here. Send agent_settings."), // profiled took it, where there are some
		"agent_launch_additions": object(rules{"system_message_suffix_append": text(32_768)}),
		"client_tools":           list(100, clientTool),
		"plugins":                unless("Plugins are not available here: their hooks would run on the server. Leave plugins out."),
		"initial_message":        message,
		"confirmation_policy":    confirmationPolicy,
		"security_analyzer":      securityAnalyzer,
		"max_iterations":         number(1, maxIterations),
		"stuck_detection":        flag,
		"autotitle":              flag,
		"tags":                   dictionary(100, text(256)),
		"secrets":                secrets,
	}
}

// startRequest is a sanitised body together with what was read out of it.
type startRequest struct {
	id         uuid.UUID
	parent     uuid.UUID // uuid.Nil for none
	workingDir string
	given      bool // whether the client chose the id
	body       map[string]any
	models     []modelAt
	saved      []savedSecret
	images     []remoteImage
}

// modelAt is one LLM object of a body and the object that holds it as "llm".
type modelAt struct {
	loc    []any
	holder map[string]any
}

// sanitizeStart reads and re-encodes the body for a team whose root is root. newID is used when the client chose none.
func (s *sanitizer) sanitizeStart(in map[string]any, root string, newID uuid.UUID) (startRequest, error) {
	loc := []any{"body"}
	r := startRequest{id: newID}
	if id, ok := s.conversationID(at(loc, "conversation_id"), in["conversation_id"]); ok {
		r.id, r.given = id, true
	}
	r.parent, _ = s.conversationID(at(loc, "parent_conversation_id"), in["parent_conversation_id"])
	r.workingDir = s.folder(loc, in["workspace"], root, r.id)
	s.workingDir = r.workingDir
	r.body = s.members(loc, in, requestRules())
	s.agentOnce(loc, in, r.body)
	r.models, r.saved, r.images = models(loc, r.body), s.saved, s.remote
	s.noTokens(loc, r.body)
	r.body["conversation_id"] = r.id.String()
	if r.parent != uuid.Nil {
		r.body["parent_conversation_id"] = r.parent.String()
	}
	r.body["workspace"] = map[string]any{"kind": "LocalWorkspace", "working_dir": r.workingDir}
	r.body["secrets_encrypted"] = false
	r.body["worktree"] = false
	return r, s.err()
}

// agentOnce settles which of the two forms counts: as upstream, agent wins over agent_settings; one must be there.
func (s *sanitizer) agentOnce(loc []any, in, body map[string]any) {
	if body["agent"] != nil {
		delete(body, "agent_settings")
		if agent, _ := in["agent"].(map[string]any); agent["kind"] == nil {
			s.fault("missing", append(slices.Clone(loc), "agent", "kind"), "Field required")
		}
		return
	}
	delete(body, "agent")
	if body["agent_settings"] == nil {
		s.fault("missing", at(loc, "agent_settings"), "Field required")
	}
}

// models finds every LLM object, creating the agent's own where it is absent, so that each is resolved.
func models(loc []any, body map[string]any) []modelAt {
	var found []modelAt
	for _, name := range []string{"agent_settings", "agent"} {
		holder, present := body[name].(map[string]any)
		if !present {
			continue
		}
		if holder["llm"] == nil {
			holder["llm"] = map[string]any{"usage_id": "default"}
		}
		found = append(found, modelAt{append(slices.Clone(loc), name, "llm"), holder})
		if inner, _ := holder["condenser"].(map[string]any); inner["llm"] != nil {
			found = append(found, modelAt{append(slices.Clone(loc), name, "condenser", "llm"), inner})
		}
	}
	return found
}

// conversationID reads an id that may be absent. It accepts the two spellings that the path accepts.
func (s *sanitizer) conversationID(loc []any, v any) (uuid.UUID, bool) {
	if v == nil {
		return uuid.Nil, false
	}
	t, _ := v.(string)
	id, ok := proxy.ConversationID(t)
	if !ok || id == uuid.Nil {
		s.fault("uuid_parsing", loc, "Input should be a valid UUID")
		return uuid.Nil, false
	}
	return id, true
}

// folder gives the working directory: below the team's root as it is, or a folder of its own for the id where the client named
// none or a relative one. Symbolic links are workable's matter.
func (s *sanitizer) folder(loc []any, v any, root string, id uuid.UUID) string {
	loc = at(loc, "workspace")
	workspace, isObject := v.(map[string]any)
	if v != nil && !isObject {
		s.fault("dict_type", loc, "Input should be a valid dictionary")
	}
	if kind := workspace["kind"]; kind != nil && kind != "LocalWorkspace" {
		s.fault("literal_error", at(loc, "kind"), "Input should be 'LocalWorkspace'")
	}
	dir, isString := workspace["working_dir"].(string)
	switch loc = at(loc, "working_dir"); {
	case workspace["working_dir"] != nil && !isString:
		s.fault("string_type", loc, "Input should be a valid string")
	case !path.IsAbs(dir):
		return path.Join(root, "workspace", "project", strings.ReplaceAll(id.String(), "-", ""))
	case !canonicalPath(path.Clean(dir)) || strings.Contains(dir, "/../") || strings.HasSuffix(dir, "/..") || !within(root, path.Clean(dir)):
		s.refuse(loc, "The working directory must lie in your team's folder %s. Leave it empty to get one.", root)
	default:
		return path.Clean(dir)
	}
	return path.Join(root, "workspace")
}

// clientTool keeps the Canvas UI's own tools and leaves out the rest.
func clientTool(_ *sanitizer, _ []any, v any) (any, bool) {
	var known []json.RawMessage
	if err := json.Unmarshal(canvasTools, &known); err != nil {
		return nil, false
	}
	return v, slices.ContainsFunc(known, func(spec json.RawMessage) bool { return sameJSON(spec, v) })
}

// sameJSON compares a stored document with a decoded value, whatever the order of members.
func sameJSON(stored json.RawMessage, v any) bool {
	var want any
	if json.Unmarshal(stored, &want) != nil {
		return false
	}
	a, errA := json.Marshal(want)
	b, errB := json.Marshal(v)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// confirmationPolicy is one of the three kinds there are.
func confirmationPolicy(s *sanitizer, loc []any, v any) (any, bool) {
	return object(rules{
		"kind":            word("NeverConfirm", "AlwaysConfirm", "ConfirmRisky"),
		"threshold":       word("UNKNOWN", "LOW", "MEDIUM", "HIGH"),
		"confirm_unknown": flag,
	})(s, loc, v)
}

// securityAnalyzer is one of the kinds that bring neither an address nor a model of their own.
func securityAnalyzer(s *sanitizer, loc []any, v any) (any, bool) {
	return object(rules{
		"kind": word("LLMSecurityAnalyzer", "PatternSecurityAnalyzer", "PolicyRailSecurityAnalyzer"),
	})(s, loc, v)
}
