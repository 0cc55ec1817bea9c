package factor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
)

func TestOfManyWhoShowOneRecoveryCodeExactlyOneGetsThrough(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenges := make([]string, 200)
	for n := range challenges {
		challenges[n] = p.challenge()
	}
	if n := crowd(len(challenges), func(n int) error { _, err := p.answer(challenges[n], auth.Shown{Recovery: p.codes[0]}); return err }); n != 1 {
		t.Errorf("%d got through with one recovery code", n)
	}
	if n := one[int](t, p.db, `SELECT count(*) FROM sessions WHERE user_id = $1 AND ended_at IS NULL`, p.id); n != 2 {
		t.Errorf("%d sessions; want that of the enrolment and the new one", n)
	}
}

func TestARecoveryCodeIsReadAsPeopleTypeIt(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	for n, typed := range []string{
		p.codes[0], strings.ToLower(p.codes[1]), strings.ReplaceAll(p.codes[2], "-", ""), " " + strings.ReplaceAll(p.codes[3], "-", " ") + " ",
	} {
		if _, err := p.answer(p.challenge(), auth.Shown{Recovery: typed}); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
		_, err := p.answer(p.challenge(), auth.Shown{Recovery: p.codes[n]})
		refused(t, err, 400, bad)
	}
	for _, typed := range []string{p.codes[4][:18], p.codes[4] + "A", "-", "AAAA-AAAA-AAAA-AAAA"} {
		_, err := p.answer(p.challenge(), auth.Shown{Recovery: typed})
		refused(t, err, 400, bad)
	}
	if s, _ := p.factors.State(t.Context(), p.id); s.RecoveryCodes != 4 {
		t.Errorf("%d codes are left", s.RecoveryCodes)
	}
}

func TestRecoveryCodesOfOthersCountForNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.register("ann@example.com").enrol(), b.register("bob@example.com").enrol()
	_, err := ann.answer(ann.challenge(), auth.Shown{Recovery: bob.codes[0]})
	refused(t, err, 400, bad)
	_, err = bob.answer(bob.challenge(), auth.Shown{Recovery: bob.codes[0]})
	fine(t, err)
}

func TestNewRecoveryCodesReplaceTheOldOnes(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	old := p.codes
	codes, err := p.factors.NewRecoveryCodes(t.Context(), p.me())
	if err != nil || len(codes) != 8 {
		t.Fatalf("%v, %v", codes, err)
	}
	_, err = p.answer(p.challenge(), auth.Shown{Recovery: old[1]})
	refused(t, err, 400, bad)
	_, err = p.answer(p.challenge(), auth.Shown{Recovery: codes[1]})
	fine(t, err)
}

func TestRecoveryCodesNeedAFactorThatTheyStandInFor(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	_, err := p.factors.NewRecoveryCodes(t.Context(), p.me())
	refused(t, err, 409, "")
	p.enrol()
	fine(t, p.factors.RemoveTOTP(t.Context(), p.me()))
	if s, _ := p.factors.State(t.Context(), p.id); s != (factorNone) {
		t.Errorf("after the last factor went there is %+v", s)
	}
	p.browse() // nothing is asked any more
	_, err = p.db.ExecContext(t.Context(), `
		INSERT INTO recovery_codes (user_id, code_hash, created_at)
		VALUES ($1, sha256('AAAABBBBCCCCDDDD'), now())`, p.id) // as if one had been left
	fine(t, err)
	for _, code := range []string{p.codes[0], "AAAA-BBBB-CCCC-DDDD"} {
		refused(t, p.users.StepUpFactor(t.Context(), p.me(), auth.Shown{Recovery: code}, auth.Client{}), 400, bad)
	}
}

func TestChangesNeedAFreshProof(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	p.clock.Advance(9 * time.Minute)
	old := p.me()
	_, err := p.factors.Enrol(t.Context(), old)
	refused(t, err, 403, "STEP_UP_REQUIRED")
	_, err = p.factors.Confirm(t.Context(), old, p.code(0))
	refused(t, err, 403, "STEP_UP_REQUIRED")
	_, err = p.factors.NewRecoveryCodes(t.Context(), old)
	refused(t, err, 403, "STEP_UP_REQUIRED")
	refused(t, p.factors.RemoveTOTP(t.Context(), old), 403, "STEP_UP_REQUIRED")
	refused(t, p.factors.RemovePasskey(t.Context(), old, p.id), 403, "STEP_UP_REQUIRED")
	_, err = p.factors.AskNewPasskey(t.Context(), old)
	refused(t, err, 403, "STEP_UP_REQUIRED")
	_, _, err = p.factors.AddPasskey(t.Context(), old, "", auth.PasskeyAnswer{})
	refused(t, err, 403, "STEP_UP_REQUIRED")

	fine(t, p.users.StepUpFactor(t.Context(), old, auth.Shown{Code: p.code(0)}, auth.Client{}))
	fine(t, p.factors.RemoveTOTP(t.Context(), p.me()))
}
