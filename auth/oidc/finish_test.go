package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/oidc"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

func TestABrowserIsSentToTheIssuerWithStateNonceAndChallenge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) { o.Secure = true })
	begun, err := w.oidc.SignIn(t.Context(), "corp", "/back")
	if err != nil {
		t.Fatal(err)
	}
	u, _ := url.Parse(begun.URL)
	q := u.Query()
	if q.Get("client_id") != "client" || q.Get("response_type") != "code" || q.Get("redirect_uri") != publicURL+"/api/auth/corp/callback" ||
		q.Get("scope") != "openid email profile" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("nonce")) < 40 {
		t.Errorf("sent with %v", q)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(q.Get("state"), claims); err != nil {
		t.Fatal(err)
	}
	if claims["aud"] != "fastapi-users:oauth-state" || claims["csrftoken"] != begun.Cookie.Value || claims["exp"] != float64(w.clock.Now().Add(10*time.Minute).Unix()) {
		t.Errorf("state %v", claims)
	}
	c := begun.Cookie
	if c.Name != "__Host-openhands_oauth" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.MaxAge != 600 {
		t.Errorf("cookie %v", c)
	}
	again, err := w.oidc.SignIn(t.Context(), "corp", "/back")
	if err != nil {
		t.Fatal(err)
	}
	second, _ := url.Parse(again.URL)
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if second.Query().Get(name) == q.Get(name) {
			t.Errorf("two sign-ins share the %s", name)
		}
	}
}

func TestSomebodyNewGetsAnAccountAndASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.signIn()
	if err != nil || out.Return != "/back" || out.Linked {
		t.Fatalf("%+v, %v", out, err)
	}
	id := w.identify(out.Cookie)
	if id.User.Email != "ann@example.com" || !id.User.IsVerified || id.User.Name == nil || *id.User.Name != "Ann" || id.User.IsSuperuser {
		t.Errorf("got %+v", id.User)
	}
	if w.count(`SELECT count(*) FROM users WHERE password_hash = ''`) != 1 || w.count(`SELECT count(*) FROM sessions WHERE method = 'corp'`) != 1 {
		t.Error("a password was made, or the session does not say how it began")
	}
	if w.issuer.asking("/me") != 0 {
		t.Error("userinfo was asked although the ID token says all")
	}
	if again := w.in(); again.User.ID != id.User.ID {
		t.Error("the second time it is somebody else")
	}
}

func TestNothingCountsButIssuerAndSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.in()
	w.issuer.says(jwt.MapClaims{"email": "married@example.com"})
	if w.in().User.ID != id.User.ID || w.identities(id.User.ID)[0].Email != "married@example.com" {
		t.Error("the subject is the same and the person is another")
	}
	w.issuer.says(jwt.MapClaims{"sub": "another", "email": "ann@example.com"}) // the issuer gave the address to somebody else
	_, err := w.signIn()
	refused(t, err, 400, "OAUTH_USER_ALREADY_EXISTS")
}

func TestAStateThatIsNotThisBrowsersIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) {
		other := o.Providers[0]
		other.Name = "other"
		o.Providers = append(o.Providers, other)
	})
	token, err := w.auth.Login(t.Context(), w.register("bob@example.com", true).User.Email, goodPassword, auth.Client{})
	if err != nil {
		t.Fatal(err)
	}
	forged := func(key any, method jwt.SigningMethod, change func(jwt.MapClaims)) string {
		claims := jwt.MapClaims{"aud": "fastapi-users:oauth-state", "csrftoken": "c", "provider": "corp", "exp": w.clock.Now().Add(time.Hour).Unix()}
		change(claims)
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	same := func(jwt.MapClaims) {}
	for name, test := range map[string]struct {
		change func(a *oidc.Answer)
		code   string
	}{
		"no state":        {func(a *oidc.Answer) { a.State = "" }, "ACCESS_TOKEN_DECODE_ERROR"},
		"no token":        {func(a *oidc.Answer) { a.State = "x.y.z" }, "ACCESS_TOKEN_DECODE_ERROR"},
		"altered":         {func(a *oidc.Answer) { a.State = a.State[:len(a.State)-4] + "AAAA" }, "ACCESS_TOKEN_DECODE_ERROR"},
		"an access token": {func(a *oidc.Answer) { a.State = token.AccessToken }, "ACCESS_TOKEN_DECODE_ERROR"},
		"unsigned": {func(a *oidc.Answer) {
			a.State = forged(jwt.UnsafeAllowNoneSignatureType, jwt.SigningMethodNone, same)
			a.Cookie = "c"
		}, "ACCESS_TOKEN_DECODE_ERROR"},
		"by the login's key":   {func(a *oidc.Answer) { a.State = forged(secret, jwt.SigningMethodHS256, same); a.Cookie = "c" }, "ACCESS_TOKEN_DECODE_ERROR"},
		"too long":             {func(a *oidc.Answer) { a.State += strings.Repeat("a", 1<<20) }, "ACCESS_TOKEN_DECODE_ERROR"},
		"no cookie":            {func(a *oidc.Answer) { a.Cookie = "" }, "OAUTH_INVALID_STATE"},
		"another cookie":       {func(a *oidc.Answer) { a.Cookie = w.begin().Cookie }, "OAUTH_INVALID_STATE"},
		"another's state":      {func(a *oidc.Answer) { a.State = w.begin().State }, "OAUTH_INVALID_STATE"},
		"another flow's code":  {func(a *oidc.Answer) { a.Code = w.begin().Code }, "Corp did not accept this sign-in"},
		"an invented code":     {func(a *oidc.Answer) { a.Code = "invented" }, "Corp did not accept this sign-in"},
		"another issuer's iss": {func(a *oidc.Answer) { a.Issuer = "https://evil.example.com" }, "OAUTH_INVALID_STATE"},
		"no code":              {func(a *oidc.Answer) { a.Code = "" }, "Bad Request"},
		"an error":             {func(a *oidc.Answer) { a.Code, a.Error = "", "access_denied" }, "access_denied"},
		"an error and a code":  {func(a *oidc.Answer) { a.Error = "x" }, "x"},
	} {
		a := w.begin()
		test.change(&a)
		_, err := w.finish(a)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		t.Run(name, func(t *testing.T) { refused(t, err, 400, test.code) })
	}
	_, err = w.oidc.Finish(t.Context(), "other", w.begin())
	refused(t, err, 400, "ACCESS_TOKEN_DECODE_ERROR")
	_, err = w.oidc.Finish(t.Context(), "nobody", w.begin())
	refused(t, err, 404, "Not Found")
	if w.count(`SELECT count(*) FROM identities`) != 0 {
		t.Error("somebody came in")
	}
}

func TestAStateRunsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.begin()
	w.clock.Advance(10 * time.Minute)
	_, err := w.finish(a)
	refused(t, err, 400, "ACCESS_TOKEN_ALREADY_EXPIRED")
}

func TestAStateOfThePreviousSecretCountsAndOneOfNoSecretDoesNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	next := []byte("the next secret has 32 bytes too")
	a, b := w.begin(), w.begin()
	w.config.Secrets = [][]byte{next}
	_, err := oidc.New(w.config).Finish(t.Context(), "corp", a)
	refused(t, err, 400, "ACCESS_TOKEN_DECODE_ERROR")
	w.config.Secrets = [][]byte{next, secret}
	if _, err := oidc.New(w.config).Finish(t.Context(), "corp", b); err != nil {
		t.Error(err)
	}
}

func TestOfManyWhoBringOneAnswerExactlyOneSignsIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.begin()
	var in, others atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := w.oidc.Finish(t.Context(), "corp", a); err == nil {
				in.Add(1)
			} else if strings.Contains(err.Error(), "OAUTH_INVALID_STATE") {
				others.Add(1)
			}
		})
	}
	all.Wait()
	if in.Load() != 1 || others.Load() != 49 {
		t.Errorf("%d came in, %d were told that it was used", in.Load(), others.Load())
	}
}

