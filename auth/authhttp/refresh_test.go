package authhttp_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
)

// pair is what an offline login and a refresh answer.
type pair struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token"`
	Expires int    `json:"expires_in"`
}

func pairOf(t *testing.T, w *httptest.ResponseRecorder) pair {
	t.Helper()
	var keys map[string]any
	var p pair
	if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil || w.Code != 200 || len(keys) != 4 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Type != "bearer" || p.Expires != 3600 || strings.Count(p.Access, ".") != 2 || len(p.Refresh) != 52 {
		t.Fatalf("%v %+v", err, p)
	}
	if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("headers %v", w.Header())
	}
	return p
}

func (s *server) offline(t *testing.T, email, scope string) *httptest.ResponseRecorder {
	t.Helper()
	return s.do("POST", "/api/auth/jwt/login", url.Values{"username": {email}, "password": {goodPassword}, "scope": {scope}}.Encode(), formType)
}

func (s *server) refresh(token string) *httptest.ResponseRecorder {
	return s.do("POST", "/api/auth/jwt/refresh", `{"refresh_token":"`+token+`"}`, jsonType)
}

func TestOnlyTheScopeGivesARefreshToken(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	for _, scope := range []string{"", "openid", "offline", "OFFLINE_ACCESS", "offline_access2", "xoffline_access", "offline_access,openid"} {
		w := s.offline(t, "ann@example.com", scope)
		var keys map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil || w.Code != 200 || len(keys) != 2 {
			t.Errorf("%q: %d %s", scope, w.Code, w.Body)
		}
	}
	for _, scope := range []string{"offline_access", "openid offline_access", " offline_access  profile "} {
		pairOf(t, s.offline(t, "ann@example.com", scope))
	}
	w := s.do("POST", "/api/auth/jwt/login", parts(`name="username"`, "ann@example.com", `name="password"`, goodPassword, `name="scope"`, "offline_access"), multipartType)
	pairOf(t, w)
	w = s.do("POST", "/api/auth/cookie/login", "username=ann@example.com&password=correct+horse&scope=offline_access", formType)
	expect(t, w, 204, "")
}

func TestARefreshAnswersAsTheLoginDid(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	first := pairOf(t, s.offline(t, "ann@example.com", "offline_access"))
	second := pairOf(t, s.refresh(first.Refresh))
	if second.Refresh == first.Refresh {
		t.Error("the token was not rotated")
	}
	if w := s.do("GET", "/api/users/me", "", "Authorization: Bearer "+second.Access); w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	// Credentials beside it say nothing.
	w := s.do("POST", "/api/auth/jwt/refresh", `{"refresh_token":"`+second.Refresh+`"}`, jsonType, "Authorization: Bearer x", "Authorization: Basic y")
	third := pairOf(t, w)
	expect(t, s.do("POST", "/api/auth/jwt/logout", "", "Authorization: Bearer "+third.Access), 204, "")
	expect(t, s.refresh(third.Refresh), 401, `{"detail":"Unauthorized"}`)
}

