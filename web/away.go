package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Recognised keeps somebody whose session cannot be looked up at the moment from being taken for a stranger: they are told so, rather
// than led to the sign-in page, or told that a page of theirs is not there.
func (p *Pages) Recognised(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := p.away(c); err != nil {
			return p.again(c, "message", view{Title: "You cannot be recognised at the moment", Form: form{Return: start}}, err)
		}
		return next(c)
	}
}

// away is why nobody can say whose the browser's session is; nil where somebody can, and where there is none.
func (p *Pages) away(c echo.Context) error {
	credential := auth.CookieFrom(c.Request(), p.cfg.CookieName)
	if credential.Form != access.FormCookie {
		return nil
	}
	_, err := p.cfg.Auth.Identify(c.Request().Context(), credential)
	if err != nil && problem.Of(err).Status >= http.StatusInternalServerError {
		return err
	}
	return nil
}
