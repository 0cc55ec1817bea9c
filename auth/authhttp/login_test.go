package authhttp_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

const multipartType = "Content-Type: multipart/form-data; boundary=B"

func parts(headersAndValues ...string) string {
	var b strings.Builder
	for i := 0; i < len(headersAndValues); i += 2 {
		b.WriteString("--B\r\nContent-Disposition: form-data; " + headersAndValues[i] + "\r\n\r\n" + headersAndValues[i+1] + "\r\n")
	}
	return b.String() + "--B--\r\n"
}

func TestLoginAnswersATokenAndItsType(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	for name, request := range map[string][2]string{
		"urlencoded":          {formType, "username=ann%40example.com&password=correct+horse"},
		"other letters":       {formType, "username=ANN@Example.com&password=correct%20horse"},
		"content type":        {"Content-Type: Application/X-WWW-Form-URLEncoded; charset=utf-8", "username=ann@example.com&password=correct+horse"},
		"all of OAuth2":       {formType, "grant_type=password&username=ann@example.com&password=correct+horse&scope=a+b&client_id=c&client_secret=d&more=e"},
		"an empty grant type": {formType, "grant_type=&username=ann@example.com&password=correct+horse&scope="},
		"the last one counts": {formType, "username=x&username=ann@example.com&password=y&password=correct+horse"},
		"multipart":           {multipartType, parts(`name="username"`, "ann@example.com", `name="password"`, "correct horse")},
		"multipart, capitals": {"Content-Type: Multipart/Form-Data; boundary=B", parts(`name="username"`, "ann@example.com", `name="password"`, "correct horse")},
	} {
		w := s.do("POST", "/api/auth/jwt/login", request[1], request[0])
		var got map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, w.Code, w.Body)
		}
		if len(got) != 2 || got["token_type"] != "bearer" || strings.Count(got["access_token"], ".") != 2 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v, %v", name, got, w.Header())
		}
	}
}

func TestLoginRefusesInTheContractsWords(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	const (
		noUsername = `{"type":"missing","loc":["body","username"],"msg":"…","input":null}`
		noPassword = `{"type":"missing","loc":["body","password"],"msg":"…","input":null}`
		neither    = `{"detail":[` + noUsername + `,` + noPassword + `]}`
		bad        = `{"detail":"LOGIN_BAD_CREDENTIALS"}`
	)
	grant := func(input string) string {
		return `{"type":"string_pattern_mismatch","loc":["body","grant_type"],"msg":"…","input":` + input + `,"ctx":{"pattern":"^password$"}}`
	}
	file := func(field string) string {
		return `{"type":"string_type","loc":["body","` + field + `"],"msg":"…","input":{"filename":"f","size":1}}`
	}
	cases := []struct {
		name, header, body string
		status             int
		want               string
	}{
		{"JSON", jsonType, `{"username":"ann@example.com","password":"correct horse"}`, 422, neither},
		{"broken JSON", jsonType, `{`, 422, neither},
		{"text", "Content-Type: text/plain", "username=ann@example.com&password=correct+horse", 422, neither},
		{"no content type", "X-Nothing: 1", "username=ann@example.com&password=correct+horse", 422, neither},
		{"no body", formType, "", 422, neither},
		{"no username", formType, "password=correct+horse", 422, `{"detail":[` + noUsername + `]}`},
		{"no password", formType, "username=ann@example.com", 422, `{"detail":[` + noPassword + `]}`},
		{"an empty username", formType, "username=&password=correct+horse", 422, `{"detail":[` + noUsername + `]}`},
		{"a name alone", formType, "username=ann@example.com&password", 422, `{"detail":[` + noPassword + `]}`},
		{"another grant type", formType, "username=a&password=b&grant_type=Password", 422, `{"detail":[` + grant(`"Password"`) + `]}`},
		{"all faults, in the declared order", formType, "grant_type=x", 422, `{"detail":[` + grant(`"x"`) + `,` + noUsername + `,` + noPassword + `]}`},
		{"files", multipartType, parts(`name="password"; filename="f"`, "x", `name="username"; filename="f"`, "x", `name="grant_type"; filename="f"`, "x"), 422,
			`{"detail":[` + file("grant_type") + `,` + file("username") + `,` + file("password") + `]}`},
		{"multipart without boundary", "Content-Type: multipart/form-data", "x", 400, `{"detail":"Missing boundary in multipart."}`},
		{"unreadable multipart", multipartType, "x", 400, `{"detail":"Invalid multipart data."}`},
		{"too much", formType, "username=" + strings.Repeat("a", 70_000), 413, `{"detail":"The request body is longer than 65536 bytes. Send less."}`},

		{"an unknown user", formType, "username=bob@example.com&password=correct+horse", 400, bad},
		{"a wrong password", formType, "username=ann@example.com&password=wrong", 400, bad},
		{"the username is not trimmed", formType, "username=+ann@example.com&password=correct+horse", 400, bad},
		{"the password is not trimmed", formType, "username=ann@example.com&password=correct+horse+", 400, bad},
		{"bad UTF-8", formType, "username=%ff%fe&password=%ff", 400, bad},
		{"a NUL", formType, "username=a%00&password=%00", 400, bad},
		{"a long username", formType, "username=" + strings.Repeat("a", 60_000) + "&password=x", 400, bad},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			expect(t, s.do("POST", "/api/auth/jwt/login", c.body, c.header), c.status, c.want)
			expect(t, s.do("POST", "/api/auth/cookie/login", c.body, c.header), c.status, c.want)
		})
	}
	expect(t, s.do("POST", "/api/auth/jwt/login?username=ann@example.com&password=correct+horse", "", formType), 422, neither)
}