func TestARefreshThatIsNoneIsRefusedInTheContractsWords(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	first := pairOf(t, s.offline(t, "ann@example.com", "offline_access"))
	const unauthorized = `{"detail":"Unauthorized"}`
	for name, c := range map[string]struct {
		header, body string
		status       int
		want         string
	}{
		"an unknown token":   {jsonType, `{"refresh_token":"` + strings.Repeat("A", 52) + `"}`, 401, unauthorized},
		"an empty token":     {jsonType, `{"refresh_token":""}`, 401, unauthorized},
		"an access token":    {jsonType, `{"refresh_token":"` + first.Access + `"}`, 401, unauthorized},
		"a token with blank": {jsonType, `{"refresh_token":" ` + first.Refresh + `"}`, 401, unauthorized},
		"a NUL":              {jsonType, `{"refresh_token":"\u0000` + first.Refresh[1:] + `"}`, 401, unauthorized},
		"none":               {jsonType, `{}`, 422, `{"detail":[{"type":"missing","loc":["body","refresh_token"],"msg":"…","input":{}}]}`},
		"null":               {jsonType, `{"refresh_token":null}`, 422, `{"detail":[{"type":"string_type","loc":["body","refresh_token"],"msg":"…","input":null}]}`},
		"broken JSON":        {jsonType, `{`, 422, `{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		"no body":            {jsonType, ``, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"…","input":null}]}`},
		"a list":             {jsonType, `[]`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":[]}]}`},
		"not UTF-8":          {jsonType, "\xff", 400, `{"detail":"…"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.do("POST", "/api/auth/jwt/refresh", c.body, c.header)
			if c.want == `{"detail":"…"}` {
				if w.Code != c.status {
					t.Errorf("%d %s", w.Code, w.Body)
				}
				return
			}
			expect(t, w, c.status, c.want)
		})
	}
	w := s.do("POST", "/api/auth/jwt/refresh", "refresh_token="+first.Refresh, formType)
	if w.Code != 422 || strings.Contains(w.Body.String(), first.Refresh) {
		t.Errorf("a form: %d %s", w.Code, w.Body)
	}
	pairOf(t, s.refresh(first.Refresh)) // nothing of all this used it up
}

func TestTheKeySetIsForEverybody(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	w := s.do("GET", "/.well-known/jwks.json", "", "Authorization: nonsense")
	expect(t, w, 200, `{"keys":[]}`)
	if w.Header().Get("Cache-Control") != "public, max-age=300" {
		t.Errorf("headers %v", w.Header())
	}
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s = fresh(t, func(c *auth.Config, _ *authhttp.Options) { c.SigningKeys = []ed25519.PrivateKey{key} })
	w = s.do("GET", "/.well-known/jwks.json", "")
	if body := w.Body.String(); w.Code != 200 || strings.Count(body, `"kty":"OKP"`) != 1 || strings.Contains(body, `"d"`) {
		t.Errorf("%d %s", w.Code, body)
	}
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	s.register(t, "bob@example.com")
	bob, cookie := s.login(t, "bob@example.com"), s.cookie(t, "ann@example.com")
	ann := s.login(t, "ann@example.com")
	list := func(header string) (ids []string) {
		t.Helper()
		w := s.do("GET", "/api/auth/sessions", "", header)
		var page struct {
			Items []map[string]any `json:"items"`
			Next  *string          `json:"next_page_id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 || page.Next != nil {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		for _, one := range page.Items {
			if len(one) != 9 {
				t.Errorf("a session of %d members: %v", len(one), one)
			}
			if _, err := time.Parse(time.RFC3339, one["last_seen_at"].(string)); err != nil {
				t.Error(err)
			}
			if one["current"] == true {
				ids = append([]string{one["id"].(string)}, ids...)
			} else {
				ids = append(ids, one["id"].(string))
			}
		}
		return ids
	}
	mine := list(ann)
	if len(mine) != 2 || len(list(bob)) != 1 || mine[0] == list(cookie)[0] {
		t.Fatalf("mine %v, of the cookie %v, bob's %v", mine, list(cookie), list(bob))
	}
	for _, path := range []string{"/" + list(bob)[0], "/" + strings.Repeat("0", 32), "/x", "/'"} {
		expect(t, s.do("DELETE", "/api/auth/sessions"+path, "", ann), 404, `{"detail":"Not Found"}`)
	}
	w := s.do("DELETE", "/api/auth/sessions/"+mine[1], "", ann)
	expect(t, w, 204, "")
	if w.Header().Get("Set-Cookie") != "" {
		t.Error("a cookie goes where none came")
	}
	expect(t, s.do("GET", "/api/users/me", "", cookie), 401, `{"detail":"Unauthorized"}`)
	cookie = s.cookie(t, "ann@example.com")
	expect(t, s.do("DELETE", "/api/auth/sessions?all=yes", "", ann), 422, `{"detail":[{"type":"value_error","loc":["query","all"],"msg":"…","input":"yes","ctx":{"reason":"…"}}]}`)
	expect(t, s.do("DELETE", "/api/auth/sessions", "", cookie), 204, "")
	expect(t, s.do("GET", "/api/users/me", "", ann), 401, `{"detail":"Unauthorized"}`)
	if ids := list(cookie); len(ids) != 1 {
		t.Errorf("left: %v", ids)
	}
	w = s.do("DELETE", "/api/auth/sessions?all=true", "", cookie)
	expect(t, w, 204, "")
	if len(w.Result().Cookies()) != 1 || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Errorf("the cookie stays: %v", w.Header())
	}
	expect(t, s.do("GET", "/api/auth/sessions", "", cookie), 401, `{"detail":"Unauthorized"}`)
	if len(list(bob)) != 1 {
		t.Error("bob was signed out, too")
	}
}

