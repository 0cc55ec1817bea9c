package web

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

const resetTitle = "Choose a new password"

// ResetPage shows the form to whoever holds a good mailed link. Looking at it, as mail scanners do, does not use it up.
func (p *Pages) ResetPage(c echo.Context) error {
	v := view{Title: resetTitle, Form: form{Return: start, Token: c.Param("token")}}
	return p.byLink(c, "reset", v, p.cfg.Auth.CheckReset)
}

// Reset uses the link up and sets the password.
func (p *Pages) Reset(c echo.Context) error {
	in, password, err := formOf(c)
	v := view{Title: resetTitle, Form: in}
	if err != nil {
		return p.again(c, "reset", v, err)
	}
	ctx := c.Request().Context()
	if err := p.cfg.Auth.CheckReset(ctx, in.Token); err != nil {
		return p.again(c, "message", v, err)
	}
	if err := p.cfg.Auth.ResetPassword(ctx, in.Token, password, p.client(c)); err != nil {
		return p.again(c, "reset", v, err)
	}
	return p.render(c, http.StatusOK, "done", view{
		Title: "Your password is changed", Lead: "You are signed out everywhere. Sign in with the new password.", Form: form{Return: start},
	})
}
