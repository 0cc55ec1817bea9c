package web

import (
	"html/template"
	"net/http"
	"net/url"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const (
	securityPage  = "/account/security"
	securityTitle = "Second factors"
	codesTitle    = "Your recovery codes"
)

// factorView is what the pages about second factors show.
type factorView struct {
	State     factor.State
	Passkeys  []factor.Passkey
	NoPasskey string // why there are none here; empty: there may be
	Required  bool   // one is demanded

	Enrolment factor.Enrolment
	QR        template.HTML
	Codes     []string // the only copy of new recovery codes

	Ways   map[string]bool // in which one can prove who one is
	Asking string          // where the script asks for what a passkey is to sign
	Return string          // where one goes from there
}

// SecurityPage answers GET /account/security. It is open to those who have yet to show the second factor that is demanded of them.
func (p *Pages) SecurityPage(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	return p.security(c, id, nil)
}

// factorOwner is whose session it is. It answers for those who are not signed in, and for those who have a second factor and must
// show it first.
func (p *Pages) factorOwner(c echo.Context) (auth.Identity, error) {
	id, found := p.known(c)
	switch {
	case !found:
		return id, p.leave(c, loginPage)
	case p.cfg.Factors == nil:
		return id, echo.ErrNotFound
	case id.HasFactor && !id.ShowedFactor():
		return id, p.leave(c, stepUpFor(p.comingFrom(c)))
	}
	return id, nil
}

// comingFrom is where somebody was on their way to, who was sent here because the second factor was missing.
func (p *Pages) comingFrom(c echo.Context) string {
	if to := SafeReturn(c.QueryParam("return")); to != start {
		return to
	}
	return securityPage
}

// security shows the page, with what went wrong. What only wants a fresh proof leads to the page for that.
func (p *Pages) security(c echo.Context, id auth.Identity, fault error) error {
	if stale(fault) {
		return p.leave(c, stepUpFor(securityPage))
	}
	v := view{Title: securityTitle, SignedIn: id.User.Email, Form: form{Return: SafeReturn(c.QueryParam("return"))}}
	var err error
	if v.Factor, err = p.factorsOf(c, id); err != nil {
		return p.again(c, "message", v, err)
	}
	if fault != nil {
		return p.again(c, "security", v, fault)
	}
	return p.render(c, http.StatusOK, "security", v)
}

func (p *Pages) factorsOf(c echo.Context, id auth.Identity) (v factorView, err error) {
	ctx := c.Request().Context()
	if v.State, err = p.cfg.Factors.State(ctx, id.User.ID); err != nil {
		return v, err
	}
	if v.Passkeys, err = p.cfg.Factors.Passkeys(ctx, id.User.ID); err != nil {
		return v, err
	}
	if why := p.cfg.Factors.PasskeysAvailable(); why != nil {
		v.NoPasskey, _ = problem.Of(why).Detail.(string)
	}
	v.Required, err = p.cfg.Auth.FactorRequired(ctx, id.User)
	return v, err
}

// stale says whether all that is missing is a fresh proof.
func stale(err error) bool { return err != nil && problem.Of(err).Detail == auth.ErrStepUp.Detail }

func stepUpFor(page string) string { return stepUpPage + "?return=" + url.QueryEscape(page) }

// Enrol answers POST /account/security/totp: a new authenticator app, to be confirmed.
func (p *Pages) Enrol(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	enrolment, err := p.cfg.Factors.Enrol(c.Request().Context(), id)
	if err != nil {
		return p.security(c, id, err)
	}
	v := view{Title: "Set up an authenticator app", Form: form{Return: start}}
	v.Factor.Enrolment, v.Factor.QR = enrolment, template.HTML(enrolment.QR) // drawn by us, of squares alone
	return p.render(c, http.StatusOK, "totp", v)
}

// ConfirmEnrolment answers POST /account/security/totp/confirm. A wrong code may be followed by another.
func (p *Pages) ConfirmEnrolment(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	codes, err := p.cfg.Factors.Confirm(c.Request().Context(), id, c.FormValue("code"))
	if err != nil && problem.Of(err).Detail == auth.ErrBadFactor.Detail {
		return p.again(c, "totp", view{Title: "Set up an authenticator app", Form: form{Return: start}}, err)
	}
	return p.enrolled(c, id, codes, err)
}

// enrolled shows new recovery codes, once; without any it leads back to the list.
func (p *Pages) enrolled(c echo.Context, id auth.Identity, codes []string, err error) error {
	switch {
	case err != nil:
		return p.security(c, id, err)
	case len(codes) == 0:
		return p.leave(c, securityPage)
	}
	return p.render(c, http.StatusOK, "codes", view{Title: codesTitle, Form: form{Return: start}, Factor: factorView{Codes: codes}})
}

// RemoveEnrolment answers POST /account/security/totp/remove.
func (p *Pages) RemoveEnrolment(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	return p.enrolled(c, id, nil, p.cfg.Factors.RemoveTOTP(c.Request().Context(), id))
}

// RenewCodes answers POST /account/security/recovery-codes.
func (p *Pages) RenewCodes(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	codes, err := p.cfg.Factors.NewRecoveryCodes(c.Request().Context(), id)
	return p.enrolled(c, id, codes, err)
}

// AddPasskey answers POST /account/security/passkeys, which the script sends with the browser's answer.
func (p *Pages) AddPasskey(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	_, codes, err := p.cfg.Factors.AddPasskey(c.Request().Context(), id, c.FormValue("name"), passkeyAnswer(c))
	return p.enrolled(c, id, codes, err)
}

// ChangePasskey answers POST /account/security/passkeys/change: another name, or none of it any more.
func (p *Pages) ChangePasskey(c echo.Context) error {
	id, err := p.factorOwner(c)
	if err != nil || c.Response().Committed {
		return err
	}
	passkey, err := uuid.Parse(c.FormValue("passkey"))
	switch ctx := c.Request().Context(); {
	case err != nil:
		err = problem.NotFound
	case c.FormValue("do") == "remove":
		err = p.cfg.Factors.RemovePasskey(ctx, id, passkey)
	default:
		_, err = p.cfg.Factors.RenamePasskey(ctx, id, passkey, c.FormValue("name"))
	}
	return p.enrolled(c, id, nil, err)
}

func passkeyAnswer(c echo.Context) auth.PasskeyAnswer {
	return auth.PasskeyAnswer{Ceremony: c.FormValue("ceremony"), Credential: []byte(c.FormValue("credential"))}
}

// shown is the second factor that a form holds.
func shown(c echo.Context) auth.Shown {
	return auth.Shown{Code: c.FormValue("code"), Recovery: c.FormValue("recovery_code"), Passkey: passkeyAnswer(c)}
}
