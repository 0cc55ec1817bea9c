package factor_test

import (
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/auth"
)

func TestAnAuthenticatorAppIsSetUpByOneCode(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	other := p.browse()
	e, err := p.factors.Enrol(t.Context(), p.me())
	fine(t, err)
	u, err := url.Parse(e.URI)
	if err != nil || u.Scheme != "otpauth" || u.Query().Get("secret") != e.Secret || u.Query().Get("issuer") != "OpenHands" || !strings.Contains(u.Path, "ann@example.com") {
		t.Errorf("URI %s, %v", e.URI, err)
	}
	if !strings.HasPrefix(e.QR, "<svg ") {
		t.Errorf("picture %.40s", e.QR)
	}
	if s, err := p.factors.State(t.Context(), p.id); err != nil || s.Any() {
		t.Errorf("before it is confirmed there is %+v, %v", s, err)
	}
	p.secret = e.Secret
	_, err = p.factors.Confirm(t.Context(), p.me(), "000000")
	refused(t, err, 400, bad)
	codes, err := p.factors.Confirm(t.Context(), p.me(), p.code(0))
	fine(t, err)
	if len(codes) != 8 || len(codes[0]) != 19 {
		t.Errorf("codes %v", codes)
	}

	if id, err := p.identify(p.cookie); err != nil || !id.HasFactor || id.Factor.IsZero() {
		t.Errorf("the session that set it up is %+v, %v", id, err)
	}
	_, err = p.identify(other)
	refused(t, err, 401, "")
	if len(p.mails.mails) != 1 || p.mails.mails[0].Template != "factor-changed" || p.mails.mails[0].To != "ann@example.com" {
		t.Errorf("mails %+v", p.mails.mails)
	}
	if n := one[int](t, p.db, `SELECT count(*) FROM audit_log WHERE action = 'factor.totp.enrol' AND actor_id = $1`, p.id); n != 1 {
		t.Errorf("%d lines in the record", n)
	}
}

func TestASecretIsNowhereInTheClear(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	if n := one[int](t, p.db, `SELECT count(*) FROM totp_factors WHERE position(convert_to($1, 'UTF8') IN secret) > 0`, p.secret); n != 0 {
		t.Error("the secret is stored in the clear")
	}
	if n := one[int](t, p.db, `SELECT count(*) FROM recovery_codes WHERE code_hash = convert_to($1, 'UTF8')`, p.codes[0]); n != 0 {
		t.Error("a recovery code is stored in the clear")
	}
}

func TestASecretOfAnotherRowDoesNotOpen(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ann, bob := b.register("ann@example.com").enrol(), b.register("bob@example.com").enrol()
	_, err := b.db.ExecContext(t.Context(), `UPDATE totp_factors SET secret = (SELECT secret FROM totp_factors WHERE user_id = $1) WHERE user_id = $2`, bob.id, ann.id)
	fine(t, err)
	if _, err := ann.answer(ann.challenge(), auth.Shown{Code: bob.code(0)}); err == nil {
		t.Fatal("a secret that was copied to another user's row opens")
	}
}

func TestASignInWantsTheSecondFactor(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	_, err := p.users.Login(t.Context(), "ann@example.com", password, auth.Client{})
	refused(t, err, 400, "LOGIN_SECOND_FACTOR_REQUIRED")
	challenge, methods, found := auth.ChallengeIn(err)
	if !found || strings.Join(methods, " ") != "totp recovery" {
		t.Errorf("challenge %q, methods %v", challenge, methods)
	}
	_, err = p.users.AnswerToken(t.Context(), challenge, auth.Shown{Code: p.code(0)}, auth.Client{})
	fine(t, err)

	cookie, err := p.answer(p.challenge(), auth.Shown{Code: p.code(1)})
	fine(t, err)
	id, err := p.identify(cookie)
	if err != nil || id.Factor.IsZero() || !id.HasFactor {
		t.Errorf("%+v, %v", id, err)
	}
	_, err = p.users.Login(t.Context(), "ann@example.com", "wrong horse", auth.Client{})
	refused(t, err, 400, "LOGIN_BAD_CREDENTIALS")
}

