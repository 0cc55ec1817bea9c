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
const elsewhere = "This key is used only with the address that it was saved with. Leave model and base_url as they were, or give an api_key of your own."

// Fill puts the caller's secrets into an LLM object that a client sent, in place; loc is its place in the body. Tokens become what
// they stand for: one's own anywhere, others' only where their owner put them. A connection that is named brings its key; and
// where there is no key, or a mask, the one that counts for the caller comes in, if model and address are its own. operators says
// that model, key and address became the operator's: its address may be one that nobody else may name. Headers and members of the
// body that go along with a model are refused: a conversation's files show them in clear to everyone in the team.
func (s *Surface) Fill(ctx context.Context, p *access.Principal, team uuid.UUID, loc []any, llm map[string]any) (operators bool, err error) {
	operators, err = s.fill(ctx, of(p, team), loc, llm)
	for _, name := range escorts() {
		if err == nil && !empty(llm[name]) {
			err = problem.Fields(fault("value_error", at(loc, name), "The model of your settings has %s, which a conversation would show in clear "+
				"to everyone in the team. Take them out of the settings, or use another model.", name))
		}
	}
	return operators, err
}

func (s *Surface) fill(ctx context.Context, w who, loc []any, llm map[string]any) (operators bool, err error) {
	if tooDeep(llm, deepest) {
		return false, problem.Fields(fault("value_error", loc, "Objects may lie %d deep inside each other at most", deepest))
	}
	h, err := s.holdings(ctx, w, vault.KindSettings, vault.KindProfile, vault.KindConnection)
	if err != nil {
		return false, err
	}
	found, err := tokensIn(llm)
	if err != nil {
		return false, err
	}
	f := &filler{Surface: s, who: w, held: h, tokens: s.redeem(h, found), llm: llm, places: llmSecretPlaces()}
	f.escorted = f.escorts()
	if err := f.connect(loc); err != nil {
		return false, err
	}
	if f.keyless() {
		if operators, err = f.inherit(ctx, loc); err != nil {
			return false, err
		}
	}
	return operators, f.members(ctx, nil, loc, llm)
}

// filler completes one LLM object.
type filler struct {
	*Surface
	who    who
	held   holdings
	team   *effective // what counts for the team, once it was looked for
	tokens tokens
	llm    map[string]any
	places places

	escorted bool // the client says what goes along with the key
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
	case r.lost != nil:
		return nil, r.lost
	case r.key.mine(f.who):
		return unpacked(r.value), nil
	}
	home, there, err := f.home(ctx, r.key, pointer)
	if err == nil && (f.escorted || !there || addressOf(f.llm) != home) {
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
	if f.team == nil {
		var err error
		if f.team, err = f.stack(ctx, f.held.ofTeam()); err != nil {
			return address{}, false, err
		}
	}
	return addressOf(object(f.team.agent, "llm")), f.team.keys["/llm"+pointer].is(k), nil
}
