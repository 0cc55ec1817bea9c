package factor_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/factor"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

var factorNone = factor.State{}

func TestAChallengeIsGoodOnce(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	_, err := p.answer(challenge, auth.Shown{Recovery: p.codes[0]})
	fine(t, err)
	_, err = p.answer(challenge, auth.Shown{Recovery: p.codes[1]})
	refused(t, err, 400, badChallenge)
	_, err = p.answer(p.challenge(), auth.Shown{Recovery: p.codes[1]}) // it was not used up by that
	fine(t, err)
}

func TestOfManyGoodAnswersToOneChallengeExactlyOneOpensASession(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	if n := crowd(5, func(n int) error { _, err := p.answer(challenge, auth.Shown{Recovery: p.codes[n]}); return err }); n != 1 {
		t.Errorf("%d sessions came of one challenge", n)
	}
	if s, _ := p.factors.State(t.Context(), p.id); s.RecoveryCodes != 7 {
		t.Errorf("%d codes are left", s.RecoveryCodes)
	}
}

func TestAChallengeAllowsFiveTries(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	for range 5 {
		_, err := p.answer(challenge, auth.Shown{Code: "000000"})
		refused(t, err, 400, bad)
	}
	_, err := p.answer(challenge, auth.Shown{Code: p.code(0)})
	refused(t, err, 400, badChallenge)
	_, err = p.answer(p.challenge(), auth.Shown{Code: p.code(0)})
	fine(t, err)
}

func TestAThousandTriesAtTheSameTimeAreNoMoreThanFive(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	judged := crowd(60, func(int) error {
		_, err := p.answer(challenge, auth.Shown{Code: "000000"})
		if err != nil && isBad(err) {
			return nil // it was judged
		}
		return err
	})
	if judged != 5 {
		t.Errorf("%d codes were judged", judged)
	}
}

func TestAChallengeRunsOut(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	p.clock.Advance(5 * time.Minute)
	_, err := p.answer(challenge, auth.Shown{Code: p.code(0)})
	refused(t, err, 400, badChallenge)
}

func TestAChallengeIsForItsKindOfSessionOnly(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	_, err := p.users.AnswerToken(t.Context(), p.challenge(), auth.Shown{Code: p.code(0)}, auth.Client{})
	refused(t, err, 400, badChallenge)
	_, err = p.users.Login(t.Context(), p.email, password, auth.Client{})
	_, err = p.answer(p.challengeIn(err), auth.Shown{Code: p.code(0)})
	refused(t, err, 400, badChallenge)
}

func TestAChallengeOfAnotherUserTakesTheirFactorsOnly(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.register("ann@example.com").enrol(), b.register("bob@example.com").enrol()
	_, err := ann.answer(bob.challenge(), auth.Shown{Code: ann.code(0)})
	refused(t, err, 400, bad)
	cookie, err := ann.answer(ann.challenge(), auth.Shown{Code: ann.code(0)})
	fine(t, err)
	if id, _ := b.identify(cookie); id.User.ID != ann.id {
		t.Errorf("the session is %v's", id.User.Email)
	}
}

func TestOtherOneTimeTokensAreNoChallenges(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	_, err := p.db.ExecContext(t.Context(), `UPDATE one_time_tokens SET purpose = 'reset' WHERE purpose = 'challenge'`)
	fine(t, err)
	for _, token := range []string{challenge, "", "x", challenge + "x"} {
		_, err := p.answer(token, auth.Shown{Code: p.code(0)})
		refused(t, err, 400, badChallenge)
	}
}

func TestAChallengeEndsWhenAllSessionsAreEnded(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	fine(t, p.db.InTx(t.Context(), func(tx *postgres.Tx) error { return p.users.EndAll(t.Context(), tx, p.id) }))
	_, err := p.answer(challenge, auth.Shown{Code: p.code(0)})
	refused(t, err, 400, badChallenge)
}

func TestAnInactiveUsersChallengeOpensNothing(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	challenge := p.challenge()
	_, err := p.db.ExecContext(t.Context(), `UPDATE users SET is_active = false WHERE id = $1`, p.id)
	fine(t, err)
	_, err = p.answer(challenge, auth.Shown{Code: p.code(0)})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
}

func TestSteppingUp(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.register("ann@example.com"), b.register("bob@example.com").enrol()
	b.clock.Advance(11 * time.Minute)

	refused(t, b.users.RequireFresh(ann.me()), 403, "STEP_UP_REQUIRED")
	refused(t, b.users.StepUpPassword(t.Context(), ann.me(), "wrong horse", auth.Client{}), 400, "LOGIN_BAD_CREDENTIALS")
	refused(t, b.users.StepUpFactor(t.Context(), ann.me(), auth.Shown{Code: bob.code(0)}, auth.Client{}), 400, bad)
	refused(t, b.users.RequireFresh(ann.me()), 403, "STEP_UP_REQUIRED")
	fine(t, b.users.StepUpPassword(t.Context(), ann.me(), password, auth.Client{}))
	fine(t, b.users.RequireFresh(ann.me()))

	refused(t, b.users.StepUpPassword(t.Context(), bob.me(), password, auth.Client{}), 400, "STEP_UP_NEEDS_SECOND_FACTOR")
	refused(t, b.users.RequireFresh(bob.me()), 403, "STEP_UP_REQUIRED")
	fine(t, b.users.StepUpFactor(t.Context(), bob.me(), auth.Shown{Code: bob.code(0)}, auth.Client{}))
	fine(t, b.users.RequireFresh(bob.me()))
	b.clock.Advance(10*time.Minute + time.Second)
	refused(t, b.users.RequireFresh(bob.me()), 403, "STEP_UP_REQUIRED")
}

func TestAFreshPasswordIsNotEnoughForThoseWithASecondFactor(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	p.clock.Advance(11 * time.Minute)
	_, err := p.db.ExecContext(t.Context(), `UPDATE sessions SET proved_at = $1 WHERE user_id = $2`, p.clock.Now(), p.id)
	fine(t, err)
	p.forget()
	refused(t, p.users.RequireFresh(p.me()), 403, "STEP_UP_REQUIRED")
}

func TestAKeyProvesNothing(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	id := p.me()
	id.Key = true
	refused(t, p.users.RequireFresh(id), 403, "STEP_UP_REQUIRED")
	refused(t, p.users.StepUpPassword(t.Context(), id, password, auth.Client{}), 403, "")
	refused(t, p.users.StepUpFactor(t.Context(), id, auth.Shown{Code: p.code(0)}, auth.Client{}), 403, "")
}

// forget has everything asked of the database anew.
func (p *person) forget() {
	p.t.Helper()
	fine(p.t, p.db.InTx(p.t.Context(), func(tx *postgres.Tx) error { return tx.Notify(postgres.TopicUser, p.id) }))
}

func TestResetTakesAllFactorsAndAllSessions(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	fine(t, p.factors.Reset(t.Context(), p.id, auth.CommandLine()))
	_, err := p.identify(p.cookie)
	refused(t, err, 401, "")
	p.cookie = p.browse() // nothing is asked any more
	if s, _ := p.factors.State(t.Context(), p.id); s != factorNone {
		t.Errorf("there is %+v", s)
	}
	if actor := one[string](t, p.db, `SELECT actor FROM audit_log WHERE action = 'factor.reset'`); actor != "command line" {
		t.Errorf("recorded for %q", actor)
	}
	refused(t, p.factors.Reset(t.Context(), uuid.New(), auth.CommandLine()), 404, "")
}
