package settings

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// secretName is how the upstream names secrets: they become variables of a shell.
var secretName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_]{0,63}$`)

// secretField is where a secret's value lies in its document.
const secretField = "/value"

var (
	errNoSecret   = problem.New(http.StatusNotFound, "Secret not found")
	errSecretName = problem.New(http.StatusUnprocessableEntity, "Invalid secret name format. Must start with a letter, contain only letters, "+
		"numbers, and underscores, and be 1-64 characters long.")
)

// secretNamed takes a secret's name from the path.
func secretNamed(x *proxy.Exchange) (string, error) {
	name := x.Param("name")
	if !secretName.MatchString(name) {
		return "", errSecretName
	}
	return name, nil
}

// ListSecrets names the secrets that count for the caller, without their values.
func (s *Surface) ListSecrets(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	h, err := s.holdings(q.context(), q.who, vault.KindSecret, vault.KindAgentProfile)
	if err != nil {
		return err
	}
	allowed, err := h.allowedSecrets(x.Query().Get("agent_profile_id"), x.Query().Has("agent_profile_id"))
	if err != nil {
		return err
	}
	listed := []any{}
	for _, d := range h.counting(vault.KindSecret) {
		if allowed == nil || allowed[d.Name] {
			listed = append(listed, map[string]any{"name": d.Name, "description": d.Body["description"]})
		}
	}
	return x.JSON(http.StatusOK, map[string]any{"secrets": listed})
}

// allowedSecrets are the names that an agent profile asks for; nil means all.
func (h holdings) allowedSecrets(id string, narrowed bool) (map[string]bool, error) {
	if !narrowed {
		return nil, nil
	}
	p := h.agentProfile(id)
	switch {
	case p == nil && id == seedID(h.who.own()): // made anew at each reading, with all secrets
		return nil, nil
	case p == nil:
		return nil, problem.New(http.StatusNotFound, "Agent profile not found")
	}
	refs, limited := p.Body["secret_refs"].([]any)
	if !limited {
		return nil, nil
	}
	names := map[string]bool{}
	for _, ref := range refs {
		if name, isText := ref.(string); isText {
			names[name] = true
		}
	}
	return names, nil
}

// GetSecret gives a value in clear, as text: one's own, and the team's to those who keep it. Others get what stands for the team's:
// a conversation of theirs that is given it as a secret gets the value.
func (s *Surface) GetSecret(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: secretNamed})
	if err != nil {
		return err
	}
	if err := q.who.must(access.SettingsWrite, problem.New(http.StatusForbidden, "Your role may not see secrets.")); err != nil {
		return err
	}
	docs, err := s.Vault.Named(q.context(), q.who.Team, q.who.User, vault.KindSecret, []string{q.name})
	if err != nil {
		return err
	}
	k := key{doc: holdings{who: q.who, docs: docs}.find(q.scope, vault.KindSecret, q.name), field: secretField}
	switch {
	case k.doc == nil:
		return errNoSecret
	case !k.mine(q.who) && !q.who.keeps():
		token, err := s.mint(q.who, k)
		if err != nil {
			return k.unavailable(err)
		}
		return q.Text(http.StatusOK, token)
	}
	value, err := s.revealed(q.context(), q.who, k)
	if err != nil {
		return err
	}
	if strings.TrimSpace(value) == "" { // as good as none, as the upstream has it
		return errNoSecret
	}
	return q.Text(http.StatusOK, value)
}

// PutSecret makes or replaces a secret.
func (s *Surface) PutSecret(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{body: "SecretCreateRequest", changes: true})
	if err != nil {
		return err
	}
	name, _ := q.body["name"].(string)
	value, _ := q.body["value"].(string)
	if !secretName.MatchString(name) {
		return errSecretName
	}
	if isToken(value) || isForeign(value) {
		return problem.Fields(fault("value_error", []any{"body", "value"}, "%s", tokenElsewhere))
	}
	_, err = s.Vault.Update(q.context(), q.scope, vault.KindSecret, name, q.who.by, func(d *vault.Draft) error {
		d.Body = map[string]any{"description": q.body["description"]}
		if value != mask || !d.Has(secretField) { // the mask leaves the value as it is
			d.Set(secretField, value)
		}
		return nil
	})
	if err != nil {
		return limited(err, "Secret limit reached (%d). Delete a secret before saving a new one.")
	}
	return q.JSON(http.StatusOK, map[string]any{"name": name, "description": q.body["description"]})
}

// DeleteSecret removes a secret of one scope.
func (s *Surface) DeleteSecret(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: secretNamed, changes: true})
	if err != nil {
		return err
	}
	removed, err := s.Vault.Delete(q.context(), q.scope, vault.KindSecret, q.name, q.who.by)
	if err == nil && !removed {
		err = s.teamsOr(q, vault.KindSecret, q.name, errNoSecret)
	}
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, map[string]any{"deleted": true})
}

// Secret is one as a conversation gets it.
type Secret struct{ Value, Description string }

// Secrets gives those of these names that conversations of this caller's may use, in one query; names without a secret are missing.
func (s *Surface) Secrets(ctx context.Context, p *access.Principal, team uuid.UUID, names []string) (map[string]Secret, error) {
	found := map[string]Secret{}
	if len(names) == 0 {
		return found, nil
	}
	w := of(p, team)
	docs, err := s.Vault.Named(ctx, w.Team, w.User, vault.KindSecret, names)
	if err != nil {
		return nil, err
	}
	h := holdings{who: w, docs: docs}
	for _, d := range h.counting(vault.KindSecret) {
		value, err := s.inClear(key{doc: d, field: secretField})
		if err != nil {
			return nil, err
		}
		description, _ := d.Body["description"].(string)
		found[d.Name] = Secret{Value: value, Description: description}
	}
	return found, nil
}

// SecretsOf gives what tokens of saved secrets are worth to this caller's conversations, in one query. Tokens of anything else, a
// model's key say, and those that are out of date, are missing.
func (s *Surface) SecretsOf(ctx context.Context, p *access.Principal, team uuid.UUID, texts []string) (map[string]Secret, error) {
	worth, all := map[string]Secret{}, make([]any, len(texts))
	for i, text := range texts {
		all[i] = text
	}
	found, err := tokensIn(all)
	if err != nil || len(found) == 0 {
		return worth, err
	}
	h, err := s.holdings(ctx, of(p, team), vault.KindSecret)
	if err != nil {
		return nil, err
	}
	for token, r := range s.redeem(h, found) {
		switch {
		case r.lost != nil:
			return nil, r.lost
		case r.key.doc != nil && r.key.field == secretField:
			description, _ := r.key.doc.Body["description"].(string)
			worth[token] = Secret{Value: r.value, Description: description}
		}
	}
	return worth, nil
}
