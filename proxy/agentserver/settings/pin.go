package settings

import (
	"reflect"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// pinnedTo is the member of a user's settings that says where their secrets were meant to go when they were set. A layer below may
// change an address later: then these secrets do not follow it, until they are set anew.
const pinnedTo = "pinned_to"

// pinPlace is the model or the MCP server that a secret belongs to, "" for other secrets.
func pinPlace(pointer string) string {
	parts := strings.SplitN(strings.TrimPrefix(pointer, "/"), "/", 3)
	switch {
	case parts[0] == "llm":
		return "/llm"
	case parts[0] == "mcp_config" && len(parts) > 1:
		return "/mcp_config/" + parts[1]
	}
	return ""
}

// destination is where a model or an MCP server leads.
func (e *effective) destination(place string) map[string]any {
	lead, members := map[string]any{}, serverAddress()
	at := object(e.agent, "llm")
	if place == "/llm" {
		members = addressMembers()
		lead["provider"] = addressOf(at).provider
	} else {
		at, _ = valueAt(e.agent, place).(map[string]any)
	}
	for _, name := range members {
		if v := at[name]; !empty(v) {
			lead[name] = v
		}
	}
	return lead
}

// leads says whether a secret of a document is still where it was meant to go. A team's own may go wherever its Admins and the
// operator say.
func (e *effective) leads(d *vault.Document, pointer string) bool {
	meant, pinned := object(d.Body, pinnedTo)[pinPlace(pointer)]
	return d.Scope.User == uuid.Nil || !pinned || reflect.DeepEqual(meant, any(e.destination(pinPlace(pointer))))
}

// pin notes where the secrets of a user's draft are meant to go: those that are set now, and those that counted before, go where
// the settings lead now; the others stay where they were meant for.
func (e *effective) pin(d *vault.Draft, scope vault.Scope, before *effective) {
	if scope.User == uuid.Nil {
		return
	}
	was, now := object(d.Body, pinnedTo), map[string]any{}
	for _, field := range d.Fields() {
		pointer, isAgents := strings.CutPrefix(field, "/"+agentSettings)
		place := pinPlace(pointer)
		if !isAgents || place == "" {
			continue
		}
		k, counted := before.keys[pointer]
		switch {
		case d.Sets(field), counted && !k.operators() && k.doc.Scope == scope:
			now[place] = e.destination(place)
		case now[place] == nil && was[place] != nil:
			now[place] = was[place]
		}
	}
	delete(d.Body, pinnedTo)
	if len(now) > 0 {
		d.Body[pinnedTo] = now
	}
}