func TestOfManyWhoComeForTheFirstTimeOneMakesTheAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var answers []oidc.Answer
	for range 20 {
		answers = append(answers, w.begin())
	}
	var in atomic.Int32
	var all sync.WaitGroup
	for _, a := range answers {
		all.Go(func() {
			if _, err := w.oidc.Finish(t.Context(), "corp", a); err != nil {
				t.Error(err)
				return
			}
			in.Add(1)
		})
	}
	all.Wait()
	if in.Load() != 20 || w.count(`SELECT count(*) FROM users`) != 1 || w.count(`SELECT count(*) FROM identities`) != 1 {
		t.Errorf("%d came in, %d accounts", in.Load(), w.count(`SELECT count(*) FROM users`))
	}
}

func TestAnIDTokenThatProvesNothingIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		claims jwt.MapClaims
		sign   func(jwt.MapClaims) string
		status int
	}{
		"another issuer":    {claims: jwt.MapClaims{"iss": "https://evil.example.com"}, status: 502},
		"another audience":  {claims: jwt.MapClaims{"aud": "another"}, status: 502},
		"several, no party": {claims: jwt.MapClaims{"aud": []string{"client", "another"}}, status: 502},
		"another party":     {claims: jwt.MapClaims{"aud": []string{"client", "another"}, "azp": "another"}, status: 502},
		"a lone other":      {claims: jwt.MapClaims{"azp": "another"}, status: 502},
		"an empty party":    {claims: jwt.MapClaims{"azp": ""}, status: 502},
		"no audience":       {claims: jwt.MapClaims{"aud": nil}, status: 502},
		"another nonce":     {claims: jwt.MapClaims{"nonce": "another"}, status: 400},
		"no nonce":          {claims: jwt.MapClaims{"nonce": nil}, status: 400},
		"expired":           {claims: jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}, status: 502},
		"no expiry":         {claims: jwt.MapClaims{"exp": nil}, status: 502},
		"not yet good":      {claims: jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()}, status: 502},
		"no subject":        {claims: jwt.MapClaims{"sub": ""}, status: 502},
		"a long subject":    {claims: jwt.MapClaims{"sub": strings.Repeat("a", 256)}, status: 502},
		"a wrong at_hash":   {claims: jwt.MapClaims{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, status: 502},
		"unsigned": {sign: func(c jwt.MapClaims) string {
			return signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, c)
		}, status: 502},
		"by the secret":  {sign: func(c jwt.MapClaims) string { return signed(jwt.SigningMethodHS256, []byte("hush"), c) }, status: 502},
		"by another key": {sign: func(c jwt.MapClaims) string { return rs256(c)[:300] + "AAAA" }, status: 502},
		"none":           {sign: func(jwt.MapClaims) string { return "" }, status: 502},
	} {
		w.issuer.says(test.claims)
		w.issuer.mu.Lock()
		w.issuer.sign = test.sign
		w.issuer.mu.Unlock()
		_, err := w.signIn()
		t.Run(name, func(t *testing.T) { refused(t, err, test.status, "") })
	}
	if w.count(`SELECT count(*) FROM users`) != 0 {
		t.Error("somebody came in")
	}
	w.issuer.says(jwt.MapClaims{"aud": []string{"client", "another"}, "azp": "client"})
	w.issuer.sign = nil
	w.in()
}

func TestUserinfoIsAskedForTheAddressOnlyWhenTheTokenLacksIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.says(jwt.MapClaims{"email": nil, "email_verified": nil, "name": nil})
	w.issuer.info = map[string]any{"sub": "ann", "email": "Ann@Example.com", "email_verified": "true", "name": "Ann\r\nX"}
	u := w.in().User
	if u.Email != "Ann@example.com" || !u.IsVerified || u.Name == nil || *u.Name != "Ann  X" || w.issuer.asking("/me") != 1 {
		t.Errorf("got %+v", u)
	}
	w.issuer.info["sub"] = "somebody else"
	_, err := w.signIn()
	refused(t, err, 502, "What Corp answered could not be verified")
}

func TestAnIssuerWithoutAUsableAddressMakesNoAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.info = map[string]any{"sub": "ann"}
	for _, email := range []any{nil, "", 5, "nobody", "a@b@example.com ", "ann@evil.com@example.com", "Ann <ann@example.com>", "ann@localhost", "ann@example.com\r\nBcc: x@example.com"} {
		w.issuer.says(jwt.MapClaims{"email": email})
		_, err := w.signIn()
		refused(t, err, 400, "OAUTH_NOT_AVAILABLE_EMAIL")
	}
}

