package app

import (
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/web"
)

// entriesShown bounds what the account page says about administrators in a team, in number and in time.
const (
	entriesShown = 5
	entriesSince = 30 * 24 * time.Hour
)

// entriesOf lists for the account page who was in the current team of whoever sent r without being a member, lately.
func (a *App) entriesOf(r *http.Request) ([]web.Entry, error) {
	caller, err := a.gate.Identify(r)
	if err != nil {
		return nil, err
	}
	found, _, err := a.teams.Entries(r.Context(), caller.Principal, caller.Principal.CurrentTeam, entriesShown, uuid.Nil)
	if err != nil {
		return nil, err
	}
	var shown []web.Entry
	for _, e := range found {
		if time.Since(e.EnteredAt) > entriesSince {
			break
		}
		until := e.ExpiresAt
		if e.LeftAt != nil {
			until = *e.LeftAt
		}
		shown = append(shown, web.Entry{Who: e.UserEmail, Reason: e.Reason, From: e.EnteredAt, Until: until})
	}
	return shown, nil
}
