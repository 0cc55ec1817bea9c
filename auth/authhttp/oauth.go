package authhttp

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// OAuth is what the routes of other issuers need.
type OAuth struct {
	Service *oidc.Service
	// Return makes a path that is safe to lead people to out of the one they brought, and says where those go who brought none.
	Return func(path string) string
	// Page answers a browser that something went wrong, or that a second factor is wanted on the way to that path.
	Page func(c echo.Context, to string, err error) error
}

// identitiesPage is where one is led who linked an identity.
const identitiesPage = "/account/identities"

// Authorize answers GET /api/auth/{provider}/authorize, and /login: 200 and the URL to which a browser is to be sent, together with
// the cookie that it must bring back.
func (h *Handlers) Authorize(provider string) echo.HandlerFunc {
	return func(c echo.Context) error {
		begun, err := h.opts.OAuth.Service.Authorize(c.Request().Context(), provider, h.opts.OAuth.Return(c.QueryParam("return")))
		if err != nil {
			return err
		}
		c.SetCookie(begun.Cookie)
		c.Response().Header().Set("Cache-Control", "no-store")
		return reply(c, http.StatusOK, map[string]string{"authorization_url": begun.URL})
	}
}

// Callback answers GET /api/auth/{provider}/callback, where issuers send browsers back: a session and the way on, or the contract's
// codes; as a page where somebody looks at it.
func (h *Handlers) Callback(provider string) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Cache-Control", "no-store")
		header.Set("Referrer-Policy", "no-referrer") // the code is in the address
		out, err := h.opts.OAuth.Service.Finish(c.Request().Context(), provider, h.answerOf(c))
		c.SetCookie(h.opts.OAuth.Service.Forget())
		if err != nil {
			return h.oauthFault(c, h.opts.OAuth.Return(out.Return), err)
		}
		if out.Linked {
			return c.Redirect(http.StatusSeeOther, identitiesPage)
		}
		h.replace(c)
		c.SetCookie(auth.NewCookie(h.opts.CookieName, h.opts.Secure, out.Cookie, out.Expires))
		return c.Redirect(http.StatusSeeOther, h.opts.OAuth.Return(out.Return))
	}
}

// answerOf reads what came back. Who is signed in counts only where an identity is to be linked.
func (h *Handlers) answerOf(c echo.Context) oidc.Answer {
	a := oidc.Answer{
		Code: c.QueryParam("code"), State: c.QueryParam("state"), Error: c.QueryParam("error"), Issuer: c.QueryParam("iss"),
		Cookie: h.opts.OAuth.Service.CookieOf(c.Request()), From: h.client(c),
	}
	if id, found := h.browserOf(c); found {
		a.Identity = &id
	}
	return a
}

// browserOf is whose browser session the request carries, if it is good.
func (h *Handlers) browserOf(c echo.Context) (auth.Identity, bool) {
	credential := auth.CookieFrom(c.Request(), h.opts.CookieName)
	if credential.Form != access.FormCookie {
		return auth.Identity{}, false
	}
	id, err := h.auth.Authenticate(c.Request().Context(), credential)
	return id, err == nil
}

// replace ends the session that the browser came with: nothing that was planted there before is worth anything afterwards. A failure
// must not keep anybody from signing in.
func (h *Handlers) replace(c echo.Context) {
	if id, found := h.browserOf(c); found {
		_ = h.auth.End(c.Request().Context(), id.Session)
	}
}

// declined is what an issuer says of who turned back there.
const declined = "access_denied"

var errIssuerSaid = problem.New(http.StatusBadRequest, "Something went wrong there, so nobody was signed in. Start again.")

// oauthFault shows people what went wrong, or what is still missing. Programs get the code.
func (h *Handlers) oauthFault(c echo.Context, to string, err error) error {
	if !looks(c.Request()) || h.opts.OAuth.Page == nil {
		return err
	}
	if said := c.QueryParam("error"); said != "" && said != declined { // anybody can make a link with a text in it, and it is not ours
		err = errIssuerSaid.Because(err)
	}
	return h.opts.OAuth.Page(c, to, err)
}

// looks says whether somebody looks at the answer.
func looks(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" || strings.Contains(r.Header.Get("Accept"), "text/html")
}
