package settings

import (
	"context"
	"maps"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// connect puts a connection's key and address into a model that names it. Nothing of the client's decides where the key goes.
func (f *filler) connect(loc []any) error {
	id := trimmed(f.llm, "provider_connection_id")
	delete(f.llm, "provider_connection_id")
	if id == "" {
		return nil
	}
	c := f.held.find(f.who.own(), vault.KindConnection, id)
	if c == nil {
		return problem.Fields(fault("value_error", at(loc, "provider_connection_id"), "There is no such provider connection."))
	}
	f.llm["base_url"] = c.Body["base_url"]
	delete(f.llm, "api_key")
	k := key{doc: c, field: connectionKey}
	switch {
	case !c.Has(connectionKey):
		return problem.Fields(fault("value_error", at(loc, "provider_connection_id"), "This provider connection has no key."))
	case !k.mine(f.who) && (f.escorted || addressOf(f.llm) != addressOfConnection(c)):
		return problem.Fields(fault("value_error", at(loc, "model"), elsewhere))
	}
	value, err := f.inClear(k)
	f.llm["api_key"] = value
	return err
}

// keyless says whether a model comes without a key: with none, with a mask, or with what we showed for the operator's.
func (f *filler) keyless() bool {
	if given := trimmed(f.llm, "api_key"); given != "" && given != mask && given != OperatorMarker {
		return false
	}
	aws := trimmed(f.llm, "aws_access_key_id")
	return aws == "" || aws == mask
}

// inherit lets the model that counts bring its keys where the client means that model at that address; what is left out means
// it, too. Elsewhere a mask is refused, and a model without any key stays one.
func (f *filler) inherit(ctx context.Context, loc []any) (operators bool, err error) {
	e, err := f.stack(ctx, f.held)
	if err != nil {
		return false, err
	}
	counting, keys := object(e.agent, "llm"), e.modelKeys()
	if trimmed(f.llm, "api_key") == OperatorMarker && f.operatorServes(f.held) {
		counting, keys = map[string]any{}, map[string]key{"/api_key": {}}
		counting["model"], counting["base_url"] = f.Operator.Model, orNull(f.Operator.BaseURL)
	}
	if len(keys) > 0 && f.meant(counting) && !(f.escorted && f.foreign(keys)) {
		for _, name := range append(addressMembers(), "model") {
			f.llm[name] = counting[name]
			if counting[name] == nil {
				delete(f.llm, name)
			}
		}
		k, has := keys["/api_key"]
		return has && k.operators(), f.lend(keys)
	}
	if given := trimmed(f.llm, "api_key"); given != "" {
		return false, problem.Fields(fault("value_error", at(loc, "api_key"), elsewhere))
	}
	return false, nil
}

// meant says whether the client means this model at its address.
func (f *filler) meant(counting map[string]any) bool {
	asked := maps.Clone(f.llm)
	for _, name := range append(addressMembers(), "model") {
		if trimmed(asked, name) == "" {
			asked[name] = counting[name]
		}
	}
	return trimmed(asked, "model") == trimmed(counting, "model") && addressOf(asked) == addressOf(counting)
}

// lend puts keys where the client gave none.
func (f *filler) lend(keys map[string]key) error {
	delete(f.llm, "api_key")
	for pointer, k := range keys {
		given, isText := valueAt(f.llm, pointer).(string)
		if isText && given != "" && given != mask {
			continue
		}
		value, err := f.inClear(k)
		if err != nil {
			return err
		}
		place(f.llm, pointer, unpacked(value))
	}
	return nil
}
