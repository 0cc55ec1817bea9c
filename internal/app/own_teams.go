package app

import (
	"errors"
	"net/http"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/web"
)

// teamsOf lists for the account page the teams of whoever sent r.
func (a *App) teamsOf(r *http.Request) ([]web.Team, error) {
	caller, err := a.gate.Identify(r)
	if err != nil {
		return nil, err
	}
	teams, err := a.teams.Teams(r.Context(), caller.Principal)
	if err != nil {
		return nil, err
	}
	listed := make([]web.Team, len(teams))
	for n, t := range teams {
		listed[n] = web.Team{ID: t.ID.String(), Name: t.Name, Role: string(t.Role), Current: t.ID == caller.Principal.CurrentTeam}
	}
	return listed, nil
}

// switchTeam has the session of r act for another team.
func (a *App) switchTeam(r *http.Request, team string) error {
	caller, err := a.gate.Identify(r)
	if err != nil {
		return err
	}
	id, ok := tenancy.ParseID(team)
	if ok {
		err = a.gate.Switch(r.Context(), caller.Principal, id)
	}
	if !ok || errors.Is(err, access.ErrHidden) {
		return problem.New(http.StatusNotFound, "You are in no such team. Choose one of your own.")
	}
	return err
}
