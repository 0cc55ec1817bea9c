package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// Team is a team of whoever is signed in, as the account page lists it.
type Team struct {
	ID, Name, Role string
	Current        bool // lists and new conversations are this team's
}

// Entry is a stay of an administrator of the installation in a team, as its members see it.
type Entry struct {
	Who, Reason string
	From, Until time.Time
}

// entries are those of the current team. A failure takes only them away.
func (p *Pages) entries(c echo.Context) []Entry {
	return orNone(p, c, p.cfg.Entries, "the account page does not show who was in the team")
}

// teams are those to choose among. A failure takes only the choice away.
func (p *Pages) teams(c echo.Context) []Team {
	return orNone(p, c, p.cfg.Teams, "the account page shows no teams")
}

// orNone reads what a page can do without: nothing where nobody can tell, and where it fails, which the log then says in those words.
func orNone[T any](p *Pages, c echo.Context, read func(*http.Request) ([]T, error), failed string) []T {
	if read == nil {
		return nil
	}
	list, err := read(c.Request())
	if err != nil {
		p.cfg.Log.WarnContext(c.Request().Context(), failed, "error", err)
		return nil
	}
	return list
}

// SwitchTeam answers POST /account/team: the browser acts for another of its user's teams from now on.
func (p *Pages) SwitchTeam(c echo.Context) error {
	if _, found := p.current(c); !found || p.cfg.SwitchTeam == nil {
		return p.leave(c, loginPage)
	}
	r := c.Request()
	if err := p.cfg.SwitchTeam(r, r.PostFormValue("team")); err != nil {
		return p.again(c, "message", view{Title: "Your team is the same as before"}, err)
	}
	return p.leave(c, accountPage)
}
