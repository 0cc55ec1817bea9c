package settings

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// connectionKey is where a connection's key lies in its document.
const connectionKey = "/api_key"

func noConnection(id string) error {
	return problem.Newf(http.StatusNotFound, "Provider connection '%s' not found", clipped(id))
}

// shownConnection is a connection without its key.
func shownConnection(d *vault.Document) map[string]any {
	return map[string]any{
		"id": d.Name, "display_name": d.Body["display_name"], "provider": d.Body["provider"], "base_url": d.Body["base_url"],
		"created_at": d.CreatedAt.Unix(), "updated_at": d.Body["updated_at"], "api_key_set": d.Has(connectionKey),
	}
}

// ListConnections lists the keys that profiles may share.
func (s *Surface) ListConnections(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{})
	if err != nil {
		return err
	}
	h, err := s.holdings(q.context(), q.who, vault.KindConnection)
	if err != nil {
		return err
	}
	listed := []any{}
	for _, d := range h.counting(vault.KindConnection) {
		listed = append(listed, shownConnection(d))
	}
	return x.JSON(http.StatusOK, listed)
}

// CreateConnection keeps a key under an id of ours.
func (s *Surface) CreateConnection(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{body: "ProviderConnectionCreateRequest", changes: true})
	if err != nil {
		return err
	}
	if _, sent := q.body["provider"]; !sent {
		q.body["provider"] = "custom"
	}
	keep, err := s.keptConnection(q)
	if err != nil {
		return err
	}
	id := uuid.New()
	d, err := s.Vault.Update(q.context(), q.scope, vault.KindConnection, hex.EncodeToString(id[:]), q.who.by, keep)
	if err != nil {
		return limited(err, "Provider connection limit reached (%d). Delete one before adding another.")
	}
	return q.JSON(http.StatusCreated, shownConnection(d))
}

// UpdateConnection changes members of one that is there.
func (s *Surface) UpdateConnection(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: connectionNamed, body: "ProviderConnectionUpdateRequest", changes: true})
	if err != nil {
		return err
	}
	for _, name := range []string{"display_name", "provider"} {
		if v, sent := q.body[name]; sent && v == nil {
			return problem.Fields(fault("value_error", []any{"body"}, "Value error, %s cannot be set to null", name))
		}
	}
	if len(q.body) == 0 {
		return problem.New(http.StatusUnprocessableEntity, "Provide at least one provider connection field to update")
	}
	keep, err := s.keptConnection(q)
	if err != nil {
		return err
	}
	d, err := s.Vault.Edit(q.context(), q.scope, vault.KindConnection, q.name, q.who.by, keep)
	if errors.Is(err, vault.ErrMissing) {
		return s.teamsOr(q, vault.KindConnection, q.name, noConnection(q.name))
	}
	if err != nil {
		return err
	}
	return q.JSON(http.StatusOK, shownConnection(d))
}

func connectionNamed(x *proxy.Exchange) (string, error) { return x.Param("connection_id"), nil }

// keptConnection is the change that keeps what was sent of a connection.
func (s *Surface) keptConnection(q request) (func(*vault.Draft) error, error) {
	if err := s.judgeAddresses(q.context(), []any{"body"}, q.body); err != nil {
		return nil, err
	}
	found, err := s.redeemAll(q.context(), q.who, q.body)
	if err != nil {
		return nil, err
	}
	return func(d *vault.Draft) error {
		if v, sent := q.body["api_key"]; sent && v == nil {
			return problem.New(http.StatusUnprocessableEntity, "api_key cannot be cleared; provide a new key to rotate it")
		}
		split := &splitter{places: placesOf(connectionKey), tokens: found, who: q.who, draft: d, kind: vault.KindConnection, loc: []any{"body"}}
		rest, err := split.split(q.body)
		if err != nil {
			return err
		}
		rest["updated_at"] = json.Number(strconv.FormatInt(time.Now().Unix(), 10))
		d.Body = vault.Merge(d.Body, rest)
		return nil
	}, nil
}

// DeleteConnection removes one that nothing names any more.
func (s *Surface) DeleteConnection(x *proxy.Exchange) error {
	q, err := s.begin(x, opening{name: connectionNamed, changes: true})
	if err != nil {
		return err
	}
	var d *vault.Document
	err = s.change(q, func(c *vault.Changes) (err error) {
		d, err = disconnected(c, q.scope, q.name)
		return err
	})
	if errors.Is(err, vault.ErrMissing) {
		return s.teamsOr(q, vault.KindConnection, q.name, noConnection(q.name))
	}
	if err != nil {
		return err
	}
	shown := shownConnection(d)
	shown["api_key_set"] = false
	return q.JSON(http.StatusOK, shown)
}

// modelOf is the model that a scope's settings make, of the profile that is active where they bring none.
func (h holdings) modelOf(settings *vault.Document) map[string]any {
	llm := map[string]any{}
	if name, set := settings.Body[activeProfile].(string); set {
		if p := h.mine(settings.Scope, vault.KindProfile, name); p != nil {
			maps.Copy(llm, p.Body)
		}
	}
	maps.Copy(llm, object(object(settings.Body, agentSettings), "llm"))
	return llm
}

// disconnected removes a connection, and gives it: ErrMissing where there is none.
func disconnected(c *vault.Changes, scope vault.Scope, id string) (*vault.Document, error) {
	docs, err := c.Layers(vault.KindConnection, vault.KindProfile, vault.KindSettings)
	if err != nil {
		return nil, err
	}
	h := holdings{docs: docs}
	d := h.mine(scope, vault.KindConnection, id)
	if d == nil {
		return nil, vault.ErrMissing
	}
	if err := h.unused(scope, id); err != nil {
		return nil, err
	}
	_, err = c.Delete(vault.KindConnection, id)
	return d, err
}

// unused refuses to remove a connection that the scope's profiles or settings name.
func (h holdings) unused(scope vault.Scope, id string) error {
	var names, reasons []string
	for _, d := range h.docs {
		if d.Scope == scope && d.Kind == vault.KindProfile && d.Body["provider_connection_id"] == id {
			names = append(names, d.Name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		reasons = append(reasons, "referenced by LLM profile(s): "+strings.Join(names, ", "))
	}
	if settings := h.mine(scope, vault.KindSettings, ""); settings != nil && h.modelOf(settings)["provider_connection_id"] == id {
		reasons = append(reasons, "referenced by the active agent settings")
	}
	if len(reasons) == 0 {
		return nil
	}
	return problem.New(http.StatusConflict, "Provider connection cannot be deleted while it is "+strings.Join(reasons, " and ")+
		". Update those references before deleting it.")
}
