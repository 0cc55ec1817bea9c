package settings

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
)

const (
	// mostServers is how many MCP servers one document may hold.
	mostServers = 50

	// resolving is how long the addresses of one body may take to be looked up.
	resolving = 15 * time.Second
)

// judgeAgent refuses agent settings, all layers together, that the upstream would refuse.
func (s *Surface) judgeAgent(ctx context.Context, e *effective) error {
	switch e.agent["agent_kind"] {
	case "openhands":
	case "acp":
		return problem.Fields(fault("value_error", []any{"body", "agent_settings_diff", "agent_kind"}, "Only agents of kind openhands are available here."))
	default:
		return errInvalid
	}
	faults, err := s.Book.Judge(ctx, schema.Agent, e.agent)
	if err == nil && (len(faults) > 0 || e.misfits() || !e.whole() || object(e.agent, "llm")["model"] == "") {
		err = errInvalid
	}
	return err
}

func (s *Surface) judgeConversation(ctx context.Context, e *effective) error {
	faults, err := s.Book.Judge(ctx, schema.Conversation, e.conversation)
	if err == nil && (len(faults) > 0 || !atLeastOne(e.conversation["max_iterations"])) {
		err = errInvalid
	}
	return err
}

// at extends loc without touching the array behind it.
func at(loc []any, step ...any) []any { return append(slices.Clone(loc), step...) }

// judgeSent refuses, in a patch of agent settings, what no conversation may have, and addresses that may not be called.
func (s *Surface) judgeSent(ctx context.Context, loc []any, patch map[string]any) error {
	if faults := unwanted(loc, patch); len(faults) > 0 {
		return problem.Fields(faults...)
	}
	ctx, cancel := context.WithTimeout(ctx, resolving)
	defer cancel()
	servers := object(patch, "mcp_config")
	if sentServers(servers) > mostServers {
		return tooManyServers(loc)
	}
	if err := s.judgeServers(ctx, at(loc, "mcp_config"), servers); err != nil {
		return err
	}
	return s.judgeAddresses(ctx, at(loc, "llm"), object(patch, "llm"))
}

func sentServers(servers map[string]any) int {
	count := 0
	for _, server := range servers {
		if server != nil {
			count++
		}
	}
	return count
}

func tooManyServers(loc []any) error {
	return problem.Fields(fault("too_long", at(loc, "mcp_config"), "There may be %d MCP servers at most", mostServers))
}

// refusal is a member that no conversation may have, with the reason.
type refusal struct{ path, why string }

// refusals are those of agent settings. A conversation that is started with them would be refused; here they would be found out
// much later.
func refusals() []refusal {
	const critic = "The critic calls an address of its own. Leave it off."
	all := []refusal{
		{"verification.critic_enabled", critic}, {"verification.critic_server_url", critic},
		{"verification.critic_api_key", critic}, {"verification.critic_model_name", critic},
		{"agent_context.secrets", "Keep secrets in the secrets, not in agent_context."},
		{"agent_context.registered_marketplaces", "The server would fetch from these marketplaces. Leave registered_marketplaces out."},
	}
	for _, r := range modelRefusals() {
		all = append(all, refusal{"llm." + r.path, r.why})
	}
	return all
}

// modelRefusals are those of a model.
func modelRefusals() []refusal {
	const cloud = "The server's own cloud identity cannot be used. Give access key and secret key."
	const login = "A subscription would be the login of all teams. Use an API key."
	return []refusal{
		{"ollama_base_url", "Give the address as base_url."},
		{"aws_bedrock_runtime_endpoint", "Leave aws_bedrock_runtime_endpoint out."},
		{"aws_role_name", cloud}, {"aws_profile_name", cloud}, {"aws_session_name", cloud},
		{"auth_type", login}, {"subscription_vendor", login},
	}
}

// unwanted finds what no conversation may have.
func unwanted(loc []any, patch map[string]any) []problem.Field {
	faults := refused(loc, patch, refusals())
	context := object(patch, "agent_context")
	skills, _ := context["skills"].([]any)
	for i, item := range skills {
		skill, _ := item.(map[string]any)
		if !empty(skill["mcp_tools"]) {
			faults = append(faults, fault("value_error", at(loc, "agent_context", "skills", i, "mcp_tools"),
				"The server would run or call them at once. Add MCP servers to mcp_config."))
		}
	}
	return faults
}

func refused(loc []any, in map[string]any, all []refusal) []problem.Field {
	var faults []problem.Field
	for _, r := range all {
		path := strings.Split(r.path, ".")
		holder, place := in, loc
		for _, name := range path[:len(path)-1] {
			holder, place = object(holder, name), at(place, name)
		}
		name := path[len(path)-1]
		if v := holder[name]; !empty(v) && !(name == "auth_type" && v == "api_key") {
			faults = append(faults, fault("value_error", at(place, name), "%s", r.why))
		}
	}
	return faults
}

// empty says whether a value says nothing.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// judgeModel refuses a single model that no conversation may have.
func (s *Surface) judgeModel(ctx context.Context, loc []any, llm map[string]any) error {
	if faults := refused(loc, llm, modelRefusals()); len(faults) > 0 {
		return problem.Fields(faults...)
	}
	return s.judgeAddresses(ctx, loc, llm)
}

// regionName is how regions are called: the name becomes part of a host's.
var regionName = regexp.MustCompile(`^[a-z0-9-]{0,40}$`)

// judgeAddresses lets keys go to public addresses and those the operator allows. The operator's own needs no leave.
func (s *Surface) judgeAddresses(ctx context.Context, loc []any, llm map[string]any) error {
	if model := trimmed(llm, "model"); strings.Contains(model, "://") { // some providers would call it
		return problem.Fields(fault("value_error", at(loc, "model"), "This is no name of a model"))
	}
	if region, isText := llm["aws_region_name"].(string); isText && !regionName.MatchString(region) {
		return problem.Fields(fault("value_error", at(loc, "aws_region_name"), "This is no name of a region"))
	}
	for _, name := range []string{"base_url", "ollama_base_url", "aws_bedrock_runtime_endpoint"} {
		given := trimmed(llm, name)
		if given == "" || given == s.Operator.BaseURL {
			continue
		}
		if err := s.Egress.Check(ctx, given); err != nil {
			return placed(err, at(loc, name))
		}
	}
	return nil
}

// placed gives a refusal its place.
func placed(err error, loc []any) error {
	p := problem.Of(err)
	text, isText := p.Detail.(string)
	if p.Status != http.StatusUnprocessableEntity || !isText {
		return err
	}
	return problem.Fields(fault("value_error", loc, "%s", text)).Because(p.Cause)
}
