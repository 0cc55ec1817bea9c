package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

// RegisterPage shows the form where registration is open, and says whom to ask where it is not.
func (p *Pages) RegisterPage(c echo.Context) error {
	v := view{Title: "Create an account", Form: form{Return: SafeReturn(c.QueryParam("return"))}}
	if p.cfg.Registration != auth.RegistrationOpen {
		return p.again(c, "message", v, auth.ErrRegistrationClosed)
	}
	return p.render(c, http.StatusOK, "register", v)
}

// Register makes the account with its personal team and signs its owner in.
func (p *Pages) Register(c echo.Context) error {
	in, password, err := formOf(c)
	v := view{Title: "Create an account", Form: in}
	if p.cfg.Registration != auth.RegistrationOpen {
		return p.again(c, "message", v, auth.ErrRegistrationClosed)
	}
	if err != nil {
		return p.again(c, "register", v, err)
	}
	user, err := p.cfg.Auth.Register(c.Request().Context(), p.registration(c, in, password))
	if err != nil {
		return p.again(c, "register", v, err)
	}
	return p.admit(c, user)
}

// admit signs in somebody whose account was just made. When that fails the account is there all the same: they sign in.
func (p *Pages) admit(c echo.Context, user auth.User) error {
	if p.cfg.Auth.MustVerify(user) {
		return p.render(c, http.StatusOK, "done", view{
			Title: "Verify your address", Lead: "We sent a mail to " + user.Email + ". Open its link, then sign in.", Form: form{Return: start},
		})
	}
	to := SafeReturn(c.FormValue("return"))
	cookie, expires, err := p.cfg.Auth.GrantBrowser(c.Request().Context(), auth.SignIn{User: user.ID, Method: "register", From: p.client(c)})
	if err != nil {
		p.cfg.Log.ErrorContext(c.Request().Context(), "no session for a new account", "user", user.ID, "error", err)
		return p.leave(c, loginPage)
	}
	return p.welcome(c, cookie, expires, to)
}

// registration is what was typed, and from where.
func (p *Pages) registration(c echo.Context, in form, password string) auth.Registration {
	r := in.registration(password)
	r.From, r.Proof = p.client(c), c.FormValue("proof")
	return r
}