func TestPagesOfSessions(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	var ann string
	for range 3 {
		ann = s.login(t, "ann@example.com")
	}
	var seen []string
	for path, n := "/api/auth/sessions?limit=2", 0; path != "" && n < 3; n++ {
		var page struct {
			Items []auth.Session `json:"items"`
			Next  string         `json:"next_page_id"`
		}
		w := s.do("GET", path, "", ann)
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil {
			t.Fatal(err, w.Body)
		}
		for _, one := range page.Items {
			seen = append(seen, one.ID.String())
		}
		path = ""
		if page.Next != "" {
			path = "/api/auth/sessions?limit=2&page_id=" + page.Next
		}
	}
	sorted := []string{max(seen[0], seen[1], seen[2])}
	if diff := cmp.Diff(sorted, seen[:1]); diff != "" || len(seen) != 3 {
		t.Errorf("%v, %s", seen, diff)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=x", "page_id=x", "page_id=" + strings.Repeat("x", 5000)} {
		if w := s.do("GET", "/api/auth/sessions?"+query, "", ann); w.Code != 422 || w.Body.Len() > 1000 {
			t.Errorf("%.30s: %d, %d bytes", query, w.Code, w.Body.Len())
		}
	}
}

func TestSigningInEndsTheSessionThatTheBrowserCameWith(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "ann@example.com")
	s.register(t, "eve@example.com")
	planted := s.cookie(t, "eve@example.com")
	w := s.do("POST", "/api/auth/cookie/login", "username=ann@example.com&password=wrong", formType, planted)
	expect(t, w, 400, `{"detail":"LOGIN_BAD_CREDENTIALS"}`)
	if w := s.do("GET", "/api/users/me", "", planted); w.Code != 200 {
		t.Errorf("a wrong password ends a session: %d", w.Code)
	}
	w = s.do("POST", "/api/auth/cookie/login", "username=ann@example.com&password=correct+horse", formType, planted)
	expect(t, w, 204, "")
	expect(t, s.do("GET", "/api/users/me", "", planted), 401, `{"detail":"Unauthorized"}`)
	if set := w.Result().Cookies(); len(set) != 1 || strings.Contains(planted, set[0].Value) {
		t.Errorf("set %v", set)
	}
}

func TestAKeyHandlesSessionsOnlyWithTheHighestScope(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	key := func(body string) string {
		_, secret := made(t, s.do("POST", "/api/keys", body, jsonType, bearer))
		return "X-Session-API-Key: " + secret
	}
	administers := key(`{"name":"a","scopes":["admin"]}`)
	writes, bound := key(`{"name":"w","scopes":["write"]}`), key(`{"name":"b","scopes":["admin"],"team_id":"`+team.String()+`"}`)
	for _, r := range [][2]string{{"GET", "/api/auth/sessions"}, {"DELETE", "/api/auth/sessions"}, {"DELETE", "/api/auth/sessions?all=true"}, {"DELETE", "/api/auth/sessions/x"}} {
		expect(t, s.do(r[0], r[1], "", writes), 403, `{"detail":"scope"}`)
		expect(t, s.do(r[0], r[1], "", bound), 403, `{"detail":"bound"}`)
	}
	w := s.do("GET", "/api/auth/sessions", "", administers)
	if w.Code != 200 || strings.Count(w.Body.String(), `"current":false`) != 1 || strings.Contains(w.Body.String(), `"current":true`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	expect(t, s.do("POST", "/api/auth/jwt/logout", "", administers), 403, `{"detail":"Signing out ends a session, and this is an API key. Revoke the key if it should end."}`)
	expect(t, s.do("DELETE", "/api/auth/sessions", "", administers), 204, "")
	expect(t, s.do("GET", "/api/users/me", "", bearer), 401, `{"detail":"Unauthorized"}`)
	if w := s.do("GET", "/api/users/me", "", administers); w.Code != 200 {
		t.Errorf("the key ended with the sessions: %d", w.Code)
	}
}
