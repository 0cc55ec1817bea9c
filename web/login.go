package web

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// LoginPage shows the form, also to those who are signed in: a page that sends them away by itself could go in circles with
// one that sends them here.
func (p *Pages) LoginPage(c echo.Context) error {
	v := view{Title: "Sign in", Form: form{Return: SafeReturn(c.QueryParam("return"))}}
	if id, found := p.known(c); found {
		v.SignedIn = id.User.Email
	}
	return p.render(c, http.StatusOK, "login", v)
}

// Login checks the password, gives the browser a new session and goes on to the return path.
func (p *Pages) Login(c echo.Context) error {
	in, password, err := formOf(c)
	v := view{Title: "Sign in", Form: in}
	if err != nil {
		return p.again(c, "login", v, err)
	}
	cookie, expires, err := p.cfg.Auth.OpenBrowser(c.Request().Context(), in.Email, password, p.client(c))
	if answered, err := p.challenged(c, err, in.Return); answered {
		return err
	}
	if err != nil {
		return p.again(c, "login", v, err)
	}
	return p.welcome(c, cookie, expires, in.Return)
}
