package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// resolution is what becomes of a profile, and what is missing.
type resolution struct {
	profile  map[string]any
	llm      map[string]any // nil where there is none
	llmKeys  map[string]key // by place below llm
	servers  map[string]any
	keys     map[string]key // by place below agent settings
	dangling []string       // MCP servers that are not there
	faults   []string
}

// resolve follows what a profile names.
func (s *Surface) resolve(ctx context.Context, h holdings, profile map[string]any) (*resolution, error) {
	e, err := s.stack(ctx, h)
	if err != nil {
		return nil, err
	}
	r := &resolution{profile: profile, servers: map[string]any{}, keys: map[string]key{}}
	r.choose(e)
	if len(r.dangling) > 0 {
		r.faults = append(r.faults, "MCP server(s) not configured: "+strings.Join(r.dangling, ", "))
	}
	if err := s.model(ctx, h, e, r); err != nil {
		return nil, err
	}
	if v := object(profile, "verification"); v["critic_enabled"] == true || trimmed(v, "critic_server_url") != "" {
		r.faults = append(r.faults, "The critic would take the model's key to an address of its own: switch it off in the profile")
	}
	return r, nil
}

// choose takes the MCP servers that a profile names; all of them where it names none.
func (r *resolution) choose(e *effective) {
	all := object(e.agent, "mcp_config")
	refs, limited := r.profile["mcp_server_refs"].([]any)
	if !limited {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			refs = append(refs, name)
		}
	}
	for _, ref := range refs {
		name, _ := ref.(string)
		server, present := all[name]
		switch {
		case present:
			r.servers[name] = server
		case !slices.Contains(r.dangling, name):
			r.dangling = append(r.dangling, name)
		}
	}
	for pointer, k := range e.keys {
		if parts := steps(pointer); len(parts) > 2 && parts[0] == "mcp_config" && r.servers[parts[1]] != nil {
			r.keys[pointer] = k
		}
	}
}

// model takes the model that a profile names. The name of the first profile means, where nothing has it, the model that counts.
func (s *Surface) model(ctx context.Context, h holdings, e *effective, r *resolution) error {
	name, _ := r.profile["llm_profile_ref"].(string)
	if p := h.find(h.who.own(), vault.KindProfile, name); p == nil && name == seedName && s.active(h) == nil && e.configured() {
		r.llm, r.llmKeys = object(e.agent, "llm"), e.modelKeys()
	} else if err := s.profileOf(ctx, h, r, name); err != nil {
		return err
	}
	for place, k := range r.llmKeys {
		r.keys["/llm"+place] = k
	}
	return nil
}

// configured says whether somebody gave the model that counts a key or an address: defaults alone are none to start with.
func (e *effective) configured() bool {
	return e.hasKey() || trimmed(object(e.agent, "llm"), "base_url") != ""
}

func (s *Surface) profileOf(ctx context.Context, h holdings, r *resolution, name string) (err error) {
	r.llm, r.llmKeys, err = s.profile(ctx, h, name)
	if p, is := errors.AsType[*problem.Error](err); is && p.Status == http.StatusNotFound {
		r.faults = append(r.faults, "LLM profile '"+clipped(name)+"' not found")
		return nil
	}
	if err != nil {
		return err
	}
	if h.find(h.who.own(), vault.KindProfile, name) != nil {
		if broken, is := errors.AsType[*problem.Error](h.usable(h.who.own(), name)); is {
			r.faults = append(r.faults, fmt.Sprintf("Could not load LLM profile '%s': %v", clipped(name), broken.Detail))
		}
	}
	return nil
}

// settings are the agent settings that follow, without secrets.
func (r *resolution) settings() map[string]any {
	p := r.profile
	return map[string]any{
		"schema_version": json.Number("6"), // as it comes from a client
		"agent_kind":     "openhands",
		"agent":          p["agent"],
		"llm":            r.llm,
		"mcp_config":     r.servers,
		"tools":          p["tools"],
		"agent_context": map[string]any{
			"skills":                []any{},
			"load_public_skills":    true, // those of the server's one user folder are nobody's
			"load_project_skills":   true,
			"disabled_skills":       p["disabled_skills"],
			"system_message_suffix": p["system_message_suffix"],
		},
		"condenser":              p["condenser"],
		"verification":           p["verification"],
		"enable_sub_agents":      p["enable_sub_agents"],
		"enable_switch_llm_tool": p["enable_switch_llm_tool"],
		"tool_concurrency_limit": p["tool_concurrency_limit"],
	}
}

// MaterializeAgentProfile says what would become of a profile. What is missing is part of the answer.
func (s *Surface) MaterializeAgentProfile(x *proxy.Exchange) error {
	q, found, profile, err := s.sought(x)
	if err != nil {
		return err
	}
	r, err := s.resolve(q.context(), found.holdings, profile)
	if err != nil {
		return err
	}
	report, err := s.report(q.context(), q.who, r)
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, report)
}

// report is the upstream's form of it. Which skills there are is not looked up.
func (s *Surface) report(ctx context.Context, w who, r *resolution) (map[string]any, error) {
	_, hasKey := r.llmKeys["/api_key"]
	var resolved any
	if len(r.faults) == 0 {
		settings := r.settings()
		if err := s.complete(ctx, settings); err != nil {
			return nil, err
		}
		if err := s.show(ctx, w, redacted, settings, r.keys); err != nil {
			return nil, err
		}
		tidy(settings)
		resolved = settings
	}
	return map[string]any{
		"agent_kind": "openhands", "valid": len(r.faults) == 0, "errors": listOf(r.faults),
		"llm_profile_ref": r.profile["llm_profile_ref"], "llm_profile_resolved": r.llm != nil, "llm_api_key_set": hasKey,
		"mcp_server_refs": r.profile["mcp_server_refs"], "resolved_mcp_config_keys": listOf(slices.Sorted(maps.Keys(r.servers))),
		"dangling_mcp_server_refs": listOf(r.dangling),
		"disabled_skills":          r.profile["disabled_skills"], "resolved_skills": []any{}, "secret_refs": r.profile["secret_refs"],
		"acp_api_key_secret_name": nil, "acp_base_url_secret_name": nil, "acp_file_secret_names": []any{},
		"resolved_settings": resolved,
	}, nil
}

// complete gives agent settings the members of which a profile says nothing.
func (s *Surface) complete(ctx context.Context, settings map[string]any) error {
	defaults, err := s.Book.AgentDefaults(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{"agent_context", "verification"} {
		settings[name] = over(object(defaults, name), object(settings, name))
	}
	return nil
}

func listOf(texts []string) []any {
	all := []any{}
	for _, t := range texts {
		all = append(all, t)
	}
	return all
}
