package web

import "github.com/labstack/echo/v4"

// setupTitle is also what the page says when the link is no good.
const setupTitle = "Set up the first administrator"

// SetupPage shows the form to whoever holds a good one-time link. Looking at it does not use it up.
func (p *Pages) SetupPage(c echo.Context) error {
	v := view{Title: setupTitle, Form: form{Return: start, Token: c.Param("token")}}
	return p.byLink(c, "setup", v, p.cfg.Auth.CheckSetup)
}

// Setup uses the link up: it makes the first administrator and signs them in.
func (p *Pages) Setup(c echo.Context) error {
	in, password, err := formOf(c)
	v := view{Title: setupTitle, Form: in}
	if err != nil {
		return p.again(c, "setup", v, err)
	}
	ctx := c.Request().Context()
	if err := p.cfg.Auth.CheckSetup(ctx, in.Token); err != nil {
		return p.again(c, "message", v, err)
	}
	user, err := p.cfg.Auth.CompleteSetup(ctx, in.Token, in.registration(password))
	if err != nil {
		return p.again(c, "setup", v, err)
	}
	return p.admit(c, user)
}
