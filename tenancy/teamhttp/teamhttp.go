// Package teamhttp owns the HTTP form of teams: what clients of the teams API send and read.
//
// It holds no rule: tenancy decides. Its key idea: a handler reads, asks the service, and answers; whatever a stranger asks
// about a team answers as if there were none.
package teamhttp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
)

// maxBody bounds what may be sent to a team route: as much as to an account route, so that both refuse in the same words.
const maxBody = 64 << 10

// teamParam is the path parameter of the routes of one team.
const teamParam = "team_id"

// Handlers answer the team routes. Routes of one team have the parameter team_id.
type Handlers struct {
	teams    *tenancy.Service
	services *tenancy.ServiceAccounts
	gate     *tenancy.Gate
}

// New makes the handlers.
func New(teams *tenancy.Service, services *tenancy.ServiceAccounts, gate *tenancy.Gate) *Handlers {
	return &Handlers{teams: teams, services: services, gate: gate}
}

// currentHeader says in answers which team is the caller's current one, under the name by which a request chooses it.
const currentHeader = "X-Team-Id"

// List answers GET /api/teams with a bare array.
func (h *Handlers) List(c echo.Context) error {
	caller, err := h.identify(c)
	if err != nil {
		return err
	}
	teams, err := h.teams.Teams(c.Request().Context(), caller.Principal)
	if err != nil {
		return err
	}
	c.Response().Header().Set(currentHeader, caller.Principal.CurrentTeam.String())
	return c.JSON(http.StatusOK, teams)
}

// Create answers POST /api/teams.
func (h *Handlers) Create(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	caller, err := h.identify(c)
	if err != nil {
		return err
	}
	name, _ := sent.String("name", true)
	if err := sent.Err(); err != nil {
		return err
	}
	team, err := h.teams.Create(c.Request().Context(), caller.Principal, name)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, team)
}

// Get answers GET /api/teams/{team_id}.
func (h *Handlers) Get(c echo.Context) error {
	caller, id, err := h.about(c, access.TeamRead)
	if err != nil {
		return err
	}
	team, err := h.teams.Team(c.Request().Context(), caller.Principal, id)
	if err != nil {
		return hide(err)
	}
	return c.JSON(http.StatusOK, team)
}

// Switch answers POST /api/teams/{team_id}/switch: the team is the current one of the session from now on, on every replica.
func (h *Handlers) Switch(c echo.Context) error {
	caller, id, err := h.about(c, access.TeamRead)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if err := h.gate.Switch(ctx, caller.Principal, id); err != nil {
		return hide(err)
	}
	team, err := h.teams.Team(ctx, caller.Principal, id)
	if err != nil {
		return hide(err)
	}
	c.Response().Header().Set(currentHeader, id.String())
	return c.JSON(http.StatusOK, team)
}

// added is the answer of AddMember.
type added struct {
	tenancy.Member
	Message string `json:"message"`
}

// AddMember answers POST /api/teams/{team_id}/members. Who may not add learns nothing of what was wrong with the fields.
func (h *Handlers) AddMember(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	caller, id, err := h.about(c, access.MemberAdd)
	if err != nil {
		return err
	}
	email, given := sent.String("email", true)
	if given {
		sent.Fault(auth.EmailFaults(email)...)
	}
	role, given := sent.String("role", false)
	if given {
		sent.Fault(tenancy.RoleFaults(access.Role(role))...)
	}
	if err := sent.Err(); err != nil {
		return err
	}
	member, err := h.teams.AddMember(c.Request().Context(), caller.Principal, id, email, access.Role(role))
	if err != nil {
		return hide(err)
	}
	message := fmt.Sprintf("%s is now a member of the team, as %s.", member.UserEmail, member.Role)
	return c.JSON(http.StatusCreated, added{Member: member, Message: message})
}

// identify says who asks. A team header that names a stranger's team is a team that is not found.
func (h *Handlers) identify(c echo.Context) (access.Caller, error) {
	caller, err := h.gate.Identify(c.Request())
	return caller, hide(err)
}

// about says who asks and about which team, and that they hold the permission there.
func (h *Handlers) about(c echo.Context, permission access.Permission) (access.Caller, uuid.UUID, error) {
	caller, err := h.identify(c)
	if err != nil {
		return access.Caller{}, uuid.Nil, err
	}
	id, ok := tenancy.ParseID(c.Param(teamParam))
	if !ok {
		return access.Caller{}, uuid.Nil, hide(access.ErrHidden) // what is no id is the id of no team
	}
	return caller, id, hide(caller.Principal.In(id, permission))
}

// hide gives a hidden team the words that clients of the teams API know.
func hide(err error) error {
	if errors.Is(err, access.ErrHidden) {
		return problem.New(http.StatusNotFound, "Team not found")
	}
	return err
}
