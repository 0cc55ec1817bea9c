package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
)

const (
	factorPage  = "/account/factor"
	passkeyPage = "/account/passkey"
	stepUpPage  = "/account/step-up"
)

// second leads to the page that wants the second factor. The challenge goes into a cookie that no script reads: what is in an address
// is kept, passed on and sent along.
func (p *Pages) second(c echo.Context, challenge, to string) error {
	c.SetCookie(auth.NewStepCookie(auth.FactorCookie, p.cfg.Secure, challenge))
	if to != start {
		return p.leave(c, factorPage+"?return="+url.QueryEscape(to))
	}
	return p.leave(c, factorPage)
}

// FactorPage answers GET /account/factor, where a sign-in waits for its second factor.
func (p *Pages) FactorPage(c echo.Context) error {
	return p.factor(c, SafeReturn(c.QueryParam("return")), nil)
}

func (p *Pages) factor(c echo.Context, to string, fault error) error {
	v := view{Title: "Confirm that it is you", Action: factorPage, Form: form{Return: to}}
	_, methods, err := p.cfg.Auth.Challenged(c.Request().Context(), p.challenge(c))
	if err != nil {
		return p.again(c, "message", v, err)
	}
	v.Factor = factorView{Ways: ways(methods), Asking: factorPage + "/passkey", Return: to}
	if fault != nil {
		return p.again(c, "factor", v, fault)
	}
	return p.render(c, http.StatusOK, "factor", v)
}

func (p *Pages) challenge(c echo.Context) string {
	return auth.StepFrom(c.Request(), auth.FactorCookie, p.cfg.Secure)
}

func ways(methods []string) map[string]bool {
	set := map[string]bool{}
	for _, method := range methods {
		set[method] = true
	}
	return set
}

// Factor answers POST /account/factor: the browser's new session.
func (p *Pages) Factor(c echo.Context) error {
	to := SafeReturn(c.FormValue("return"))
	cookie, expires, err := p.cfg.Auth.AnswerBrowser(c.Request().Context(), p.challenge(c), shown(c), p.client(c))
	if err != nil {
		return p.factor(c, to, err)
	}
	c.SetCookie(auth.ExpiredStepCookie(auth.FactorCookie, p.cfg.Secure))
	return p.welcome(c, cookie, expires, to)
}

// AskFactor answers POST /account/factor/passkey, for the script, with what a passkey is to sign.
func (p *Pages) AskFactor(c echo.Context) error {
	if p.cfg.Factors == nil {
		return echo.ErrNotFound
	}
	asked, err := p.cfg.Factors.AskFactor(c.Request().Context(), p.challenge(c), p.client(c))
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, asked)
}

// PasskeyPage answers GET /account/passkey, where one signs in by a passkey alone.
func (p *Pages) PasskeyPage(c echo.Context) error {
	if p.cfg.Factors == nil {
		return echo.ErrNotFound
	}
	return p.passkey(c, SafeReturn(c.QueryParam("return")), p.cfg.Factors.PasskeysAvailable())
}

func (p *Pages) passkey(c echo.Context, to string, fault error) error {
	v := view{Title: "Sign in with a passkey", Form: form{Return: to}, Factor: factorView{Asking: "/api/auth/passkey/begin"}}
	if fault != nil {
		return p.again(c, "passkey", v, fault)
	}
	return p.render(c, http.StatusOK, "passkey", v)
}

// Passkey answers POST /account/passkey, which the script sends with the browser's answer.
func (p *Pages) Passkey(c echo.Context) error {
	if p.cfg.Factors == nil {
		return echo.ErrNotFound
	}
	to, ctx, answer := SafeReturn(c.FormValue("return")), c.Request().Context(), passkeyAnswer(c)
	answer.Binding = auth.StepFrom(c.Request(), auth.PasskeyCookie, p.cfg.Secure)
	in, err := p.cfg.Factors.SignIn(ctx, answer, p.client(c))
	if err != nil {
		return p.passkey(c, to, err)
	}
	cookie, expires, err := p.cfg.Auth.GrantBrowser(ctx, in)
	if err != nil {
		return p.passkey(c, to, err)
	}
	c.SetCookie(auth.ExpiredStepCookie(auth.PasskeyCookie, p.cfg.Secure))
	return p.welcome(c, cookie, expires, to)
}

// StepUpPage answers GET /account/step-up, where somebody who is signed in proves anew who they are.
func (p *Pages) StepUpPage(c echo.Context) error {
	id, found := p.known(c)
	if !found {
		return p.leave(c, loginPage)
	}
	return p.stepUp(c, id, stepUpReturn(c.QueryParam("return")), nil)
}

func (p *Pages) stepUp(c echo.Context, id auth.Identity, to string, fault error) error {
	v := view{Title: "Confirm that it is you", Action: stepUpPage, SignedIn: id.User.Email, Form: form{Return: start}}
	methods, err := p.cfg.Auth.StepUpMethods(c.Request().Context(), id)
	if err != nil {
		return p.again(c, "message", v, err)
	}
	v.Factor = factorView{Ways: ways(methods), Asking: "/api/auth/step-up/passkey", Return: to}
	if fault != nil {
		return p.again(c, "step-up", v, fault)
	}
	return p.render(c, http.StatusOK, "step-up", v)
}

// StepUp answers POST /account/step-up and leads back to where the fresh proof was wanted.
func (p *Pages) StepUp(c echo.Context) error {
	id, found := p.known(c)
	if !found {
		return p.leave(c, loginPage)
	}
	to, ctx := stepUpReturn(c.FormValue("return")), c.Request().Context()
	var err error
	if password := c.FormValue("password"); password != "" {
		err = p.cfg.Auth.StepUpPassword(ctx, id, password, p.client(c))
	} else {
		err = p.cfg.Auth.StepUpFactor(ctx, id, shown(c), p.client(c))
	}
	if err != nil {
		return p.stepUp(c, id, to, err)
	}
	return p.leave(c, to)
}

// stepUpReturn is where one goes from there: to a page of the account that wanted it, or as from every other page.
func stepUpReturn(path string) string {
	name, ours := strings.CutPrefix(path, "/account/")
	if ours && name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") == "" {
		return path
	}
	if path = SafeReturn(path); path == start {
		return securityPage
	}
	return path
}

// challenged says whether what is missing is only the second factor, and leads there.
func (p *Pages) challenged(c echo.Context, err error, to string) (answered bool, failed error) {
	challenge, _, found := auth.ChallengeIn(err)
	if !found {
		return false, nil
	}
	return true, p.second(c, challenge, to)
}
