package web

import (
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

const verifyTitle = "Verify your address"

// VerifyPage shows a button to whoever holds a good mailed link. Looking at it, as mail scanners do, proves nothing.
func (p *Pages) VerifyPage(c echo.Context) error {
	token := c.Param("token")
	v := view{
		Title: verifyTitle, Lead: "Press the button to say that this address is yours.",
		Action: "/account/verify/" + url.PathEscape(token), Button: "Verify my address", Form: form{Return: start},
	}
	return p.byLink(c, "confirm", v, p.cfg.Auth.CheckVerify)
}

// Verify takes the link as the proof.
func (p *Pages) Verify(c echo.Context) error {
	user, err := p.cfg.Auth.Verify(c.Request().Context(), c.Param("token"), p.client(c))
	if err != nil {
		return p.again(c, "message", view{Title: verifyTitle, Form: form{Return: start}}, err)
	}
	return p.render(c, http.StatusOK, "done", view{
		Title: "Your address is verified", Lead: "Everything is ready for " + user.Email + ".", Form: form{Return: start},
	})
}