func TestMeIsForAnyFormOfCredential(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	const user = `{"id":"ID","email":"ann@example.com","is_active":true,"is_superuser":false,"is_verified":false,"name":null,"avatar_url":null}`
	bearer := s.login(t, "ann@example.com")
	token := strings.TrimPrefix(bearer, "Authorization: Bearer ")
	expect(t, s.do("GET", "/api/users/me", "", bearer), 200, user)
	expect(t, s.do("GET", "/api/users/me", "", "Authorization: bEARER   "+token+"  "), 200, user)
	expect(t, s.do("GET", "/api/users/me", "", "X-Session-API-Key: "+token), 200, user)
	expect(t, s.do("GET", "/api/users/me", "", s.cookie(t, "ann@example.com")), 200, user)
	for name, headers := range map[string][]string{
		"none":            nil,
		"altered":         {bearer[:len(bearer)-2] + "AA"},
		"a word behind":   {bearer + " x"},
		"in the cookie":   {"Cookie: openhands_session=" + token},
		"another scheme":  {"Authorization: Token " + token},
		"the placeholder": {"X-Session-API-Key: cookie"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, s.do("GET", "/api/users/me", "", headers...), 401, `{"detail":"Unauthorized"}`)
		})
	}
	expect(t, s.do("GET", "/api/users/me?session_api_key="+token, ""), 401, `{"detail":"Unauthorized"}`)
}

func TestMeIsNotAnsweredForATeamThatTheCallerIsNotIn(t *testing.T) {
	t.Parallel()
	s := fresh(t, func(_ *auth.Config, o *authhttp.Options) {
		o.CheckTeam = func(r *http.Request, id auth.Identity) error {
			if id.User.ID == uuid.Nil || r.Header.Get("X-Team-Id") != "" {
				return problem.NotFound
			}
			return nil
		}
	})
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	expect(t, s.do("GET", "/api/users/me", "", bearer, "X-Team-Id: "+uuid.NewString()), 404, `{"detail":"Not Found"}`)
	expect(t, s.do("GET", "/api/users/me", "", "X-Team-Id: "+uuid.NewString()), 401, `{"detail":"Unauthorized"}`)
	if w := s.do("GET", "/api/users/me", "", bearer); w.Code != http.StatusOK {
		t.Errorf("%d", w.Code)
	}
}

// cookie logs in and returns a Cookie header.
func (s *server) cookie(t *testing.T, email string) string {
	t.Helper()
	w := s.do("POST", "/api/auth/cookie/login", "username="+email+"&password=correct+horse", formType)
	expect(t, w, 204, "")
	set := w.Result().Cookies()
	if len(set) != 1 || !set[0].HttpOnly || set[0].SameSite != http.SameSiteLaxMode || set[0].Path != "/" {
		t.Fatalf("set %v", set)
	}
	return "Cookie: " + set[0].Name + "=" + set[0].Value
}

