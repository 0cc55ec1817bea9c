package authhttp

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// keyParam is the path parameter of the routes of one key.
const keyParam = "key_id"

// ListKeys answers GET /api/keys with the caller's own keys, the newest first.
func (h *Handlers) ListKeys(c echo.Context) error {
	id, err := h.own(c, access.ScopeRead)
	if err != nil {
		return err
	}
	window, err := apikey.ReadWindow(c.Request())
	if err != nil {
		return err
	}
	page, err := h.opts.Keys.List(c.Request().Context(), id.User.ID, window)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, page)
}

// errKeyMakesKeys keeps whoever has found a key from having others, which would outlive it.
var errKeyMakesKeys = problem.New(http.StatusForbidden, "An API key makes no others, and takes nobody's place but its own. Sign in, and do this in the session.")

// CreateKey answers POST /api/keys: 201 and the only copy of a new key. It is for sessions.
func (h *Handlers) CreateKey(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, err := h.own(c, access.ScopeWrite)
	if err != nil {
		return err
	}
	if id.Key {
		return errKeyMakesKeys
	}
	draft, err := h.opts.Keys.ReadDraft(sent)
	if err != nil {
		return err
	}
	if err := h.mayAdminister(id, draft.Scopes); err != nil {
		return err
	}
	made, err := h.opts.Keys.Create(c.Request().Context(), h.making(id), draft)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusCreated, made)
}

// GetKey answers GET /api/keys/{key_id}.
func (h *Handlers) GetKey(c echo.Context) error {
	id, key, err := h.ownKey(c, access.ScopeRead)
	if err != nil {
		return err
	}
	k, err := h.opts.Keys.Get(c.Request().Context(), id.User.ID, key)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, k)
}

// CurrentKey answers GET /api/keys/current: the key that was sent, whoever's and wherever it is bound.
func (h *Handlers) CurrentKey(c echo.Context) error {
	id, err := h.identity(c)
	if err != nil {
		return err
	}
	if !id.Key {
		return errNoKey
	}
	if err := h.opts.CheckTeam(c.Request(), id); err != nil { // also: the owner has left the team that it is bound to
		return err
	}
	k, err := h.opts.Keys.Get(c.Request().Context(), id.User.ID, id.Session)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, k)
}

var errNoKey = problem.New(http.StatusNotFound, "This request was not sent with an API key.")

// UpdateKey answers PATCH /api/keys/{key_id}.
func (h *Handlers) UpdateKey(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, key, err := h.ownKey(c, access.ScopeWrite)
	if err != nil {
		return err
	}
	change, err := h.opts.Keys.ReadChange(sent)
	if err != nil {
		return err
	}
	if err := h.mayRenew(c, id, key, change.Prolongs); err != nil {
		return err
	}
	k, err := h.opts.Keys.Update(c.Request().Context(), h.making(id), key, change)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, k)
}

// RevokeKey answers DELETE /api/keys/{key_id}.
func (h *Handlers) RevokeKey(c echo.Context) error {
	id, key, err := h.ownKey(c, access.ScopeWrite)
	if err != nil {
		return err
	}
	if err := h.opts.Keys.Revoke(c.Request().Context(), ownKeys(id), key); err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]string{"status": "ok"})
}

// RotateKey answers POST /api/keys/{key_id}/rotate: 201 and the key that takes that one's place.
func (h *Handlers) RotateKey(c echo.Context) error {
	sent, err := body.Optional(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, key, err := h.ownKey(c, access.ScopeWrite)
	if err != nil {
		return err
	}
	if id.Key && key != id.Session {
		return errKeyMakesKeys
	}
	rotation, err := h.opts.Keys.ReadRotation(sent)
	if err != nil {
		return err
	}
	if err := h.mayRenew(c, id, key, func(apikey.Key) bool { return true }); err != nil {
		return err
	}
	made, err := h.opts.Keys.Rotate(c.Request().Context(), h.making(id), key, rotation)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusCreated, made)
}

// ownKey is own, and which of the caller's keys is meant. What is no id is the id of no key.
func (h *Handlers) ownKey(c echo.Context, least access.Scope) (auth.Identity, uuid.UUID, error) {
	id, err := h.own(c, least)
	if err != nil {
		return auth.Identity{}, uuid.Nil, err
	}
	key, err := uuid.Parse(c.Param(keyParam))
	if err != nil {
		return auth.Identity{}, uuid.Nil, apikey.ErrMissing
	}
	return id, key, nil
}

// ownKeys is a change of the caller's own keys.
func ownKeys(id auth.Identity) apikey.Act {
	act := apikey.Act{Owner: id.User.ID, ActorID: id.User.ID, Actor: id.User.Email, Scope: id.Scope}
	if id.Key {
		act.Key, act.Expires = id.Session, apikey.Ends(id.Expires)
	}
	return act
}

// making is ownKeys for a new key, which a session leaves behind only while it stands.
func (h *Handlers) making(id auth.Identity) apikey.Act {
	act := ownKeys(id)
	if !id.Key {
		act.Allowed = func(ctx context.Context, tx *postgres.Tx) error { return h.auth.Stands(ctx, tx, id.Session) }
	}
	return act
}

// mayRenew is mayAdminister for whoever wants, in a session, the successor of a key or a longer life for it. A program that shows a key
// has nothing else to prove by, and what it gets ends with that key at the latest.
func (h *Handlers) mayRenew(c echo.Context, id auth.Identity, key uuid.UUID, renews func(apikey.Key) bool) error {
	if id.Key {
		return nil
	}
	k, err := h.opts.Keys.Get(c.Request().Context(), id.User.ID, key)
	if err != nil || !renews(k) {
		return err
	}
	return h.mayAdminister(id, k.Scopes)
}

// mayAdminister asks whoever makes a key of the highest scope to have proved a moment ago who they are.
func (h *Handlers) mayAdminister(id auth.Identity, scopes []string) error {
	if apikey.Highest(scopes) != access.ScopeAdmin {
		return nil
	}
	return h.auth.RequireFresh(id)
}
