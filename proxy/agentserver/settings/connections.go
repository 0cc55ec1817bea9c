package settings

import (
	"context"
	"encoding/hex"
	"encoding/json"
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
	w := whoAsks(x)
	scope, err := scopeOf(x, w)
	if err != nil {
		return err
	}
	h, err := s.holdings(x.Request.Context(), w.in(scope), vault.KindConnection)
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
	body, err := s.body(x, "ProviderConnectionCreateRequest")
	if err != nil {
		return err
	}
	if _, sent := body["provider"]; !sent {
		body["provider"] = "custom"
	}
	id := uuid.New()
	d, err := s.keepConnection(x, hex.EncodeToString(id[:]), body)
	if err != nil {
		return limited(err, "Provider connection limit reached (%d). Delete one before adding another.")
	}
	return x.JSON(http.StatusCreated, shownConnection(d))
}

// UpdateConnection changes members of one that is there.
func (s *Surface) UpdateConnection(x *proxy.Exchange) error {
	body, err := s.body(x, "ProviderConnectionUpdateRequest")
	if err != nil {
		return err
	}
	for _, name := range []string{"display_name", "provider"} {
		if v, sent := body[name]; sent && v == nil {
			return problem.Fields(fault("value_error", []any{"body"}, "Value error, %s cannot be set to null", name))
		}
	}
	if len(body) == 0 {
		return problem.New(http.StatusUnprocessableEntity, "Provide at least one provider connection field to update")
	}
	id := x.Param("connection_id")
	if err := s.presentConnection(x, id); err != nil {
		return err
	}
	if v, sent := body["api_key"]; sent && v == nil {
		return problem.New(http.StatusUnprocessableEntity, "api_key cannot be cleared; provide a new key to rotate it")
	}
	d, err := s.keepConnection(x, id, body)
	if err != nil {
		return err
	}
	return x.JSON(http.StatusOK, shownConnection(d))
}

func (s *Surface) presentConnection(x *proxy.Exchange, id string) error {
	w := whoAsks(x)
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	_, found, err := s.Vault.Get(x.Request.Context(), scope, vault.KindConnection, id)
	if err == nil && !found {
		err = s.teamsOr(x.Request.Context(), w, scope, vault.KindConnection, id, noConnection(id))
	}
	return err
}

func (s *Surface) keepConnection(x *proxy.Exchange, id string, body map[string]any) (*vault.Document, error) {
	w, ctx := whoAsks(x), x.Request.Context()
	scope, err := writable(x, w)
	if err != nil {
		return nil, err
	}
	if err := s.judgeAddresses(ctx, []any{"body"}, body); err != nil {
		return nil, err
	}
	w = w.in(scope)
	found, err := s.redeemAll(ctx, w, body)
	if err != nil {
		return nil, err
	}
	return s.Vault.Update(ctx, scope, vault.KindConnection, id, w.by, func(d *vault.Draft) error {
		split := &splitter{places: placesOf(connectionKey), tokens: found, who: w, draft: d, kind: vault.KindConnection, loc: []any{"body"}}
		rest, err := split.split(body)
		if err != nil {
			return err
		}
		rest["updated_at"] = json.Number(strconv.FormatInt(time.Now().Unix(), 10))
		d.Body = vault.Merge(d.Body, rest)
		return nil
	})
}

// DeleteConnection removes one that nothing names any more.
func (s *Surface) DeleteConnection(x *proxy.Exchange) error {
	w, ctx, id := whoAsks(x), x.Request.Context(), x.Param("connection_id")
	scope, err := writable(x, w)
	if err != nil {
		return err
	}
	d, found, err := s.Vault.Get(ctx, scope, vault.KindConnection, id)
	if err != nil {
		return err
	}
	if !found {
		return s.teamsOr(ctx, w, scope, vault.KindConnection, id, noConnection(id))
	}
	if err := s.unused(ctx, scope, id); err != nil {
		return err
	}
	if _, err := s.Vault.Delete(ctx, scope, vault.KindConnection, id, w.by); err != nil {
		return err
	}
	shown := shownConnection(d)
	shown["api_key_set"] = false
	return x.JSON(http.StatusOK, shown)
}

// unused refuses to remove a connection that the scope's profiles or settings name.
func (s *Surface) unused(ctx context.Context, scope vault.Scope, id string) error {
	profiles, err := s.Vault.List(ctx, scope, vault.KindProfile)
	if err != nil {
		return err
	}
	settings, found, err := s.Vault.Get(ctx, scope, vault.KindSettings, "")
	if err != nil {
		return err
	}
	var names, reasons []string
	for _, p := range profiles {
		if p.Body["provider_connection_id"] == id {
			names = append(names, p.Name)
		}
	}
	if slices.Sort(names); len(names) > 0 {
		reasons = append(reasons, "referenced by LLM profile(s): "+strings.Join(names, ", "))
	}
	if found && object(object(settings.Body, agentSettings), "llm")["provider_connection_id"] == id {
		reasons = append(reasons, "referenced by the active agent settings")
	}
	if len(reasons) == 0 {
		return nil
	}
	return problem.New(http.StatusConflict, "Provider connection cannot be deleted while it is "+strings.Join(reasons, " and ")+
		". Update those references before deleting it.")
}