func TestTheCookieIsBoundToTheHostOnHTTPS(t *testing.T) {
	t.Parallel()
	s := fresh(t, func(_ *auth.Config, o *authhttp.Options) { o.Secure = true })
	s.register(t, "ann@example.com")
	w := s.do("POST", "/api/auth/cookie/login", "username=ann@example.com&password=correct+horse", formType)
	if set := w.Header().Get("Set-Cookie"); !strings.HasPrefix(set, "__Host-openhands_session=") || !strings.Contains(set, "; Secure") {
		t.Errorf("set %s", set)
	}
}

func TestJWTLogoutEndsThatSessionOnlyAndOnce(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	first, second, cookie := s.login(t, "ann@example.com"), s.login(t, "ann@example.com"), s.cookie(t, "ann@example.com")
	expect(t, s.do("POST", "/api/auth/jwt/logout", ""), 401, `{"detail":"Unauthorized"}`)
	expect(t, s.do("POST", "/api/auth/jwt/logout", "", cookie), 401, `{"detail":"Unauthorized"}`)
	expect(t, s.do("POST", "/api/auth/jwt/logout", "{broken \xff", jsonType, first), 204, "")
	expect(t, s.do("POST", "/api/auth/jwt/logout", "", first), 401, `{"detail":"Unauthorized"}`)
	expect(t, s.do("GET", "/api/users/me", "", first), 401, `{"detail":"Unauthorized"}`)
	for _, other := range []string{second, cookie} {
		if w := s.do("GET", "/api/users/me", "", other); w.Code != 200 {
			t.Errorf("another session ended too: %d", w.Code)
		}
	}
}

func TestCookieLogoutEndsTheBrowserSessionAndTakesTheCookie(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	cookie, bearer := s.cookie(t, "ann@example.com"), s.login(t, "ann@example.com")
	expect(t, s.do("POST", "/api/auth/cookie/logout", "", bearer), 401, `{"detail":"Unauthorized"}`)
	w := s.do("POST", "/api/auth/cookie/logout", "", cookie)
	expect(t, w, 204, "")
	if set := w.Result().Cookies(); len(set) != 1 || set[0].Value != "" || set[0].MaxAge >= 0 {
		t.Errorf("set %v", set)
	}
	expect(t, s.do("GET", "/api/users/me", "", cookie), 401, `{"detail":"Unauthorized"}`)
}

func TestLogoutEndsAllThatTheRequestCarriesAndAsksNobody(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	cookie, bearer := s.cookie(t, "ann@example.com"), s.login(t, "ann@example.com")
	for _, headers := range [][]string{nil, {"Cookie: openhands_session=x"}, {"Authorization: Basic x"}, {cookie, bearer}, {cookie, bearer}} {
		w := s.do("POST", "/api/auth/logout", "", headers...)
		expect(t, w, 204, "")
		if set := w.Result().Cookies(); len(set) != 1 || set[0].Value != "" || set[0].MaxAge >= 0 {
			t.Errorf("%v: set %v", headers, set)
		}
	}
	expect(t, s.do("GET", "/api/users/me", "", cookie), 401, `{"detail":"Unauthorized"}`)
	expect(t, s.do("GET", "/api/users/me", "", bearer), 401, `{"detail":"Unauthorized"}`)
}

func TestALogoutIsKnownToTheOtherReplicaWithinTwoSeconds(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	here, there := serve(t, dbtest.Open(t, url), nil), serve(t, dbtest.Open(t, url), nil)
	here.register(t, "ann@example.com")
	bearer := here.login(t, "ann@example.com")
	if w := there.do("GET", "/api/users/me", "", bearer); w.Code != 200 {
		t.Fatalf("before: %d", w.Code)
	}
	expect(t, here.do("POST", "/api/auth/jwt/logout", "", bearer), 204, "")
	expect(t, here.do("GET", "/api/users/me", "", bearer), 401, `{"detail":"Unauthorized"}`)
	deadline := time.NewTimer(2 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for there.do("GET", "/api/users/me", "", bearer).Code != 401 {
		select {
		case <-deadline.C:
			t.Fatal("the other replica still accepts the token")
		case <-tick.C:
		}
	}
}

func TestASessionKeepsTheClientsAddress(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	s.login(t, "ann@example.com")
	var ip string
	if err := s.db.Get(&ip, `SELECT ip FROM sessions`); err != nil || ip != "client of 192.0.2.1:1234" {
		t.Errorf("got %q, %v", ip, err)
	}
}
