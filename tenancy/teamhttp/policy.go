package teamhttp

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// Policy answers GET /api/teams/{team_id}/policy: what the team demands of its members.
func (h *Handlers) Policy(c echo.Context) error {
	caller, team, err := h.about(c, access.TeamRead)
	if err != nil {
		return err
	}
	policy, err := h.teams.Policy(c.Request().Context(), caller.Principal, team)
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, policy)
}

// SetPolicy answers PUT /api/teams/{team_id}/policy, for Owners who proved a moment ago who they are.
func (h *Handlers) SetPolicy(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	caller, team, err := h.about(c, access.TeamPolicy)
	if err != nil {
		return err
	}
	if err := h.gate.RequireFresh(c.Request().Context(), caller); err != nil {
		return err
	}
	required, ok := sent.Flag("require_second_factor")
	if !ok && !sent.Given("require_second_factor") {
		sent.String("require_second_factor", true) // to find it missing
	}
	if err := sent.Err(); err != nil {
		return err
	}
	policy := tenancy.Policy{RequireSecondFactor: required}
	if err := h.teams.SetPolicy(c.Request().Context(), caller.Principal, team, policy); err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, policy)
}
