package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// welcome gives the browser its new session and sends it on. The session it came with ends: nothing that was planted in the
// browser before the sign-in is worth anything after it.
func (p *Pages) welcome(c echo.Context, cookie string, expires time.Time, to string) error {
	p.endCurrent(c)
	c.SetCookie(auth.NewCookie(p.cfg.CookieName, p.cfg.Secure, cookie, expires))
	return p.leave(c, p.next(to))
}

// endCurrent ends the session of the cookie that came along, if it is one. A failure must not keep anybody from signing in.
func (p *Pages) endCurrent(c echo.Context) {
	ctx := c.Request().Context()
	if err := p.signOut(c); err != nil {
		p.cfg.Log.WarnContext(ctx, "a replaced session was not ended", "error", err)
	}
}

// signOut ends the session of the browser's cookie, if there is one.
func (p *Pages) signOut(c echo.Context) error {
	err := p.cfg.Auth.SignOut(c.Request().Context(), auth.CookieFrom(c.Request(), p.cfg.CookieName))
	if problem.Of(err).Status == http.StatusUnauthorized {
		return nil
	}
	return err
}

// leave redirects after a POST.
func (p *Pages) leave(c echo.Context, to string) error {
	protect(c.Response().Header())
	return c.Redirect(http.StatusSeeOther, to)
}

// Logout ends the session and forgets what the browser keeps of this site: drafts, lists and typed-in keys are the user's.
func (p *Pages) Logout(c echo.Context) error {
	if err := p.signOut(c); err != nil {
		return p.again(c, "message", view{Title: "You are still signed in"}, err)
	}
	return p.forget(c)
}

// forget has the browser forget its cookie, and what else it keeps of this site.
func (p *Pages) forget(c echo.Context) error {
	c.SetCookie(auth.ExpiredCookie(p.cfg.CookieName, p.cfg.Secure))
	c.Response().Header().Set("Clear-Site-Data", `"storage"`)
	return p.leave(c, loginPage)
}

// formOf reads a posted form. Bodies are bounded by whoever serves the pages.
func formOf(c echo.Context) (form, string, error) {
	r := c.Request()
	if err := r.ParseForm(); err != nil {
		bad := problem.New(http.StatusBadRequest, "This form could not be read. Send it again.")
		return form{Return: start}, "", bad.Because(err)
	}
	in := r.PostForm
	return form{
		Email:    in.Get("email"),
		Name:     in.Get("name"),
		TeamName: in.Get("team_name"),
		Return:   SafeReturn(in.Get("return")),
		Token:    c.Param("token"),
	}, in.Get("password"), nil
}

// registration makes of the form what auth wants: fields left empty were not given.
func (f form) registration(password string) auth.Registration {
	return auth.Registration{Email: f.Email, Password: password, Name: given(f.Name), TeamName: given(f.TeamName)}
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
