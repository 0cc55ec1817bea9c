package agentserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// lent is a model with a key that the caller may use and never sees: the operator's, or one stored in the anonymous tenant's
// files.
type lent struct {
	model   string
	baseURL string
	key     string
	named   bool // meant only by its name or its address
}

// fits says whether a request means exactly this model at this address; what is left out means it too. Only then does the key
// go in: with any other address it would go to somebody else.
func (l lent) fits(model, baseURL string) bool {
	if l.named && model == "" && baseURL == "" {
		return false
	}
	return (model == "" || model == l.model) && (baseURL == "" || sameAddress(baseURL, l.baseURL))
}

func sameAddress(a, b string) bool { return strings.TrimRight(a, "/") == strings.TrimRight(b, "/") }

// fill writes the lent model into an LLM object. Nothing of the client's decides where the key goes.
func (l lent) fill(llm map[string]any) {
	llm["model"], llm["api_key"] = l.model, l.key
	delete(llm, "base_url")
	if l.baseURL != "" {
		llm["base_url"] = l.baseURL
	}
	for _, elsewhere := range addresses()[1:] {
		delete(llm, elsewhere)
	}
}

// addresses are the members of an LLM object that say where the key goes; base_url first.
func addresses() []string {
	return []string{"base_url", "ollama_base_url", "aws_bedrock_runtime_endpoint"}
}

// resolveModel settles the key and the address of one LLM object of a body, in place; loc is its place there. The caller's own
// key goes where the caller says, within the egress rules; without one only a lent model can be meant.
func (d *Dialect) resolveModel(x *proxy.Exchange, loc []any, llm map[string]any) error {
	return d.resolveAmong(x, loc, llm, d.lentModels)
}

// resolveStored is resolveModel for what the upstream keeps in its files: only what came from them goes back into them. The
// operator's key never does: whoever can read the files could read it.
func (d *Dialect) resolveStored(x *proxy.Exchange, loc []any, llm map[string]any) error {
	if err := noOperatorKey(loc, llm); err != nil {
		return err
	}
	return d.resolveAmong(x, loc, llm, d.storedModels)
}

// noOperatorKey refuses the marker of the operator's key where a key is going to be stored.
func noOperatorKey(loc []any, llm map[string]any) error {
	if trimmed(llm, "api_key") != operatorMarker {
		return nil
	}
	return problem.Fields(problem.Field{Type: "value_error", Loc: at(loc, "api_key"),
		Msg: "The operator's key cannot be stored. Start conversations without a key to use it, or give an api_key of your own."})
}

func (d *Dialect) resolveAmong(x *proxy.Exchange, loc []any, llm map[string]any, lend func(*proxy.Exchange) ([]lent, error)) error {
	if err := stringsOnly(loc, llm, "model", "api_key", "base_url"); err != nil {
		return err
	}
	if err := noTokens(loc, llm); err != nil {
		return err
	}
	if ownKey(llm) {
		return d.checkAddresses(x.Request.Context(), loc, llm)
	}
	available, err := lend(x)
	if err != nil {
		return err
	}
	model, baseURL := trimmed(llm, "model"), trimmed(llm, "base_url")
	for _, l := range available {
		if l.fits(model, baseURL) {
			l.fill(llm)
			return nil
		}
	}
	return noModel(loc, llm, available)
}

// lentModels are what this caller may use without a key, the first one being meant when nothing is said.
func (d *Dialect) lentModels(x *proxy.Exchange) ([]lent, error) {
	if !d.usesFiles(x) {
		return d.keptModels(x)
	}
	available, err := d.storedModels(x)
	if err != nil {
		return nil, err
	}
	if m := d.config.OperatorModel; m.Model != "" {
		available = append(available, lent{model: m.Model, baseURL: m.BaseURL, key: orUnused(m.APIKey)})
	}
	return available, nil
}

// keptModels are those of the vault: the one that counts, the profiles, the operator's. Where nothing is said the one that counts is
// meant, which the vault has filled in already if it has a key: no other steps in for it.
func (d *Dialect) keptModels(x *proxy.Exchange) ([]lent, error) {
	kept, err := d.settings.Models(x.Request.Context(), x.Principal(), x.Team())
	if err != nil {
		return nil, err
	}
	available := make([]lent, len(kept))
	for i, m := range kept {
		available[i] = lent{model: m.Model, baseURL: m.BaseURL, key: orUnused(m.APIKey), named: true}
	}
	return available, nil
}

