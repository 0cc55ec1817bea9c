package authhttp

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// The routes under /api/admin/users are for superusers: strangers get 401, other users 403, whatever they ask for.

// administrator is who asks. may can refuse them: what cannot be taken back demands that they proved who they are a moment ago.
func (h *Handlers) administrator(c echo.Context, may func(auth.Identity) error) (auth.Identity, error) {
	id, err := h.identity(c)
	if err != nil {
		return id, err
	}
	if err := id.Superuser(); err != nil {
		return id, err
	}
	return id, may(id)
}

// ListUsers answers GET /api/admin/users.
func (h *Handlers) ListUsers(c echo.Context) error {
	if _, err := h.administrator(c, anytime); err != nil {
		return err
	}
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	page, err := h.auth.Users(c.Request().Context(), auth.UserQuery{
		Search: c.QueryParam("q"), Status: c.QueryParam("status"), Limit: limit, PageID: c.QueryParam("page_id"),
	})
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, page)
}

// limitOf reads the length of a page; 0 when it is not given.
func limitOf(c echo.Context) (int, error) {
	text := c.QueryParam("limit")
	if text == "" {
		return 0, nil
	}
	limit, err := strconv.Atoi(text)
	if err != nil || limit < 1 {
		const reason = "A limit is a whole number from 1 on."
		return 0, problem.Fields(problem.Field{
			Type: "value_error", Loc: []any{"query", "limit"}, Msg: reason, Input: text, Ctx: map[string]any{"reason": reason},
		})
	}
	return limit, nil
}

// created is an account that was just made, with its set-up link unless it has a password.
type created struct {
	auth.User
	*auth.SetupURL
}

// CreateUser answers POST /api/admin/users: 201 and the account. Without a password it comes with setup_link, only here and now.
func (h *Handlers) CreateUser(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	by, err := h.administrator(c, anytime)
	if err != nil {
		return err
	}
	account, err := newAccount(o)
	if err != nil {
		return err
	}
	if account.Superuser {
		if err := h.auth.RequireFresh(by); err != nil {
			return err
		}
	}
	user, link, err := h.auth.AdminCreate(c.Request().Context(), by.Actor(), account)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusCreated, created{user, link})
}

func newAccount(o *body.Object) (auth.NewAccount, error) {
	var n auth.NewAccount
	var ok bool
	if n.Email, ok = o.String("email", true); ok {
		o.Fault(auth.EmailFaults(n.Email)...)
	}
	n.Password, _ = o.String("password", false)
	n.Superuser, _ = o.Flag("is_superuser")
	n.Verified, _ = o.Flag("is_verified")
	n.Name = name(o, "name", 0)
	n.TeamName = name(o, "team_name", 1)
	return n, o.Err()
}

// about is the account of the path, for an administrator.
func (h *Handlers) about(c echo.Context, may func(auth.Identity) error) (by auth.Actor, account auth.Account, err error) {
	id, err := h.administrator(c, may)
	if err != nil {
		return by, account, err
	}
	user, ok := userID(c.Param(userParam))
	if !ok {
		return by, account, problem.NotFound
	}
	account, err = h.auth.Account(c.Request().Context(), user)
	return id.Actor(), account, err
}

// GetAccount answers GET /api/admin/users/{user_id}.
func (h *Handlers) GetAccount(c echo.Context) error {
	_, account, err := h.about(c, anytime)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, account)
}

// UpdateAccount answers PATCH /api/admin/users/{user_id}: any of what the contract's PATCH takes.
func (h *Handlers) UpdateAccount(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	may := h.freshFactor
	if o.Given("is_superuser") {
		may = h.auth.RequireFresh
	}
	by, account, err := h.about(c, may)
	if err != nil {
		return err
	}
	change, err := changeOf(o, true)
	if err != nil {
		return err
	}
	return h.answer(c, account.ID, func(ctx context.Context) (auth.User, error) {
		return h.auth.Administer(ctx, by, account.ID, change)
	})
}

// DeleteAccount answers DELETE /api/admin/users/{user_id}: 204.
func (h *Handlers) DeleteAccount(c echo.Context) error {
	by, account, err := h.about(c, h.auth.RequireFresh)
	if err != nil {
		return err
	}
	return done(c, h.auth.Delete(c.Request().Context(), by, account.ID))
}

// SuspendAccount answers POST /api/admin/users/{user_id}/suspend.
func (h *Handlers) SuspendAccount(c echo.Context) error { return h.administer(c, h.auth.Suspend) }

// ReactivateAccount answers POST /api/admin/users/{user_id}/reactivate.
func (h *Handlers) ReactivateAccount(c echo.Context) error {
	return h.administer(c, h.auth.Reactivate)
}

// VerifyAccount answers POST /api/admin/users/{user_id}/verify.
func (h *Handlers) VerifyAccount(c echo.Context) error { return h.administer(c, h.auth.MarkVerified) }

func (h *Handlers) administer(c echo.Context, act func(context.Context, auth.Actor, uuid.UUID) (auth.User, error)) error {
	by, account, err := h.about(c, anytime)
	if err != nil {
		return err
	}
	return h.answer(c, account.ID, func(ctx context.Context) (auth.User, error) { return act(ctx, by, account.ID) })
}

// answer does something and shows the account as it is then.
func (h *Handlers) answer(c echo.Context, id uuid.UUID, act func(context.Context) (auth.User, error)) error {
	ctx := c.Request().Context()
	if _, err := act(ctx); err != nil {
		return err
	}
	account, err := h.auth.Account(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, account)
}

// SetupLink answers POST /api/admin/users/{user_id}/setup-link: the one-time link by which the user chooses a password. It opens the
// account, as a new password would.
func (h *Handlers) SetupLink(c echo.Context) error {
	by, account, err := h.about(c, h.freshFactor)
	if err != nil {
		return err
	}
	link, err := h.auth.SetupLinkFor(c.Request().Context(), by, account.ID)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, link)
}
