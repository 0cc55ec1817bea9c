package teamhttp

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// The path parameters of the routes of one service account, and of one of its keys.
const (
	accountParam = "account_id"
	keyParam     = "key_id"
)

// ListServiceAccounts answers GET /api/teams/{team_id}/service-accounts.
func (h *Handlers) ListServiceAccounts(c echo.Context) error {
	caller, team, err := h.about(c, access.ServiceAccountManage)
	if err != nil {
		return err
	}
	list, err := h.services.List(c.Request().Context(), caller.Principal, team)
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": list, "next_page_id": nil})
}

// CreateServiceAccount answers POST /api/teams/{team_id}/service-accounts.
func (h *Handlers) CreateServiceAccount(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	caller, team, err := h.about(c, access.ServiceAccountManage)
	if err != nil {
		return err
	}
	name, _ := sent.String("name", true)
	role, given := sent.String("role", false)
	if given {
		sent.Fault(tenancy.RoleFaults(access.Role(role))...)
	}
	if err := sent.Err(); err != nil {
		return err
	}
	made, err := h.services.Create(c.Request().Context(), caller.Principal, team, name, access.Role(role))
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusCreated, made)
}

// DeleteServiceAccount answers DELETE /api/teams/{team_id}/service-accounts/{account_id}.
func (h *Handlers) DeleteServiceAccount(c echo.Context) error {
	caller, team, err := h.about(c, access.ServiceAccountManage)
	if err != nil {
		return err
	}
	if err := h.services.Delete(c.Request().Context(), caller.Principal, team, idIn(c, accountParam)); err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// ListServiceKeys answers GET …/service-accounts/{account_id}/keys.
func (h *Handlers) ListServiceKeys(c echo.Context) error {
	keys, act, _, err := h.serviceKeys(c)
	if err != nil {
		return err
	}
	window, err := apikey.ReadWindow(c.Request())
	if err != nil {
		return err
	}
	page, err := keys.List(c.Request().Context(), act.Owner, window)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, page)
}

// CreateServiceKey answers POST …/service-accounts/{account_id}/keys: 201 and the only copy of a new key.
func (h *Handlers) CreateServiceKey(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	keys, act, caller, err := h.serviceKeys(c)
	if err != nil {
		return err
	}
	draft, err := keys.ReadDraft(sent)
	if err != nil {
		return err
	}
	if apikey.Highest(draft.Scopes) == access.ScopeAdmin {
		if err := h.gate.RequireFresh(c.Request().Context(), caller); err != nil {
			return err
		}
	}
	made, err := keys.Create(c.Request().Context(), act, draft)
	if err != nil {
		return hide(err)
	}
	return secret(c, made)
}

// RotateServiceKey answers POST …/service-accounts/{account_id}/keys/{key_id}/rotate.
func (h *Handlers) RotateServiceKey(c echo.Context) error {
	sent, err := body.Optional(c.Request(), maxBody)
	if err != nil {
		return err
	}
	keys, act, caller, err := h.serviceKeys(c)
	if err != nil {
		return err
	}
	rotation, err := keys.ReadRotation(sent)
	if err != nil {
		return err
	}
	if err := h.mayRotate(c, keys, act, caller); err != nil {
		return err
	}
	made, err := keys.Rotate(c.Request().Context(), act, idIn(c, keyParam), rotation)
	if err != nil {
		return hide(err)
	}
	return secret(c, made)
}

// mayRotate asks whoever wants the successor of a key of the highest scope, in a session, for what its making asked for.
func (h *Handlers) mayRotate(c echo.Context, keys *apikey.Service, act apikey.Act, caller access.Caller) error {
	if caller.Principal.Key {
		return nil
	}
	k, err := keys.Get(c.Request().Context(), act.Owner, idIn(c, keyParam))
	if err != nil || k.Scope() != access.ScopeAdmin {
		return err
	}
	return h.gate.RequireFresh(c.Request().Context(), caller)
}

// RevokeServiceKey answers DELETE …/service-accounts/{account_id}/keys/{key_id}.
func (h *Handlers) RevokeServiceKey(c echo.Context) error {
	keys, act, _, err := h.serviceKeys(c)
	if err != nil {
		return err
	}
	if err := keys.Revoke(c.Request().Context(), act, idIn(c, keyParam)); err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok"})
}

// serviceKeys says whose keys are meant, and who asks. A key that makes another is one of an Admin's: what it makes ends with it.
func (h *Handlers) serviceKeys(c echo.Context) (*apikey.Service, apikey.Act, access.Caller, error) {
	caller, team, err := h.about(c, access.ServiceAccountManage)
	if err != nil {
		return nil, apikey.Act{}, caller, err
	}
	keys, act, err := h.services.Keys(c.Request().Context(), caller.Principal, team, idIn(c, accountParam))
	if err == nil {
		act.Expires, err = h.gate.KeyEnds(c.Request().Context(), caller)
	}
	return keys, act, caller, hide(err)
}

// secret answers with the only copy of a key, which nobody on the way may keep.
func secret(c echo.Context, made apikey.Created) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusCreated, made)
}

// idIn is the id in a path parameter; what is no id is that of nothing.
func idIn(c echo.Context, name string) uuid.UUID {
	id, _ := tenancy.ParseID(c.Param(name))
	return id
}