func TestAnIssuerThatIsDownIsA503AndNothingElseWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.breaks(500)
	for range 5 {
		_, err := w.oidc.SignIn(t.Context(), "corp", "/")
		refused(t, err, 503, "Signing in by Corp is not possible at the moment")
	}
	if n := w.issuer.asking("/.well-known/openid-configuration"); n != 1 {
		t.Errorf("a broken issuer was asked %d times at once", n)
	}
	w.issuer.breaks(0)
	w.clock.Advance(3 * time.Second)
	a := w.begin()
	w.issuer.breaks(503)
	_, err := w.finish(a)
	refused(t, err, 503, "Signing in by Corp")
	w.clock.Advance(2 * time.Hour) // what was learned before still counts
	if _, err := w.oidc.SignIn(t.Context(), "corp", "/"); err != nil {
		t.Error(err)
	}
}

func TestAnIssuerThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	hangs := make(chan struct{})
	stuck := newStuck(t, hangs)
	w := newWorld(t, func(_ *auth.Config, o *oidc.Config) {
		o.Providers[0].Issuer, o.Timeout = stuck, 50*time.Millisecond
	})
	defer close(hangs)
	_, err := w.oidc.SignIn(t.Context(), "corp", "/")
	refused(t, err, 503, "Signing in by Corp")
}

func TestAnIssuerThatCallsItselfOtherwiseIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.more = map[string]any{"issuer": "https://evil.example.com"}
	_, err := w.oidc.SignIn(t.Context(), "corp", "/")
	refused(t, err, 502, "")
}

func TestAnIssuerThatNamesItselfMustDoSoInEveryAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.more = map[string]any{"authorization_response_iss_parameter_supported": true}
	_, err := w.signIn()
	refused(t, err, 400, "OAUTH_INVALID_STATE")
	a := w.begin()
	a.Issuer = w.issuer.URL
	if _, err := w.finish(a); err != nil {
		t.Error(err)
	}
}

func TestAnswersOfAnIssuerAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.issuer.more = map[string]any{"padding": strings.Repeat("a", 2<<20)}
	_, err := w.oidc.SignIn(t.Context(), "corp", "/")
	refused(t, err, 503, "")
}

func TestAProgramHasAnHourAndLandsWhereItSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun, err := w.oidc.Authorize(t.Context(), "corp", "/there")
	a := w.away(begun, err)
	if begun.Cookie.MaxAge != 3600 || begun.Cookie.Secure || begun.Cookie.Name != "openhands_oauth" {
		t.Errorf("cookie %v", begun.Cookie)
	}
	w.clock.Advance(time.Hour - time.Second)
	w.issuer.says(jwt.MapClaims{"exp": w.clock.Now().Add(time.Minute).Unix()})
	if out, err := w.finish(a); err != nil || out.Return != "/there" {
		t.Errorf("%+v, %v", out, err)
	}
	begun, err = w.oidc.Authorize(t.Context(), "corp", "/there")
	a = w.away(begun, err)
	w.clock.Advance(time.Hour)
	_, err = w.finish(a)
	refused(t, err, 400, "ACCESS_TOKEN_ALREADY_EXPIRED")
}

// slow are limits that are used up.
type slow struct{ auth.Limits }

func (slow) Take(_ context.Context, action string, keys ...string) error {
	if action == "login" && slices.Equal(keys, []string{"ip:192.0.2.1"}) {
		return problem.New(429, "slowly")
	}
	return nil
}

func TestWhoComesTooOftenCostsTheIssuerNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, accounts(func(a *auth.Config) { a.Limits = slow{} }))
	a := w.begin()
	a.From.IP = "192.0.2.1"
	_, err := w.finish(a)
	refused(t, err, 429, "slowly")
	if w.issuer.asking("/token") != 0 {
		t.Error("the issuer was asked")
	}
	a.From.IP = "192.0.2.2"
	if _, err := w.finish(a); err != nil { // the state was not used up
		t.Error(err)
	}
}
