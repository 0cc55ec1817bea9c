package settings

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// elsewhere refuses a key that its owner did not mean for this place.
const elsewhere = "This key is used only with the address that it was saved with. Leave model and base_url as they were, or give a key of your own."

// Fill puts the caller's secrets into an LLM object that a client sent, in place; loc is its place in the body. Tokens become what
// they stand for: one's own anywhere, others' only where their owner put them. A connection that is named brings its key; and
// where there is no key, or a mask, the one that counts for the caller comes in, if model and address are its own.
func (s *Surface) Fill(ctx context.Context, p *access.Principal, team uuid.UUID, loc []any, llm map[string]any) error {
	return s.fill(ctx, of(p, team), loc, llm)
}

func (s *Surface) fill(ctx context.Context, w who, loc []any, llm map[string]any) error {
	if tooDeep(llm, deepest) {
		return problem.Fields(fault("value_error", loc, "Objects may lie %d deep inside each other at most", deepest))
	}
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return err
	}
	found, err := s.redeemAll(ctx, w, llm)
	if err != nil {
		return err
	}
	f := &filler{Surface: s, who: w, held: h, tokens: found, llm: llm, places: llmSecretPlaces()}
	if err := f.connect(loc); err != nil {
		return err
	}
	if f.keyless() {
		if err := f.inherit(ctx, loc); err != nil {
			return err
		}
	}
	return f.members(ctx, nil, loc, llm)
}

// filler completes one LLM object.
type filler struct {
	*Surface
	who    who
	held   holdings
	tokens tokens
	llm    map[string]any
	places places
}

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
	case !k.mine(f.who) && addressOf(f.llm) != addressOfConnection(c):
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
func (f *filler) inherit(ctx context.Context, loc []any) error {
	e, err := f.stack(ctx, f.held)
	if err != nil {
		return err
	}
	counting, keys := object(e.agent, "llm"), e.modelKeys()
	if trimmed(f.llm, "api_key") == OperatorMarker && f.operatorServes(f.held) {
		counting, keys = map[string]any{}, map[string]key{"/api_key": {}}
		counting["model"], counting["base_url"] = f.Operator.Model, orNull(f.Operator.BaseURL)
	}
	if len(keys) > 0 && f.meant(counting) {
		for _, name := range append(addressMembers(), "model") {
			f.llm[name] = counting[name]
			if counting[name] == nil {
				delete(f.llm, name)
			}
		}
		return f.lend(keys)
	}
	if given := trimmed(f.llm, "api_key"); given != "" {
		return problem.Fields(fault("value_error", at(loc, "api_key"), elsewhere))
	}
	return nil
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

// members puts secrets in the place of tokens, at any depth. What stands for a secret goes on nowhere.
func (f *filler) members(ctx context.Context, path []string, loc []any, in map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(in)) {
		here, place := append(slices.Clip(path), name), at(loc, name)
		text, isText := in[name].(string)
		below, isObject := in[name].(map[string]any)
		switch sealed := f.places.nature(here).sealed(); {
		case isObject:
			if err := f.members(ctx, here, place, below); err != nil {
				return err
			}
		case isText && isToken(text) && sealed:
			value, err := f.worth(ctx, here, place, text)
			if err != nil {
				return err
			}
			in[name] = value
		case isText && text == mask && sealed:
			return problem.Fields(fault("value_error", place, "Give the secret itself, or leave it out."))
		case holdsToken(in[name]):
			return problem.Fields(fault("value_error", place, "%s", tokenElsewhere))
		}
	}
	return nil
}

// worth is what a token stands for, if it may go where the model leads.
func (f *filler) worth(ctx context.Context, path []string, loc []any, text string) (any, error) {
	r := f.tokens[strings.TrimSpace(text)]
	pointer := ""
	for _, step := range path {
		pointer = join(pointer, step)
	}
	switch {
	case r.key.doc == nil:
		return nil, problem.Fields(fault("value_error", loc, "%s", staleToken))
	case r.key.member() != memberOf(vault.KindProfile, pointer):
		return nil, problem.Fields(fault("value_error", loc, "%s", tokenElsewhere))
	case r.key.mine(f.who):
		return unpacked(r.value), nil
	}
	home, there, err := f.home(ctx, r.key, pointer)
	if err == nil && (!there || addressOf(f.llm) != home) {
		err = problem.Fields(fault("value_error", loc, elsewhere))
	}
	return unpacked(r.value), err
}

// home is the address that a team's key was saved with, and whether the key counts there.
func (f *filler) home(ctx context.Context, k key, pointer string) (address, bool, error) {
	switch k.doc.Kind {
	case vault.KindConnection:
		return addressOfConnection(k.doc), true, nil
	case vault.KindProfile:
		llm := maps.Clone(k.doc.Body)
		counts := profileKeys(f.held, k.doc, llm)[pointer].is(k)
		return addressOf(llm), counts, nil
	}
	e, err := f.effective(ctx, f.who.asTeam())
	if err != nil {
		return address{}, false, err
	}
	return addressOf(object(e.agent, "llm")), e.keys["/llm"+pointer].is(k), nil
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

// Model is the model that counts for a caller, with its key in clear; ok is false when it has none.
func (s *Surface) Model(ctx context.Context, p *access.Principal, team uuid.UUID) (llm map[string]any, ok bool, err error) {
	e, err := s.effective(ctx, of(p, team))
	if err != nil {
		return nil, false, err
	}
	_, ok = e.keys["/llm/api_key"]
	llm = object(e.agent, "llm")
	return llm, ok, s.fillIn(llm, e.modelKeys())
}
