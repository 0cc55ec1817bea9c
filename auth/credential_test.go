package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
)

// request has headers given as "Name: value" and a target.
func request(target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestCredentialsAreFoundWhereClientsPutThem(t *testing.T) {
	t.Parallel()
	bearer := func(token string) access.Credential { return access.Credential{Form: access.FormBearer, Token: token} }
	key := func(token string) access.Credential { return access.Credential{Form: access.FormKey, Token: token} }
	cookie := func(token string) access.Credential { return access.Credential{Form: access.FormCookie, Token: token} }
	const ours = "Cookie: other=1; openhands_session=c; x=2"
	cases := []struct {
		name    string
		target  string
		headers []string
		want    access.Credential
		status  int
	}{
		{"nothing", "/", nil, access.Credential{}, 0},
		{"a bearer token", "/", []string{"Authorization: Bearer a.b-c_d~+/="}, bearer("a.b-c_d~+/="), 0},
		{"the scheme in other letters", "/", []string{"Authorization: bEARER a"}, bearer("a"), 0},
		{"further blanks", "/", []string{"Authorization: Bearer    a   "}, bearer("a"), 0},
		{"two different headers", "/", []string{"Authorization: Bearer a", "Authorization: Bearer b"}, access.Credential{}, 400},
		{"two headers, the second malformed", "/", []string{"Authorization: Bearer a", "Authorization: Basic YTpi"}, access.Credential{}, 400},
		{"two headers, the first empty", "/", []string{"Authorization: ", "Authorization: Bearer b"}, access.Credential{}, 400},
		{"one header twice", "/", []string{"Authorization: Bearer a", "Authorization: Bearer a"}, bearer("a"), 0},
		{"an empty header is none", "/", []string{"Authorization: "}, access.Credential{}, 0},
		{"a tab", "/", []string{"Authorization: Bearer\ta"}, access.Credential{}, 401},
		{"a colon", "/", []string{"Authorization: Bearer: a"}, access.Credential{}, 401},
		{"quotes", "/", []string{`Authorization: Bearer "a"`}, access.Credential{}, 401},
		{"another scheme", "/", []string{"Authorization: Basic YTpi"}, access.Credential{}, 401},
		{"a bare token", "/", []string{"Authorization: abc"}, access.Credential{}, 401},
		{"the scheme alone", "/", []string{"Authorization: Bearer"}, access.Credential{}, 401},
		{"the scheme and a blank", "/", []string{"Authorization: Bearer "}, access.Credential{}, 401},
		{"a word behind the token", "/", []string{"Authorization: Bearer a b"}, access.Credential{}, 401},
		{"a token that is no ASCII", "/", []string{"Authorization: Bearer ä"}, access.Credential{}, 401},
		{"a malformed header with a good cookie", "/", []string{"Authorization: Basic x", ours}, access.Credential{}, 401},

		{"a key", "/", []string{"X-Session-API-Key: k"}, key("k"), 0},
		{"the Canvas placeholder is none", "/", []string{"X-Session-API-Key: cookie"}, access.Credential{}, 0},
		{"the placeholder with a cookie", "/", []string{"X-Session-API-Key: cookie", ours}, cookie("c"), 0},
		{"an empty key is none", "/", []string{"X-Session-API-Key: "}, access.Credential{}, 0},
		{"a key with a blank", "/", []string{"X-Session-API-Key: a b"}, access.Credential{}, 401},
		{"an underscore look-alike is none", "/", []string{"X_Session_API_Key: k"}, access.Credential{}, 0},
		{"the query of a plain request is none", "/?session_api_key=q", nil, access.Credential{}, 0},
		{"the query of an upgrade", "/?session_api_key=q", []string{"Upgrade: WebSocket"}, key("q"), 0},
		{"the placeholder in the query of an upgrade", "/?session_api_key=cookie", []string{"Upgrade: websocket", ours}, cookie("c"), 0},
		{"a cookie", "/", []string{ours}, cookie("c"), 0},
		{"an empty cookie is none", "/", []string{"Cookie: openhands_session="}, access.Credential{}, 0},
		{"another cookie name is none", "/", []string{"Cookie: __Host-openhands_session=c"}, access.Credential{}, 0},

		{"a header goes before a cookie", "/", []string{"Authorization: Bearer a", ours}, bearer("a"), 0},
		{"a key goes before a cookie", "/", []string{"X-Session-API-Key: k", ours}, key("k"), 0},
		{"the same credential twice", "/", []string{"Authorization: Bearer a", "X-Session-API-Key: a"}, bearer("a"), 0},
		{"a bearer token and another key", "/", []string{"Authorization: Bearer a", "X-Session-API-Key: b"}, access.Credential{}, 400},
		{"two keys", "/", []string{"X-Session-API-Key: a", "X-Session-API-Key: b"}, access.Credential{}, 400},
		{"a key and another in the query", "/?session_api_key=b", []string{"Upgrade: websocket", "X-Session-API-Key: a"}, access.Credential{}, 400},
		{"a bearer token and the placeholder", "/", []string{"Authorization: Bearer a", "X-Session-API-Key: cookie"}, bearer("a"), 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := auth.CredentialFrom(request(c.target, c.headers...), "openhands_session")
			if c.status != 0 {
				refused(t, err, c.status, "")
			} else if err != nil || got != c.want {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}
}

func FuzzACredentialIsNeverHalfRead(f *testing.F) {
	f.Add("Bearer a.b.c", "", "")
	f.Add("bearer  x", "cookie", "openhands_session=c")
	f.Add("Basic x", "k", "openhands_session=\"c\"")
	f.Fuzz(func(t *testing.T, authorization, key, cookie string) {
		r := request("/")
		r.Header["Authorization"], r.Header["X-Session-Api-Key"], r.Header["Cookie"] = []string{authorization}, []string{key}, []string{cookie}
		got, err := auth.CredentialFrom(r, "openhands_session")
		switch {
		case err != nil && got != access.Credential{}:
			t.Errorf("both %v and %v", got, err)
		case err == nil && authorization != "" && got.Form != access.FormBearer:
			t.Errorf("a present Authorization %q was passed over: %v", authorization, got)
		case got.Form == access.FormNone && got.Token != "", got.Form != access.FormNone && got.Token == "":
			t.Errorf("a credential of half: %v", got)
		case got.Form == access.FormBearer && !strings.Contains(authorization, got.Token):
			t.Errorf("%q is not in %q", got.Token, authorization)
		}
	})
}

func TestTheCookieIsLockedDown(t *testing.T) {
	t.Parallel()
	expires := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{auth.NewCookie(auth.CookieName(true), true, "v", expires).String(),
			"__Host-openhands_session=v; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; Secure; SameSite=Lax"},
		{auth.NewCookie(auth.CookieName(false), false, "v", expires).String(),
			"openhands_session=v; Path=/; Expires=Wed, 02 Jan 2030 03:04:05 GMT; HttpOnly; SameSite=Lax"},
		{auth.ExpiredCookie(auth.CookieName(true), true).String(),
			"__Host-openhands_session=; Path=/; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0; HttpOnly; Secure; SameSite=Lax"},
	} {
		if c.got != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
}
