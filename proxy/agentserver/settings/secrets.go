package settings

import (
	"context"
	"net/http"
	"regexp"

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

// ListSecrets names the secrets that count for the caller, without their values.
func (s *Surface) ListSecrets(x *proxy.Exchange) error {
	w := whoAsks(x)
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(x.Request.Context(), w.in(scope), vault.KindSecret, vault.KindAgentProfile)
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

// counting lists the documents of a kind that count, each name once: one's own stand in the place of the team's.
func (h holdings) counting(kind vault.Kind) []*vault.Document {
	var found []*vault.Document
	for _, d := range h.docs {
		if d.Kind == kind && h.find(h.who.own(), kind, d.Name) == d {
			found = append(found, d)
		}
	}
	return found
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

// GetSecret gives a value in clear, as text: one's own, and the team's to those who keep it.
func (s *Surface) GetSecret(x *proxy.Exchange) error {
	w, name := whoAsks(x), x.Param("name")
	if !secretName.MatchString(name) {
		return errSecretName
	}
	if !w.Role.Has(access.SettingsWrite) {
		return problem.New(http.StatusForbidden, "Your role may not see secrets.")
	}
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(x.Request.Context(), w.in(scope), vault.KindSecret)
	if err != nil {
		return err
	}
	d := h.find(h.who.own(), vault.KindSecret, name)
	k := key{doc: d, field: secretField}
	switch {
	case d == nil:
		return errNoSecret
	case !k.mine(w) && !w.keeps():
		return problem.Newf(http.StatusForbidden, "'%s' belongs to the team: your agents may use it, and only an Admin may see it.", name)
	}
	value, err := s.revealed(x.Request.Context(), w, k)
	if err != nil {
		return err
	}
	if value == "" { // as good as none, as the upstream has it
		return errNoSecret
	}
	return x.Text(http.StatusOK, value)
}

// PutSecret makes or replaces a secret.
func (s *Surface) PutSecret(x *proxy.Exchange) error {
	body, err := s.body(x, "SecretCreateRequest")
	if err != nil {
		return err
	}
	name, _ := body["name"].(string)
	value, _ := body["value"].(string)
	if !secretName.MatchString(name) {
		return errSecretName
	}
	if isToken(value) || isForeign(value) {
		return problem.Fields(fault("value_error", []any{"body", "value"}, "%s", tokenElsewhere))
	}
	w := whoAsks(x)
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	_, err = s.Vault.Update(x.Request.Context(), scope, vault.KindSecret, name, w.by, func(d *vault.Draft) error {
		d.Body = map[string]any{"description": body["description"]}
		if value != mask || !d.Has(secretField) { // the mask leaves the value as it is
			d.Set(secretField, value)
		}
		return nil
	})
	if err != nil {
		return limited(err, "Secret limit reached (%d). Delete a secret before saving a new one.")
	}
	return x.JSON(http.StatusOK, map[string]any{"name": name, "description": body["description"]})
}

// DeleteSecret removes a secret of one scope.
func (s *Surface) DeleteSecret(x *proxy.Exchange) error {
	w, name := whoAsks(x), x.Param("name")
	if !secretName.MatchString(name) {
		return errSecretName
	}
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	removed, err := s.Vault.Delete(x.Request.Context(), scope, vault.KindSecret, name, w.by)
	if err == nil && !removed {
		err = s.teamsOr(x.Request.Context(), w, scope, vault.KindSecret, name, errNoSecret)
	}
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, map[string]any{"deleted": true})
}

// teamsOr says that the team has what the caller's own scope has not, else missing.
func (s *Surface) teamsOr(ctx context.Context, w who, scope vault.Scope, kind vault.Kind, name string, missing error) error {
	if scope.User == uuid.Nil {
		return missing
	}
	_, found, err := s.Vault.Get(ctx, w.team(), kind, name)
	switch {
	case err != nil:
		return err
	case found:
		return problem.Newf(http.StatusForbidden, "'%s' belongs to the team: an Admin can change it.", clipped(name))
	}
	return missing
}

// Secret gives the value that a conversation of this caller's may use.
func (s *Surface) Secret(ctx context.Context, p *access.Principal, team uuid.UUID, name string) (value, description string, found bool, err error) {
	w := of(p, team)
	h, err := s.holdings(ctx, w, vault.KindSecret)
	if err != nil {
		return "", "", false, err
	}
	d := h.find(w.own(), vault.KindSecret, name)
	if d == nil {
		return "", "", false, nil
	}
	description, _ = d.Body["description"].(string)
	value, err = s.inClear(key{doc: d, field: secretField})
	return value, description, err == nil, err
}
