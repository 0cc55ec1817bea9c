package authhttp

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// ListSessions answers GET /api/auth/sessions with the caller's sessions that live, the newest first.
func (h *Handlers) ListSessions(c echo.Context) error {
	id, err := h.own(c, access.ScopeAdmin)
	if err != nil {
		return err
	}
	limit, after, err := pageOf(c.Request())
	if err != nil {
		return err
	}
	sessions, next, err := h.auth.Sessions(c.Request().Context(), id, limit, after)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, sessionPage{sessions, uuid.NullUUID{UUID: next, Valid: next != uuid.Nil}})
}

type sessionPage struct {
	Items      []auth.Session `json:"items"`
	NextPageID uuid.NullUUID  `json:"next_page_id"`
}

// EndSession answers DELETE /api/auth/sessions/{session_id}: 204, or 404 when the caller has none such.
func (h *Handlers) EndSession(c echo.Context) error {
	id, err := h.own(c, access.ScopeAdmin)
	if err != nil {
		return err
	}
	session, err := uuid.Parse(c.Param("session_id"))
	if err != nil {
		return problem.NotFound
	}
	if err := h.auth.EndSession(c.Request().Context(), id, session); err != nil {
		return err
	}
	return h.ended(c, session == id.Session)
}

// EndSessions answers DELETE /api/auth/sessions: 204 once all other sessions of the caller have ended, and with ?all=true this one,
// too.
func (h *Handlers) EndSessions(c echo.Context) error {
	id, err := h.own(c, access.ScopeAdmin)
	if err != nil {
		return err
	}
	all, err := allOf(c.QueryParam("all"))
	if err != nil {
		return err
	}
	end := h.auth.EndOtherSessions
	if all {
		end = h.auth.EndAllSessions
	}
	if err := end(c.Request().Context(), id); err != nil {
		return err
	}
	return h.ended(c, all)
}

// ended takes the cookie away from a browser whose own session it was.
func (h *Handlers) ended(c echo.Context, own bool) error {
	if own && auth.CookieFrom(c.Request(), h.opts.CookieName).Form == access.FormCookie {
		return h.goodbye(c)
	}
	return c.NoContent(http.StatusNoContent)
}

// allOf is strict: what ends everything is not guessed.
func allOf(all string) (bool, error) {
	switch all {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, queryFault("all", all, "Write true, or leave it out to keep the session that asks.")
}
