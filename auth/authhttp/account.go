package authhttp

import (
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/body"
)

// DeleteOwn answers POST /api/auth/account/delete: 204 once the caller's own account is gone.
func (h *Handlers) DeleteOwn(c echo.Context) error {
	o, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, err := h.own(c, access.ScopeAdmin)
	if err != nil {
		return err
	}
	password, _ := o.String("password", false)
	if err := o.Err(); err != nil {
		return err
	}
	if err := h.auth.DeleteOwn(c.Request().Context(), id, password, h.client(c)); err != nil {
		return err
	}
	return h.goodbye(c)
}

// ExportOwn answers GET /api/auth/account/export: what is held about the caller, as one JSON object. It is written as it is read; when
// that fails on the way, the connection breaks off, so that a part is not taken for the whole.
func (h *Handlers) ExportOwn(c echo.Context) error {
	id, err := h.own(c, access.ScopeAdmin)
	if err != nil {
		return err
	}
	header := c.Response().Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="openhands-account-%s.json"`, id.User.ID))
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	err = h.opts.Export(c.Request().Context(), c.Response(), id)
	if err != nil && c.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		header.Del("Content-Disposition")
	}
	return err
}
