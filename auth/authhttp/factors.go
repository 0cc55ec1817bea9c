package authhttp

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/body"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// known is identity for the few routes that somebody must reach who has not shown the second factor yet.
func (h *Handlers) known(c echo.Context) (auth.Identity, error) {
	credential, err := auth.CredentialFrom(c.Request(), h.opts.CookieName)
	if err != nil {
		return auth.Identity{}, err
	}
	return h.auth.Identify(c.Request().Context(), credential)
}

var errKeyFactor = problem.New(http.StatusForbidden, "Second factors belong to people, not to API keys. Sign in, and do this in the session.")

// inSession is known for what concerns how somebody signs in, which is no business of a key.
func (h *Handlers) inSession(c echo.Context) (auth.Identity, error) {
	id, err := h.known(c)
	if err == nil && id.Key {
		err = errKeyFactor
	}
	return id, err
}

// ListFactors answers GET /api/auth/factors.
func (h *Handlers) ListFactors(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	state, err := h.opts.Factors.State(ctx, id.User.ID)
	if err != nil {
		return err
	}
	passkeys, err := h.opts.Factors.Passkeys(ctx, id.User.ID)
	if err != nil {
		return err
	}
	required, err := h.auth.FactorRequired(ctx, id.User)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, factorList{
		TOTP: state.TOTP, Passkeys: passkeys, RecoveryCodes: state.RecoveryCodes, Required: required,
		PasskeysAvailable: h.opts.Factors.PasskeysAvailable() == nil,
	})
}

type factorList struct {
	TOTP              bool             `json:"totp"`
	Passkeys          []factor.Passkey `json:"passkeys"`
	RecoveryCodes     int              `json:"recovery_codes"` // that are left
	Required          bool             `json:"required"`
	PasskeysAvailable bool             `json:"passkeys_available"`
}

// EnrolTOTP answers POST /api/auth/factors/totp: 201 and a secret that waits for its first code.
func (h *Handlers) EnrolTOTP(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	enrolment, err := h.opts.Factors.Enrol(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusCreated, enrolment)
}

// ConfirmTOTP answers POST /api/auth/factors/totp/confirm: 200 and the recovery codes, if they are new.
func (h *Handlers) ConfirmTOTP(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	code, _ := sent.String("code", true)
	if err := sent.Err(); err != nil {
		return err
	}
	codes, err := h.opts.Factors.Confirm(c.Request().Context(), id, code)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, recoveryCodes{codes})
}

// recoveryCodes are null when those that there were before stay good.
type recoveryCodes struct {
	Codes []string `json:"recovery_codes"`
}

// RemoveTOTP answers DELETE /api/auth/factors/totp.
func (h *Handlers) RemoveTOTP(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	if err := h.opts.Factors.RemoveTOTP(c.Request().Context(), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// NewRecoveryCodes answers POST /api/auth/factors/recovery-codes: 200 and new codes in the place of all old ones.
func (h *Handlers) NewRecoveryCodes(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	codes, err := h.opts.Factors.NewRecoveryCodes(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, recoveryCodes{codes})
}

// ListPasskeys answers GET /api/auth/factors/passkeys.
func (h *Handlers) ListPasskeys(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	list, err := h.opts.Factors.Passkeys(c.Request().Context(), id.User.ID)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, list)
}

// BeginPasskey answers POST /api/auth/factors/passkeys/begin with what the browser is to be asked.
func (h *Handlers) BeginPasskey(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	asked, err := h.opts.Factors.AskNewPasskey(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusOK, asked)
}

// FinishPasskey answers POST /api/auth/factors/passkeys/finish: 201 and the passkey, with the recovery codes if they are new.
func (h *Handlers) FinishPasskey(c echo.Context) error {
	sent, answer, err := passkeyBody(c)
	if err != nil {
		return err
	}
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	name, _ := sent.String("name", false)
	if err := needAnswer(sent, answer); err != nil {
		return err
	}
	made, codes, err := h.opts.Factors.AddPasskey(c.Request().Context(), id, name, answer)
	if err != nil {
		return err
	}
	return onlyCopy(c, http.StatusCreated, struct {
		factor.Passkey
		recoveryCodes
	}{made, recoveryCodes{codes}})
}

// RenamePasskey answers PATCH /api/auth/factors/passkeys/{passkey_id}.
func (h *Handlers) RenamePasskey(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	passkey, err := uuid.Parse(c.Param("passkey_id"))
	if err != nil {
		return access.ErrHidden
	}
	name, _ := sent.String("name", true)
	if err := sent.Err(); err != nil {
		return err
	}
	renamed, err := h.opts.Factors.RenamePasskey(c.Request().Context(), id, passkey, name)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, renamed)
}

// RemovePasskey answers DELETE /api/auth/factors/passkeys/{passkey_id}.
func (h *Handlers) RemovePasskey(c echo.Context) error {
	id, err := h.inSession(c)
	if err != nil {
		return err
	}
	passkey, err := uuid.Parse(c.Param("passkey_id"))
	if err != nil {
		return access.ErrHidden
	}
	if err := h.opts.Factors.RemovePasskey(c.Request().Context(), id, passkey); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// onlyCopy is reply for what nobody may keep.
func onlyCopy(c echo.Context, status int, v any) error {
	c.Response().Header().Set("Cache-Control", "no-store")
	return reply(c, status, v)
}
