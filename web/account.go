package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

// The paths of pages that others lead to.
const (
	accountPage = "/account/"
	loginPage   = "/account/login"
)

// AccountPage answers GET /account/: who is signed in, for which team, and the way out. Strangers go to the sign-in page.
func (p *Pages) AccountPage(c echo.Context) error {
	id, found := p.known(c)
	if !found {
		return p.leave(c, loginPage)
	}
	return p.render(c, http.StatusOK, "account", view{
		Title: "Your account", SignedIn: id.User.Email, Teams: p.teams(c), Form: form{Return: start}, Superuser: id.Superuser() == nil, Entries: p.entries(c),
	})
}

// ofUser shows a page about whoever is signed in; strangers are led to the sign-in page.
func (p *Pages) ofUser(c echo.Context, page string, read func(echo.Context, auth.Identity) (view, error)) error {
	id, found := p.current(c)
	if !found {
		return p.leave(c, loginPage)
	}
	v, err := read(c, id)
	if err != nil {
		return p.again(c, "message", v, err)
	}
	return p.render(c, http.StatusOK, page, v)
}

// next is where a return path that SafeReturn passed leads: the start page is whatever this installation has for one.
func (p *Pages) next(path string) string {
	if path == start {
		return p.cfg.Home
	}
	return path
}
