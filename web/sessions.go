package web

import (
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	sessionsPage  = "/account/sessions"
	sessionsTitle = "Where you are signed in"
	sessionsShown = 100 // the newest; whoever has more can still end them all
)

// SessionsPage answers GET /account/sessions: where somebody is signed in, each with a button that ends it.
func (p *Pages) SessionsPage(c echo.Context) error {
	return p.ofUser(c, "sessions", p.sessions)
}

// EndSessions answers POST /account/sessions: one session ends, all others, or all.
func (p *Pages) EndSessions(c echo.Context) error {
	id, found := p.current(c)
	if !found {
		return p.leave(c, loginPage)
	}
	which := c.Request().PostFormValue("end")
	if err := p.end(c, id, which); err != nil {
		v, listErr := p.sessions(c, id)
		if listErr != nil {
			return p.again(c, "message", v, listErr)
		}
		return p.again(c, "sessions", v, err)
	}
	if which == "all" {
		return p.forget(c)
	}
	return p.leave(c, sessionsPage)
}

func (p *Pages) end(c echo.Context, id auth.Identity, which string) error {
	ctx := c.Request().Context()
	switch which {
	case "others":
		return p.cfg.Auth.EndOtherSessions(ctx, id)
	case "all":
		return p.cfg.Auth.EndAllSessions(ctx, id)
	}
	session, err := uuid.Parse(which)
	if err != nil {
		return errNoSession
	}
	err = p.cfg.Auth.EndSession(ctx, id, session)
	if errors.Is(err, problem.NotFound) {
		return errNoSession
	}
	return err
}

var errNoSession = problem.New(http.StatusNotFound, "There is no such session any more.")

// sessions is the page's content, or only its title.
func (p *Pages) sessions(c echo.Context, id auth.Identity) (view, error) {
	v := view{Title: sessionsTitle, SignedIn: id.User.Email}
	list, next, err := p.cfg.Auth.Sessions(c.Request().Context(), id, sessionsShown, uuid.Nil)
	if err != nil {
		return v, err
	}
	v.MoreSessions = next != uuid.Nil
	for _, s := range list {
		v.Sessions = append(v.Sessions, sessionView{s, kinds[s.Kind], how(s.Method), moment(s.Created), moment(s.LastSeen)})
		v.OtherSessions = v.OtherSessions || !s.Current
	}
	return v, nil
}

// sessionView is a session in words.
type sessionView struct {
	auth.Session
	What, How   string
	Since, Used string
}

// kinds say what has a session of that kind.
var kinds = map[string]string{"browser": "A browser", "token": "A program", "offline": "A program that stays signed in"}

// how says how somebody signed in. What is none of ours is the name of an issuer.
func how(method string) string {
	switch method {
	case "password", "passkey":
		return "with a " + method
	case "register", "setup":
		return "when the account was made"
	}
	return "by " + method
}

func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }
