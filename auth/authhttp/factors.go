package authhttp

import (
	"context"
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
	return serve(c, h.inSession, h.factors, reply, http.StatusOK)
}

func (h *Handlers) factors(ctx context.Context, id auth.Identity) (l factorList, err error) {
	state, err := h.opts.Factors.State(ctx, id.User.ID)
	if err != nil {
		return l, err
	}
	passkeys, err := h.opts.Factors.Passkeys(ctx, id.User.ID)
	if err != nil {
		return l, err
	}
	required, err := h.auth.FactorRequired(ctx, id.User)
	return factorList{
		TOTP: state.TOTP, Passkeys: passkeys, RecoveryCodes: state.RecoveryCodes, Required: required,
		PasskeysAvailable: h.opts.Factors.PasskeysAvailable() == nil,
	}, err
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
	return serve(c, h.inSession, h.opts.Factors.Enrol, onlyCopy, http.StatusCreated)
}

// ConfirmTOTP answers POST /api/auth/factors/totp/confirm: 200 and the recovery codes, if they are new.
func (h *Handlers) ConfirmTOTP(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	return serve(c, h.inSession, func(ctx context.Context, id auth.Identity) (recoveryCodes, error) {
		code, _ := sent.String("code", true)
		if err := sent.Err(); err != nil {
			return recoveryCodes{}, err
		}
		codes, err := h.opts.Factors.Confirm(ctx, id, code)
		return recoveryCodes{codes}, err
	}, onlyCopy, http.StatusOK)
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
	return done(c, h.opts.Factors.RemoveTOTP(c.Request().Context(), id))
}

// NewRecoveryCodes answers POST /api/auth/factors/recovery-codes: 200 and new codes in the place of all old ones.
func (h *Handlers) NewRecoveryCodes(c echo.Context) error {
	return serve(c, h.inSession, func(ctx context.Context, id auth.Identity) (recoveryCodes, error) {
		codes, err := h.opts.Factors.NewRecoveryCodes(ctx, id)
		return recoveryCodes{codes}, err
	}, onlyCopy, http.StatusOK)
}

// ListPasskeys answers GET /api/auth/factors/passkeys.
func (h *Handlers) ListPasskeys(c echo.Context) error {
	return serve(c, h.inSession, func(ctx context.Context, id auth.Identity) ([]factor.Passkey, error) {
		return h.opts.Factors.Passkeys(ctx, id.User.ID)
	}, reply, http.StatusOK)
}

// BeginPasskey answers POST /api/auth/factors/passkeys/begin with what the browser is to be asked.
func (h *Handlers) BeginPasskey(c echo.Context) error {
	return serve(c, h.inSession, h.opts.Factors.AskNewPasskey, onlyCopy, http.StatusOK)
}

// FinishPasskey answers POST /api/auth/factors/passkeys/finish: 201 and the passkey, with the recovery codes if they are new.
func (h *Handlers) FinishPasskey(c echo.Context) error {
	sent, answer, err := passkeyBody(c)
	if err != nil {
		return err
	}
	return serve(c, h.inSession, func(ctx context.Context, id auth.Identity) (newPasskey, error) {
		name, _ := sent.String("name", false)
		if err := needAnswer(sent, answer); err != nil {
			return newPasskey{}, err
		}
		made, codes, err := h.opts.Factors.AddPasskey(ctx, id, name, answer)
		return newPasskey{made, recoveryCodes{codes}}, err
	}, onlyCopy, http.StatusCreated)
}

type newPasskey struct {
	factor.Passkey
	recoveryCodes
}

// RenamePasskey answers PATCH /api/auth/factors/passkeys/{passkey_id}.
func (h *Handlers) RenamePasskey(c echo.Context) error {
	sent, err := body.JSON(c.Request(), maxBody)
	if err != nil {
		return err
	}
	return serve(c, h.ownPasskey, func(ctx context.Context, own ownPasskey) (p factor.Passkey, err error) {
		name, _ := sent.String("name", true)
		if err := sent.Err(); err != nil {
			return p, err
		}
		return h.opts.Factors.RenamePasskey(ctx, own.owner, own.id, name)
	}, reply, http.StatusOK)
}

// RemovePasskey answers DELETE /api/auth/factors/passkeys/{passkey_id}.
func (h *Handlers) RemovePasskey(c echo.Context) error {
	own, err := h.ownPasskey(c)
	if err != nil {
		return err
	}
	return done(c, h.opts.Factors.RemovePasskey(c.Request().Context(), own.owner, own.id))
}

// ownPasskey is a passkey of the path, and who asks for it as theirs.
type ownPasskey struct {
	owner auth.Identity
	id    uuid.UUID
}

// ownPasskey is inSession, and which passkey is meant. What is no id is the id of no passkey.
func (h *Handlers) ownPasskey(c echo.Context) (own ownPasskey, err error) {
	if own.owner, err = h.inSession(c); err != nil {
		return own, err
	}
	if own.id, err = uuid.Parse(c.Param("passkey_id")); err != nil {
		return own, access.ErrHidden
	}
	return own, nil
}
