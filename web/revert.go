package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

const revertTitle = "Take back the change of your address"

// RevertPage shows a button to whoever holds a good link that was mailed to an old address. Looking at it, as mail scanners do,
// changes nothing.
func (p *Pages) RevertPage(c echo.Context) error {
	token := c.Param("token")
	v := view{
		Title: revertTitle,
		Lead: "Press the button if it was not you who changed the address of your account. The account gets its old address back, " +
			"everybody is signed out, and we mail you a link to choose a new password.",
		Action: "/account/revert/" + url.PathEscape(token), Button: "Take the change back", Form: form{Return: start},
	}
	return p.byLink(c, "confirm", v, p.cfg.Auth.CheckRevert)
}

// Revert uses the link up.
func (p *Pages) Revert(c echo.Context) error {
	user, err := p.cfg.Auth.RevertEmail(c.Request().Context(), c.Param("token"))
	if err != nil {
		return p.again(c, "message", view{Title: revertTitle, Form: form{Return: start}}, err)
	}
	return p.render(c, http.StatusOK, "done", view{
		Title: "Your account has its old address back",
		Lead:  "Everybody is signed out. We sent " + user.Email + " a link to choose a new password: use it before you sign in again.",
		Form:  form{Return: start},
	})
}
