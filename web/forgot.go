package web

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

// asking is a page that has a link mailed to whoever's address is typed. It says the same for every address.
type asking struct {
	view
	done string
	ask  func(ctx context.Context, email string, from auth.Client) error
}

func (p *Pages) forgotten() asking {
	return asking{
		view: view{
			Title: "Choose a new password", Lead: "We send you a mail with a link to choose a new one.",
			Action: "/account/forgot", Button: "Send the mail", Form: form{Return: start},
		},
		done: "If there is an account with this address, a mail with a link is on its way. It is good for one hour.",
		ask:  p.cfg.Auth.ForgotPassword,
	}
}

func (p *Pages) unverified() asking {
	return asking{
		view: view{
			Title: "Verify your address", Lead: "We send you another mail with a link that verifies your address.",
			Action: "/account/verify", Button: "Send the mail", Form: form{Return: start},
		},
		done: "If there is an account with this address that is not verified yet, a mail with a link is on its way. It is good for one hour.",
		ask:  p.cfg.Auth.RequestVerify,
	}
}

// ForgotPage answers GET /account/forgot.
func (p *Pages) ForgotPage(c echo.Context) error {
	return p.render(c, http.StatusOK, "ask", p.forgotten().view)
}

// Forgot answers POST /account/forgot.
func (p *Pages) Forgot(c echo.Context) error { return p.send(c, p.forgotten()) }

// UnverifiedPage answers GET /account/verify.
func (p *Pages) UnverifiedPage(c echo.Context) error {
	return p.render(c, http.StatusOK, "ask", p.unverified().view)
}

// Unverified answers POST /account/verify.
func (p *Pages) Unverified(c echo.Context) error { return p.send(c, p.unverified()) }

func (p *Pages) send(c echo.Context, a asking) error {
	in, _, err := formOf(c)
	a.Form = in
	if err == nil {
		err = a.ask(c.Request().Context(), in.Email, p.client(c))
	}
	if err != nil {
		return p.again(c, "ask", a.view, err)
	}
	return p.render(c, http.StatusOK, "done", view{Title: a.Title, Lead: a.done, Form: form{Return: start}})
}
