package agentserver

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// What the anonymous tenant does with the upstream's own settings files, as single-user OpenHands did. The upstream is never
// asked in the caller's words for anything that holds a key: answers are read, and keys in them become markers.

// fileSettings answers with the upstream's settings. MCP servers in them are left out, because no conversation may bring any.
func (d *Dialect) fileSettings(x *proxy.Exchange) error {
	return fetchMarked(x, "agent_settings")
}

// patchFileSettings forwards a change, unless it would lead a stored key to another address, or bring what may not be there.
func (d *Dialect) patchFileSettings(x *proxy.Exchange) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	loc := []any{"body"}
	if err := noTokens(loc, body); err != nil {
		return err
	}
	agent, err := member(body, loc, "agent_settings_diff")
	if err != nil {
		return err
	}
	loc = at(loc, "agent_settings_diff")
	if servers, _ := agent["mcp_config"].(map[string]any); len(servers) > 0 {
		return errManaged
	}
	llm, err := member(agent, loc, "llm")
	if err != nil {
		return err
	}
	if err := d.checkStored(x, at(loc, "llm"), llm); err != nil {
		return err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{Body: raw})
	if err != nil {
		return err
	}
	return answerMarked(x, reply, "agent_settings", false)
}

// checkStored judges an LLM object that is going to be stored as a patch over the stored one. A new address needs the key anew:
// else changing the address would be a way to send the stored key anywhere.
func (d *Dialect) checkStored(x *proxy.Exchange, loc []any, llm map[string]any) error {
	if err := stringsOnly(loc, llm, "model", "api_key", "base_url"); err != nil {
		return err
	}
	if err := noOperatorKey(loc, llm); err != nil {
		return err
	}
	if err := d.checkStorable(x.Request.Context(), loc, llm); err != nil {
		return err
	}
	if ownKey(llm) {
		return nil
	}
	if marker(trimmed(llm, "api_key")) {
		delete(llm, "api_key")
	}
	if _, sent := llm["api_key"]; sent || trimmed(llm, "base_url") == "" {
		return nil
	}
	stored, err := d.storedModels(x)
	if err != nil {
		return err
	}
	for _, l := range stored {
		if sameAddress(l.baseURL, trimmed(llm, "base_url")) {
			return nil
		}
	}
	return problem.Fields(problem.Field{Type: "value_error", Loc: at(loc, "api_key"),
		Msg: "A new address needs the API key again. Give api_key together with base_url."})
}

func (d *Dialect) checkProfile(x *proxy.Exchange, loc []any, llm map[string]any) error {
	if trimmed(llm, "api_key") == "" {
		return d.checkStorable(x.Request.Context(), loc, llm)
	}
	if err := checkPlace(loc, llm); err != nil {
		return err
	}
	return d.resolveStored(x, loc, llm)
}

// checkStorable judges where an LLM object that is going to be stored or tried out leads: by its model's name, its provider and
// its addresses.
func (d *Dialect) checkStorable(ctx context.Context, loc []any, llm map[string]any) error {
	if err := checkPlace(loc, llm); err != nil {
		return err
	}
	return d.checkAddresses(ctx, loc, llm)
}

// checkPlace refuses a model that is an address, or whose provider has its default address or its identity on the server's host.
func checkPlace(loc []any, llm map[string]any) error {
	s := &sanitizer{}
	s.noReferences(loc, llm)
	if llm["model"] != nil {
		modelName(s, at(loc, "model"), llm["model"])
		s.checkProvider(loc, llm)
	}
	return s.err()
}

// errShared refuses a change of the upstream's profiles once they no longer concern the anonymous tenant alone.
var errShared = problem.New(http.StatusForbidden,
	"This installation has users, and model profiles of the server would act on their agents too: they can no longer be changed "+
		"here. Delete those that are not needed, and change the model in the settings.")

// alone serves a change of the upstream's profiles only while nobody has an account: the upstream gives every agent, whoever
// started it, a tool that asks a stored profile's model.
func alone(change handler) handler {
	return func(d *Dialect, x *proxy.Exchange) error {
		if d.config.HasUsers != nil {
			if shared, err := d.config.HasUsers(x.Request.Context()); err != nil || shared {
				return cmp.Or(err, error(errShared))
			}
		}
		return change(d, x)
	}
}

func (d *Dialect) fileProfile(x *proxy.Exchange) error {
	return fetchMarked(x, "config")
}

// fetchMarked answers with what the upstream keeps, keys in the section as markers.
func fetchMarked(x *proxy.Exchange, section string) error {
	reveal, err := revealed(x.Request.Header)
	if err != nil {
		return err
	}
	reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{})
	if err != nil {
		return err
	}
	return answerMarked(x, reply, section, reveal)
}

// saveFileProfile stores or tries out a profile. A marker in it gives the stored key, under the rules of a conversation.
func (d *Dialect) saveFileProfile(x *proxy.Exchange) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	loc := []any{"body"}
	if err := noTokens(loc, body); err != nil {
		return err
	}
	llm, err := member(body, loc, "llm")
	if err != nil {
		return err
	}
	if err := d.checkProfile(x, at(loc, "llm"), llm); err != nil {
		return err
	}
	return forwardJSON(x, body)
}

func (d *Dialect) putFileSecret(x *proxy.Exchange) error {
	body, err := x.ReadJSON()
	if err != nil {
		return err
	}
	if err := noTokens([]any{"body"}, body); err != nil {
		return err
	}
	return forwardJSON(x, body)
}

func forwardJSON(x *proxy.Exchange, body map[string]any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return x.Forward(proxy.Outgoing{Body: raw})
}

// answerMarked answers with the upstream's document, the key in its model (below the member named holder) turned into a marker
// where the caller asked for it. The upstream shows keys to nobody here, because it is never told to.
func answerMarked(x *proxy.Exchange, reply *proxy.Reply, holder string, reveal bool) error {
	var document map[string]any
	if err := decode(reply.Body, &document); err != nil {
		return err
	}
	agent, _ := document[holder].(map[string]any)
	llm := agent
	if inner, nested := agent["llm"].(map[string]any); nested {
		llm = inner
		agent["mcp_config"] = map[string]any{}
	}
	if reveal && (llm["api_key"] == hiddenKey || document["api_key_set"] == true) {
		llm["api_key"] = storedMarker
	}
	return x.JSON(reply.Status, document)
}
