package settings

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Launch is an agent profile resolved for a conversation.
type Launch struct {
	ID            string
	Revision      int64
	SecretRefs    []string       // the secrets that the agent may have; nil for all, empty for none
	AgentSettings map[string]any // as a client would send them: still to be judged, with tokens in the place of secrets
}

// AgentProfile resolves a profile for a conversation of this caller's, by its id. What is missing ends it: 404 where the profile
// or its model is not there, else 422, as the upstream answers.
func (s *Surface) AgentProfile(ctx context.Context, p *access.Principal, team uuid.UUID, id string) (Launch, error) {
	w := of(p, team)
	found, err := s.roster(ctx, w)
	if err != nil {
		return Launch{}, err
	}
	profile, err := s.byID(ctx, found, id)
	if err != nil {
		return Launch{}, err
	}
	r, err := s.resolve(ctx, found.holdings, profile)
	if err != nil {
		return Launch{}, err
	}
	if err := s.startable(ctx, r); err != nil {
		return Launch{}, err
	}
	return s.launch(ctx, w, r)
}

// byID finds a profile. The first one is found after others came, too: somebody may have its id from a list of before.
func (s *Surface) byID(ctx context.Context, r roster, id string) (map[string]any, error) {
	if parsed, err := uuid.Parse(id); err == nil {
		id = parsed.String()
	}
	if d := r.agentProfile(id); d != nil {
		return bodyOf(d), nil
	}
	if id == seedID(r.who.own()) {
		return s.seed(ctx, r.holdings)
	}
	return nil, problem.Newf(http.StatusNotFound, "Agent profile with id '%s' not found", clipped(id))
}

// startable refuses what is missing, and addresses that may not be called any more.
func (s *Surface) startable(ctx context.Context, r *resolution) error {
	loc := []any{"body", "agent_profile_id"}
	switch {
	case len(r.dangling) > 0:
		return &problem.Error{Status: http.StatusUnprocessableEntity, Detail: map[string]any{
			"message":                  "MCP server ref(s) not present in the user's MCP config: '" + strings.Join(r.dangling, "', '") + "'",
			"dangling_mcp_server_refs": listOf(r.dangling),
		}}
	case r.llm == nil:
		return problem.New(http.StatusNotFound, r.faults[0])
	case len(r.faults) > 0:
		return problem.Fields(fault("value_error", loc, "%s", strings.Join(r.faults, "; ")))
	}
	if err := s.judgeServers(ctx, at(loc, "mcp_config"), r.servers); err != nil {
		return err
	}
	return s.judgeAddresses(ctx, at(loc, "llm"), r.llm)
}

// launch puts tokens in the place of secrets. The agent's own tool to switch the model is off: its profiles are those of all teams.
func (s *Surface) launch(ctx context.Context, w who, r *resolution) (Launch, error) {
	settings := r.settings()
	settings["enable_switch_llm_tool"] = false
	if err := s.openable(r.keys); err != nil {
		return Launch{}, err
	}
	if err := s.show(ctx, w, encrypted, settings, r.keys); err != nil {
		return Launch{}, err
	}
	object(settings, "llm")["stream"] = true // as the upstream starts them
	delete(object(settings, "llm"), "provider_connection_id")
	l := Launch{AgentSettings: settings}
	l.ID, _ = r.profile["id"].(string)
	l.Revision = whole(r.profile["revision"])
	if refs, limited := r.profile["secret_refs"].([]any); limited {
		l.SecretRefs = []string{}
		for _, ref := range refs {
			if name, isText := ref.(string); isText {
				l.SecretRefs = append(l.SecretRefs, name)
			}
		}
	}
	return l, nil
}
