package factor_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

func isBad(err error) bool { return errors.Is(err, auth.ErrBadFactor) }

func TestWhoMustHaveAFactorCanOnlyGetOne(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com")
	token, err := b.users.Login(t.Context(), "ann@example.com", password, auth.Client{})
	fine(t, err)
	credential := access.Credential{Form: access.FormBearer, Token: token.AccessToken}
	_, err = b.users.Authenticate(t.Context(), credential)
	fine(t, err)
	b.must = true
	for _, c := range []access.Credential{credential, {Form: access.FormKey, Token: token.AccessToken}, {Form: access.FormCookie, Token: p.cookie},
		access.OfSession(p.id, p.me().Session)} {
		_, err := b.users.Authenticate(t.Context(), c)
		refused(t, err, 403, "SECOND_FACTOR_REQUIRED")
	}

	p.enrol()
	_, err = p.identify(p.cookie)
	fine(t, err)
	refused(t, p.factors.RemoveTOTP(t.Context(), p.me()), 409, "")
	b.must = false
	fine(t, p.factors.RemoveTOTP(t.Context(), p.me()))
	b.must = true
	_, err = p.identify(p.cookie) // it showed one, but there is none any more
	refused(t, err, 403, "SECOND_FACTOR_REQUIRED")
}

func TestASessionThatShowedNoFactorOfAUserWhoHasOneIsRefused(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	// As if some way of signing in had forgotten to ask.
	_, err := p.db.ExecContext(t.Context(), `UPDATE sessions SET factor_at = NULL WHERE user_id = $1`, p.id)
	fine(t, err)
	p.forget()
	_, err = p.identify(p.cookie)
	refused(t, err, 403, "SECOND_FACTOR_REQUIRED")
	fine(t, p.users.StepUpFactor(t.Context(), p.me(), auth.Shown{Code: p.code(0)}, auth.Client{}))
	_, err = p.identify(p.cookie)
	fine(t, err)
}

func TestAPolicyCostsNoQuery(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	p := b.register("ann@example.com").enrol()
	b.must = true
	for range 20 { // an invalidation that is still under way costs one
		_, err := p.identify(p.cookie)
		fine(t, err)
		if err = p.identifyWithoutTheDatabase(); err == nil {
			return
		}
	}
	t.Error("it asks the database every time")
}

// identifyWithoutTheDatabase has whoever asks the database wait for longer than they do.
func (p *person) identifyWithoutTheDatabase() error {
	return p.db.InTx(p.t.Context(), func(tx *postgres.Tx) error {
		if _, err := tx.ExecContext(p.t.Context(), `LOCK TABLE totp_factors, sessions, users IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(p.t.Context(), time.Second)
		defer cancel()
		_, err := p.users.Authenticate(ctx, access.Credential{Form: access.FormCookie, Token: p.cookie})
		return err
	})
}
