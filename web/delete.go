package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

const (
	deletePage  = "/account/delete"
	deleteTitle = "Delete your account"
)

// DeletePage answers GET /account/delete: what goes with the account, and the form that asks for a proof.
func (p *Pages) DeletePage(c echo.Context) error {
	id, found := p.current(c)
	if !found {
		return p.leave(c, loginPage)
	}
	return p.render(c, http.StatusOK, "delete", p.deleting(id))
}

func (p *Pages) deleting(id auth.Identity) view {
	return view{Title: deleteTitle, SignedIn: id.User.Email, Form: form{Return: start}, Fresh: p.cfg.Auth.RequireFresh(id) == nil, NoPassword: id.HasFactor}
}

// Delete answers POST /account/delete: the account is gone, and the browser forgets it.
func (p *Pages) Delete(c echo.Context) error {
	id, found := p.current(c)
	if !found {
		return p.leave(c, loginPage)
	}
	r := c.Request()
	if err := p.cfg.Auth.DeleteOwn(r.Context(), id, r.PostFormValue("password"), p.client(c)); err != nil {
		v := p.deleting(id)
		p.askProof(&v, err, deletePage)
		return p.again(c, "delete", v, err)
	}
	return p.forget(c)
}

// Export answers GET /account/export with what is held about whoever is signed in, as a file.
func (p *Pages) Export(c echo.Context) error {
	if _, found := p.current(c); !found || p.cfg.Export == nil {
		return p.leave(c, loginPage)
	}
	return p.cfg.Export(c)
}
