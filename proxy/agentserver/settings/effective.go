package settings

import (
	"context"
	"maps"
	"strings"

	"github.com/openhands-saas/openhands-saas/proxy/agentserver/schema"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// The members of a settings document.
const (
	agentSettings        = "agent_settings"
	conversationSettings = "conversation_settings"
	miscSettings         = "misc_settings"
	activeProfile        = "active_profile"
	activeAgentProfile   = "active_agent_profile_id"
	operatorModel        = "operator_model" // false in a team's document: the operator's model does not serve this team
)

// effective is what counts for a caller: all layers, without any secret, and where each secret lies.
type effective struct {
	agent, conversation, misc map[string]any
	profile, agentProfile     any            // a name and an id, or nil
	keys                      map[string]key // by place below agent, such as "/llm/api_key"
	operatorServes            bool           // unless the team does without it
}

// effective puts the layers of a caller together. In a team's view one's own layer does not count.
func (s *Surface) effective(ctx context.Context, w who) (*effective, error) {
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return nil, err
	}
	return s.stack(ctx, h)
}

func (s *Surface) stack(ctx context.Context, h holdings) (*effective, error) {
	e, err := s.bottom(ctx)
	if err != nil {
		return nil, err
	}
	llm := object(e.agent, "llm") // a profile begins anew from the defaults
	e.agent["llm"] = cloned(llm)
	team := h.find(h.who.team(), vault.KindSettings, "")
	e.operatorServes = team == nil || team.Body[operatorModel] != false
	if s.operatorServes(h) {
		e.operator(s.Operator)
	}
	for _, d := range h.docs {
		if d.Kind == vault.KindSettings {
			e.layer(h, d, llm)
		}
	}
	return e, nil
}

// bottom is the layer of somebody in a team that never changed anything.
func (s *Surface) bottom(ctx context.Context) (*effective, error) {
	agent, err := s.Book.AgentDefaults(ctx)
	if err != nil {
		return nil, err
	}
	conversation, err := s.Book.ConversationDefaults(ctx)
	if err != nil {
		return nil, err
	}
	misc := map[string]any{"app_preferences": map[string]any{"user_consents_to_analytics": false}} // nobody is tracked, so nobody is asked
	return &effective{agent: agent, conversation: conversation, misc: misc, keys: map[string]key{}}, nil
}

// modelKeys are the keys of the model that counts, by their place in it.
func (e *effective) modelKeys() map[string]key {
	keys := map[string]key{}
	for pointer, k := range e.keys {
		if within("/llm", pointer) {
			keys[strings.TrimPrefix(pointer, "/llm")] = k
		}
	}
	return keys
}

// hasKey says whether the model that counts has a key.
func (e *effective) hasKey() bool { _, has := e.keys["/llm/api_key"]; return has }

func (e *effective) operator(o Operator) {
	llm := object(e.agent, "llm")
	llm["model"], llm["base_url"] = o.Model, orNull(o.BaseURL)
	e.keys["/llm/api_key"] = key{}
}

// layer puts a settings document over what is there.
func (e *effective) layer(h holdings, d *vault.Document, defaults map[string]any) {
	if name, set := d.Body[activeProfile].(string); set {
		if p := h.find(d.Scope, vault.KindProfile, name); p != nil {
			e.use(h, p, defaults)
			e.profile = name // one that is gone is not active
		}
	}
	if id, set := d.Body[activeAgentProfile].(string); set {
		e.agentProfile = id
	}
	patch := object(d.Body, agentSettings)
	before, model := addressOf(object(e.agent, "llm")), trimmed(object(e.agent, "llm"), "model")
	e.servers(d.Scope, object(patch, "mcp_config"))
	e.agent = vault.Merge(e.agent, patch)
	if addressOf(object(e.agent, "llm")) != before || escorted(object(patch, "llm"), d, "/"+agentSettings+"/llm") {
		e.drop("/llm", d.Scope)
	}
	if trimmed(object(e.agent, "llm"), "model") != model { // the operator pays for one model only
		maps.DeleteFunc(e.keys, func(_ string, k key) bool { return k.operators() })
	}
	for name := range patch { // what a key is for may be said beside it
		if name != "llm" && name != "mcp_config" {
			e.drop("/"+name, d.Scope)
		}
	}
	e.cover(d, patch)
	maps.Copy(e.conversation, object(d.Body, conversationSettings)) // values all
	e.misc = freeOver(e.misc, object(d.Body, miscSettings))
	for _, field := range d.Fields() {
		if pointer, isAgents := strings.CutPrefix(field, "/"+agentSettings); isAgents && e.leads(d, pointer) {
			e.keys[pointer] = key{doc: d, field: field}
		}
	}
}

// cover drops the secrets of lower layers in whose place, or on whose way, a layer has something else.
func (e *effective) cover(d *vault.Document, patch map[string]any) {
	if len(e.keys) == 0 {
		return
	}
	shape, _ := cloned(patch).(map[string]any)
	for _, field := range d.Fields() {
		if pointer, isAgents := strings.CutPrefix(field, "/"+agentSettings); isAgents && pointer != "" {
			if shape == nil {
				shape = map[string]any{}
			}
			place(shape, pointer, mask)
		}
	}
	maps.DeleteFunc(e.keys, func(pointer string, _ key) bool { return taken(shape, pointer) })
}

// use puts a profile in the model's place, with its key, or that of the connection it names.
func (e *effective) use(h holdings, p *vault.Document, defaults map[string]any) {
	llm, _ := cloned(defaults).(map[string]any)
	llm = vault.Merge(llm, p.Body)
	maps.DeleteFunc(e.keys, func(pointer string, _ key) bool { return within("/llm", pointer) })
	for pointer, k := range profileKeys(h, p, llm) {
		e.keys["/llm"+pointer] = k
	}
	e.agent["llm"] = llm
}

// profileKeys lists the keys of a profile by their place in it. A connection brings its key and its address, which count more;
// the team's brings its key to a profile of one's own only where nothing in that leads elsewhere.
func profileKeys(h holdings, p *vault.Document, llm map[string]any) map[string]key {
	keys := map[string]key{}
	for _, field := range p.Fields() {
		keys[field] = key{doc: p, field: field}
	}
	id, linked := llm["provider_connection_id"].(string)
	if !linked {
		return keys
	}
	if c := h.find(p.Scope, vault.KindConnection, id); c != nil {
		llm["base_url"] = c.Body["base_url"]
		delete(keys, "/api_key")
		if c.Has(connectionKey) && (c.Scope == p.Scope || addressOf(llm) == addressOfConnection(c) && !escorted(p.Body, p, "")) {
			keys["/api_key"] = key{doc: c, field: connectionKey}
		}
	}
	return keys
}

// drop removes the keys below a place that are not of this scope.
func (e *effective) drop(pointer string, scope vault.Scope) {
	maps.DeleteFunc(e.keys, func(place string, k key) bool {
		return within(pointer, place) && (k.operators() || k.doc.Scope != scope)
	})
}

// servers drops the secrets of MCP servers that a layer leads elsewhere.
func (e *effective) servers(scope vault.Scope, patch map[string]any) {
	for name, change := range patch {
		members, _ := change.(map[string]any)
		for member := range members {
			switch member {
			case "enabled", "description", "icon", "timeout", "sse_read_timeout", "keep_alive":
				continue
			}
			e.drop("/mcp_config/"+schema.Escape(name), scope)
			break
		}
	}
}

// object is a member that is an object; an empty one where there is none.
func object(in map[string]any, name string) map[string]any {
	found, _ := in[name].(map[string]any)
	if found == nil {
		return map[string]any{}
	}
	return found
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
