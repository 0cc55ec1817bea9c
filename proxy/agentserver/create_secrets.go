package agentserver

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver/settings"
)

// savedSecret is a reference to a secret that was saved before: what a conversation calls it, and the name it was saved under, or
// the token that was given for it.
type savedSecret struct {
	as, name, token string
	description     any
}

// secrets keeps what is given in clear. A reference to a saved secret is noted, for fillSaved; any other reference is refused:
// the server would call the address with the given headers.
func secrets(s *sanitizer, loc []any, v any) (any, bool) {
	return dictionary(500, secret)(s, loc, v)
}

func secret(s *sanitizer, loc []any, v any) (any, bool) {
	if clear, isString := v.(string); isString { // accepted by upstream where secrets are added later
		v = map[string]any{"kind": "StaticSecret", "value": clear}
	}
	in, isObject := v.(map[string]any)
	if !isObject {
		s.fault("dict_type", loc, "Input should be a valid dictionary")
		return nil, false
	}
	kind, _ := in["kind"].(string)
	switch {
	case kind == "LookupSecret" || kind == "" && in["url"] != nil:
		s.lookup(loc, in)
		return nil, false
	case kind == "StaticSecret" || kind == "":
		if token := trimmed(in, "value"); settings.IsToken(token) {
			s.save(loc, in, savedSecret{token: token})
			return nil, false
		}
		out := s.members(loc, in, rules{"value": text(1_000_000), "description": text(10_000)})
		out["kind"] = "StaticSecret"
		return out, true
	}
	s.fault("literal_error", at(loc, "kind"), "Input should be 'StaticSecret'")
	return nil, false
}

func (s *sanitizer) lookup(loc []any, in map[string]any) {
	name, ours := s.savedName(in["url"])
	if !ours {
		s.refuse(at(loc, "url"), "The server does not look secrets up elsewhere. Give the value (kind StaticSecret).")
		return
	}
	s.save(loc, in, savedSecret{name: name})
}

func (s *sanitizer) save(loc []any, in map[string]any, found savedSecret) {
	found.as, _ = loc[len(loc)-1].(string)
	found.description, _ = text(10_000)(s, at(loc, "description"), in["description"])
	s.saved = append(s.saved, found)
}

// savedName recognises the address of a secret saved with us: relative, or with the host that the client called.
func (s *sanitizer) savedName(v any) (string, bool) {
	address, _ := v.(string)
	u, err := url.Parse(address)
	if err != nil || u.User != nil || u.Host != "" && !strings.EqualFold(u.Host, s.host) || u.Host == "" && u.Scheme != "" {
		return "", false
	}
	name, below := strings.CutPrefix(u.Path, secretsPath+"/")
	return name, below && name != "" && !strings.Contains(name, "/")
}

// fillSaved puts values in the place of references to saved secrets. A reference with nothing behind it is left out.
func (d *Dialect) fillSaved(x *proxy.Exchange, body map[string]any, saved []savedSecret) error {
	given, present := body["secrets"].(map[string]any)
	if !present {
		return nil
	}
	if !d.usesFiles(x) {
		return d.fillKept(x, given, saved)
	}
	for _, s := range saved {
		if s.token != "" {
			return staleSecret(s)
		}
		reply, err := x.Fetch(x.Request.Context(), proxy.Outgoing{
			Method: http.MethodGet, Path: secretsPath + "/" + url.PathEscape(s.name), Query: url.Values{},
		})
		if err != nil {
			return err
		}
		if reply.Status == http.StatusOK {
			given[s.as] = map[string]any{"kind": "StaticSecret", "value": string(reply.Body), "description": s.description}
		}
	}
	return nil
}

// fillKept is fillSaved from the vault.
func (d *Dialect) fillKept(x *proxy.Exchange, given map[string]any, saved []savedSecret) error {
	var names, tokens []string
	for _, s := range saved {
		if s.token != "" {
			tokens = append(tokens, s.token)
		} else {
			names = append(names, s.name)
		}
	}
	kept, err := d.settings.Secrets(x.Request.Context(), x.Principal(), x.Team(), names)
	if err != nil {
		return err
	}
	worth, err := d.settings.SecretsOf(x.Request.Context(), x.Principal(), x.Team(), tokens)
	if err != nil {
		return err
	}
	for _, s := range saved {
		secret, found := kept[s.name]
		if s.token != "" {
			if secret, found = worth[s.token]; !found {
				return staleSecret(s)
			}
		}
		if s.description == nil && secret.Description != "" {
			s.description = secret.Description
		}
		if found {
			given[s.as] = map[string]any{"kind": "StaticSecret", "value": secret.Value, "description": s.description}
		}
	}
	return nil
}

// staleSecret refuses a token that stands for no saved secret of the caller's.
func staleSecret(s savedSecret) error {
	return problem.Fields(problem.Field{Type: "value_error", Loc: []any{"body", "secrets", s.as, "value"},
		Msg: "This value stands for a secret of another place, or is out of date. Name a saved secret by a LookupSecret, or give the secret itself."})
}

// noTokens refuses sealed tokens wherever a secret may stand: in agents, their models and the conversation's secrets.
func (s *sanitizer) noTokens(loc []any, body map[string]any) {
	for _, name := range []string{"agent", "agent_settings", "llm", "secrets"} {
		if err := noTokens(at(loc, name), body[name]); err != nil {
			s.faults = append(s.faults, faultsOf(err)...)
		}
	}
}

func faultsOf(err error) []problem.Field {
	faults, _ := problem.Of(err).Detail.([]problem.Field)
	return faults
}
