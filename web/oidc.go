package web

import (
	"errors"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
)

// choices are the issuers by which one can sign in here.
func (p *Pages) choices() []oidc.Choice {
	if p.cfg.OIDC == nil {
		return nil
	}
	return p.cfg.OIDC.Choices()
}

// Landing is where somebody goes who was promised that path: there, when it surely leads to this host, and to the start otherwise.
func (p *Pages) Landing(path string) string { return p.next(SafeReturn(path)) }

// SignInBy answers GET /account/sign-in/{provider}: it sends the browser to an issuer.
func (p *Pages) SignInBy(c echo.Context) error {
	if p.cfg.OIDC == nil {
		return echo.ErrNotFound
	}
	begun, err := p.cfg.OIDC.SignIn(c.Request().Context(), c.Param("provider"), SafeReturn(c.QueryParam("return")))
	if err != nil {
		return p.SignInFault(c, start, err)
	}
	c.SetCookie(begun.Cookie)
	return p.leave(c, begun.URL)
}

// SignInFault shows why somebody who came back from an issuer is not signed in, or nothing was linked. Where only the second factor is
// missing it leads to the page for that, and from there to the path.
func (p *Pages) SignInFault(c echo.Context, to string, err error) error {
	if answered, err := p.challenged(c, err, SafeReturn(to)); answered {
		return err
	}
	return p.again(c, "message", view{Title: "That did not work", Form: form{Return: start}}, err)
}

const (
	identitiesPage  = "/account/identities"
	identitiesTitle = "Ways to sign in"
)

// IdentitiesPage lists who somebody is at which issuer, and where they could link more.
func (p *Pages) IdentitiesPage(c echo.Context) error {
	id, found := p.current(c)
	if !found || p.cfg.OIDC == nil {
		return p.leave(c, loginPage)
	}
	return p.identities(c, id, nil)
}

// identities shows the page, with what went wrong.
func (p *Pages) identities(c echo.Context, id auth.Identity, fault error) error {
	v := view{Title: identitiesTitle, Form: form{Return: start}}
	linked, err := p.cfg.OIDC.Identities(c.Request().Context(), id.User.ID)
	if err != nil {
		return p.again(c, "message", v, err)
	}
	v.Identities, v.Providers = linked, unlinked(p.cfg.OIDC.Choices(), linked)
	if fault != nil {
		if errors.Is(fault, auth.ErrStepUp) {
			v.StepUp = stepUpPage + "?return=" + identitiesPage
		}
		return p.again(c, "identities", v, fault)
	}
	return p.render(c, http.StatusOK, "identities", v)
}

func unlinked(choices []oidc.Choice, linked []oidc.Linked) (rest []oidc.Choice) {
	have := map[string]bool{}
	for _, l := range linked {
		have[l.Provider] = true
	}
	for _, choice := range choices {
		if !have[choice.Name] {
			rest = append(rest, choice)
		}
	}
	return rest
}

// LinkIdentity answers POST /account/identities/link. It does not redirect: our policy lets forms lead to pages of ours only, and
// browsers hold redirects to it, too.
func (p *Pages) LinkIdentity(c echo.Context) error {
	id, found := p.current(c)
	if !found || p.cfg.OIDC == nil {
		return p.leave(c, loginPage)
	}
	begun, err := p.cfg.OIDC.Link(c.Request().Context(), c.FormValue("provider"), id)
	if err != nil {
		return p.identities(c, id, err)
	}
	c.SetCookie(begun.Cookie)
	c.Response().Header().Set("Refresh", "0; url="+begun.URL)
	return p.render(c, http.StatusOK, "onward", view{Title: identitiesTitle, Lead: "You are being sent on.", Action: begun.URL, Button: "Continue", Form: form{Return: start}})
}

// UnlinkIdentity answers POST /account/identities/unlink.
func (p *Pages) UnlinkIdentity(c echo.Context) error {
	id, found := p.current(c)
	if !found || p.cfg.OIDC == nil {
		return p.leave(c, loginPage)
	}
	identity, err := uuid.Parse(c.FormValue("identity"))
	if err == nil {
		err = p.cfg.OIDC.Unlink(c.Request().Context(), id, identity)
	}
	if err != nil && !errors.Is(err, access.ErrHidden) && identity != uuid.Nil { // what is not there is not linked
		return p.identities(c, id, err)
	}
	return p.leave(c, identitiesPage)
}
