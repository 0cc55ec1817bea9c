package teamhttp

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// Enter answers POST /api/admin/teams/{team_id}/enter: 201 and the entry, for a superuser who has just proved who they are.
func (h *Handlers) Enter(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	caller, team, err := h.superuser(c)
	if err != nil {
		return err
	}
	if err := h.gate.RequireFresh(c.Request().Context(), caller); err != nil {
		return err
	}
	reason, _ := sent.String("reason", true)
	if err := sent.Err(); err != nil {
		return err
	}
	entry, err := h.teams.Enter(c.Request().Context(), caller.Principal, team, reason)
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusCreated, entry)
}

// Leave answers DELETE /api/admin/teams/{team_id}/enter: 204, also for those who are not inside.
func (h *Handlers) Leave(c echo.Context) error {
	caller, team, err := h.superuser(c)
	if err != nil {
		return err
	}
	if err := h.teams.Leave(c.Request().Context(), caller.Principal, team); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// superuser says who asks and about which team. Whoever is no superuser learns nothing of the team.
func (h *Handlers) superuser(c echo.Context) (access.Caller, uuid.UUID, error) {
	caller, err := h.gate.Superuser(c.Request())
	if err != nil {
		return caller, uuid.Nil, err
	}
	id, ok := tenancy.ParseID(c.Param(teamParam))
	if !ok {
		return caller, uuid.Nil, hide(access.ErrHidden)
	}
	return caller, id, nil
}

// Entries answers GET /api/teams/{team_id}/entries: who was in the team without being a member.
func (h *Handlers) Entries(c echo.Context) error {
	caller, team, err := h.about(c, access.TeamRead)
	if err != nil {
		return err
	}
	limit, after, err := window(c)
	if err != nil {
		return err
	}
	list, next, err := h.teams.Entries(c.Request().Context(), caller.Principal, team, limit, after)
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, map[string]any{"items": list, "next_page_id": next})
}

// window reads limit and page_id; both may be absent.
func window(c echo.Context) (limit int, after uuid.UUID, err error) {
	if text := c.QueryParam("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 {
			return 0, uuid.Nil, queryFault("limit", text, "A limit is a whole number from 1 on.")
		}
	}
	if text := c.QueryParam("page_id"); text != "" {
		id, ok := tenancy.ParseID(text)
		if !ok {
			return 0, uuid.Nil, queryFault("page_id", text, "This page_id belongs to no list. Start again without it.")
		}
		after = id
	}
	return limit, after, nil
}

func queryFault(name, input, reason string) error {
	return problem.Fields(problem.Field{
		Type: "value_error", Loc: []any{"query", name}, Msg: reason, Input: input, Ctx: map[string]any{"reason": reason},
	})
}