func TestEveryWayOfSigningInWantsTheSecondFactor(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	for _, method := range []string{"password", "https://issuer.example.com", "github", "register", "setup", ""} {
		_, err := p.users.GrantToken(t.Context(), auth.SignIn{User: p.id, Method: method})
		refused(t, err, 400, "LOGIN_SECOND_FACTOR_REQUIRED")
		_, _, err = p.users.GrantBrowser(t.Context(), auth.SignIn{User: p.id, Method: method})
		refused(t, err, 400, "LOGIN_SECOND_FACTOR_REQUIRED")
	}
}

func TestACodeCountsWithinOneStep(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	for _, steps := range []int{-2, 2, -10} {
		_, err := p.answer(p.challenge(), auth.Shown{Code: p.code(steps)})
		refused(t, err, 400, bad)
	}
	for _, steps := range []int{-1, 0, 1} {
		code := p.code(steps)
		if steps == 0 {
			code = " " + code[:3] + " " + code[3:] // as people type it
		}
		if _, err := p.answer(p.challenge(), auth.Shown{Code: code}); err != nil {
			t.Errorf("%d steps off: %v", steps, err)
		}
	}
}

func TestACodeCountsOnceAndNoOlderOneAfterIt(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	_, err := p.answer(p.challenge(), auth.Shown{Code: p.code(0)})
	fine(t, err)
	for _, steps := range []int{0, -1} {
		_, err := p.answer(p.challenge(), auth.Shown{Code: p.code(steps)})
		refused(t, err, 400, bad)
		refused(t, p.users.StepUpFactor(t.Context(), p.me(), auth.Shown{Code: p.code(steps)}, auth.Client{}), 400, bad)
	}
}

func TestTheCodeThatConfirmedCountsNoMore(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	e, err := p.factors.Enrol(t.Context(), p.me())
	fine(t, err)
	p.secret = e.Secret
	_, err = p.factors.Confirm(t.Context(), p.me(), p.code(0))
	fine(t, err)
	_, err = p.answer(p.challenge(), auth.Shown{Code: p.code(0)})
	refused(t, err, 400, bad)
}

// crowd has so many do something at the same time, and says how many of them succeeded.
func crowd(n int, do func(int) error) int64 {
	var right atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			if do(i) == nil {
				right.Add(1)
			}
		})
	}
	close(start)
	all.Wait()
	return right.Load()
}

func TestOfManyWhoShowOneCodeExactlyOneGetsThrough(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	code, challenges := p.code(0), make([]string, 50)
	for n := range challenges {
		challenges[n] = p.challenge()
	}
	if n := crowd(len(challenges), func(n int) error { _, err := p.answer(challenges[n], auth.Shown{Code: code}); return err }); n != 1 {
		t.Errorf("%d got through with one code", n)
	}
}

func TestAnEnrolmentEndsWithItsTimeAndItsSession(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com")
	e, err := p.factors.Enrol(t.Context(), p.me())
	fine(t, err)
	p.secret = e.Secret
	mine := p.cookie
	p.cookie = p.browse()
	_, err = p.factors.Confirm(t.Context(), p.me(), p.code(0))
	refused(t, err, 409, "")
	p.cookie = mine
	p.clock.Advance(10 * time.Minute)
	_, err = p.factors.Confirm(t.Context(), p.me(), p.code(0))
	refused(t, err, 409, "")
}

func TestANewAppReplacesTheOldOneOnceItIsConfirmed(t *testing.T) {
	t.Parallel()
	p := newBench(t).register("ann@example.com").enrol()
	old := p.secret
	e, err := p.factors.Enrol(t.Context(), p.me())
	fine(t, err)
	_, err = p.answer(p.challenge(), auth.Shown{Code: p.code(0)}) // the old one goes on until then
	fine(t, err)
	p.secret = e.Secret
	codes, err := p.factors.Confirm(t.Context(), p.me(), p.code(0))
	if err != nil || codes != nil {
		t.Fatalf("new recovery codes %v, %v", codes, err)
	}
	p.clock.Advance(time.Minute)
	p.secret = old
	_, err = p.answer(p.challenge(), auth.Shown{Code: p.code(0)})
	refused(t, err, 400, bad)
	p.secret = e.Secret
	_, err = p.answer(p.challenge(), auth.Shown{Code: p.code(0)})
	fine(t, err)
}