// fillTokens puts what the vault holds into the place of tokens that stand for it, and says whether the model became the
// operator's.
func (d *Dialect) fillTokens(x *proxy.Exchange, loc []any, llm map[string]any) (operators bool, err error) {
	if d.usesFiles(x) {
		delete(llm, "provider_connection_id")
		return false, nil
	}
	return d.settings.Fill(x.Request.Context(), x.Principal(), x.Team(), loc, llm)
}

// orUnused stands in for the key of a model that needs none: without any key the upstream would take one from its environment.
func orUnused(key string) string {
	if key == "" {
		return "unused"
	}
	return key
}

// noModel says what to do, by what was tried.
func noModel(loc []any, llm map[string]any, available []lent) error {
	fault := problem.Field{Type: "value_error", Loc: at(loc, "api_key")}
	switch {
	case marker(trimmed(llm, "api_key")):
		fault.Msg = "A key that is not yours is used only with its own model and address. Leave model and base_url as they were, or give an api_key of your own."
	case len(available) > 0:
		fault.Msg = "This model needs an api_key of your own. Without one, the model that is provided here is " + available[0].model + "."
	default:
		fault.Msg = "No model is provided here. Give a model and an api_key of your own, or ask the operator to set OPERATOR_LLM_MODEL."
	}
	return problem.Fields(fault)
}

// ownKey says whether the caller brought a credential: a key, or the pair that stands for one at Amazon.
func ownKey(llm map[string]any) bool {
	if key := trimmed(llm, "api_key"); key != "" && !marker(key) {
		return true
	}
	provider, _, _ := strings.Cut(trimmed(llm, "model"), "/")
	return strings.HasPrefix(provider, "bedrock") && trimmed(llm, "aws_access_key_id") != "" && trimmed(llm, "aws_secret_access_key") != ""
}

// marker says whether a key is one of the values that we showed in the place of a key.
func marker(key string) bool {
	return key == operatorMarker || key == storedMarker || key == hiddenKey
}

// checkAddresses lets a caller's key go to public addresses and those the operator allows.
func (d *Dialect) checkAddresses(ctx context.Context, loc []any, llm map[string]any) error {
	for _, name := range addresses() {
		address := trimmed(llm, name)
		if address == "" {
			delete(llm, name)
			continue
		}
		if err := d.config.Egress.Check(ctx, address); err != nil {
			return placed(err, at(loc, name))
		}
	}
	return nil
}

// placed gives a 422 without a place one.
func placed(err error, loc []any) error {
	p := problem.Of(err)
	text, isText := p.Detail.(string)
	if p.Status != http.StatusUnprocessableEntity || !isText {
		return err
	}
	return problem.Fields(problem.Field{Type: "value_error", Loc: loc, Msg: text}).Because(p.Cause)
}

func stringsOnly(loc []any, in map[string]any, names ...string) error {
	for _, name := range names {
		if _, isString := in[name].(string); in[name] != nil && !isString {
			return problem.Fields(problem.Field{Type: "string_type", Loc: at(loc, name), Msg: "Input should be a valid string"})
		}
	}
	return nil
}

// upstreamToken begins every value that the upstream encrypted with its one key, for whichever team.
const upstreamToken = "gAAAA"

// noTokens refuses the upstream's encrypted values: it would decrypt any team's and send it to the given address.
func noTokens(loc []any, v any) error {
	switch v := v.(type) {
	case string:
		if strings.HasPrefix(strings.TrimSpace(v), upstreamToken) {
			return problem.Fields(problem.Field{Type: "value_error", Loc: loc,
				Msg: "Encrypted values are not accepted here. Give the value itself, or leave it out."})
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			if err := noTokens(at(loc, name), v[name]); err != nil {
				return err
			}
		}
	case []any:
		for i := range v {
			if err := noTokens(at(loc, i), v[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// trimmed is a member as a string without blanks around it; "" when it is absent or none.
func trimmed(in map[string]any, name string) string {
	s, _ := in[name].(string)
	return strings.TrimSpace(s)
}
