package app_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/descope/virtualwebauthn"
	"github.com/google/uuid"
	"github.com/pquerna/otp/totp"

	"github.com/openhands-saas/openhands-saas/config"
)

// holder is somebody with a token, who may have an authenticator app.
type holder struct {
	*site
	email, token, secret string
	codes                []string
}

func (s *site) holder(email string) *holder {
	s.t.Helper()
	m := &holder{site: s, email: s.register(email)}
	res := m.login()
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("login: %d %s", res.StatusCode, res.body)
	}
	m.token = field[string](s.t, res, "access_token")
	return m
}

func (m *holder) login(more ...string) answer {
	m.t.Helper()
	form := url.Values{"username": {m.email}, "password": {password}}
	for _, scope := range more {
		form.Set("scope", scope)
	}
	return m.do("POST", "/api/auth/jwt/login", form.Encode(), formType)
}

func (m *holder) call(method, path, body string) answer {
	m.t.Helper()
	headers := []string{"Authorization: Bearer " + m.token}
	if body != "" {
		headers = append(headers, jsonType)
	}
	return m.do(method, path, body, headers...)
}

// field reads one member of a JSON object.
func field[T any](t *testing.T, a answer, name string) T {
	t.Helper()
	var object map[string]json.RawMessage
	var value T
	if err := json.Unmarshal([]byte(a.body), &object); err != nil {
		t.Fatalf("%d %s: %v", a.StatusCode, a.body, err)
	}
	if err := json.Unmarshal(object[name], &value); err != nil {
		t.Fatalf("%s in %d %s: %v", name, a.StatusCode, a.body, err)
	}
	return value
}

func (a answer) is(t *testing.T, what string, status int) answer {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("%s: %d %s, want %d", what, a.StatusCode, a.body, status)
	}
	return a
}

// code is what the app shows; the next one, where this one was used.
func (m *holder) code(steps int) string {
	m.t.Helper()
	code, err := totp.GenerateCode(m.secret, time.Now().Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		m.t.Fatal(err)
	}
	return code
}

func (m *holder) enrol() *holder {
	m.t.Helper()
	m.secret = field[string](m.t, m.call("POST", "/api/auth/factors/totp", "").is(m.t, "enrol", 201), "secret")
	m.codes = field[[]string](m.t, m.call("POST", "/api/auth/factors/totp/confirm", `{"code":"`+m.code(0)+`"}`).is(m.t, "confirm", 200), "recovery_codes")
	return m
}

func TestSigningInWithASecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.holder("ann@example.com").enrol()

	wants := m.login().is(t, "login", 400)
	if field[string](t, wants, "detail") != "LOGIN_SECOND_FACTOR_REQUIRED" || field[int](t, wants, "expires_in") != 300 ||
		strings.Join(field[[]string](t, wants, "methods"), " ") != "totp recovery" {
		t.Errorf("login says %s", wants.body)
	}
	challenge := field[string](t, wants, "challenge")
	m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`","code":"000000"}`, jsonType).want(t, "a wrong code", 400, `{"detail":"LOGIN_BAD_SECOND_FACTOR"}`)
	m.do("POST", "/api/auth/cookie/login/factor", `{"challenge":"`+challenge+`","code":"`+m.code(1)+`"}`, jsonType).want(t, "another kind", 400, `{"detail":"LOGIN_BAD_CHALLENGE"}`)
	m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`"}`, jsonType).is(t, "nothing shown", 422)
	m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`","code":"1","recovery_code":"2"}`, jsonType).is(t, "two shown", 422)
	m.do("POST", "/api/auth/jwt/login/factor", `{"code":"1"}`, jsonType).is(t, "no challenge", 422)
	token := m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`","code":"`+m.code(1)+`"}`, jsonType).is(t, "the right code", 200)
	if token.body != `{"access_token":"`+field[string](t, token, "access_token")+`","token_type":"bearer"}` {
		t.Errorf("the answer is %s", token.body)
	}

	challenge = field[string](t, m.login("offline_access"), "challenge")
	offline := m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`","recovery_code":"`+m.codes[0]+`"}`, jsonType).is(t, "offline", 200)
	if field[string](t, offline, "refresh_token") == "" {
		t.Error("no refresh token came")
	}

	form := url.Values{"username": {m.email}, "password": {password}}.Encode()
	challenge = field[string](t, m.do("POST", "/api/auth/cookie/login", form, formType).is(t, "cookie login", 400), "challenge")
	res := m.do("POST", "/api/auth/cookie/login/factor", `{"challenge":"`+challenge+`","recovery_code":"`+m.codes[1]+`"}`, jsonType).is(t, "cookie", 204)
	if len(res.Cookies()) != 1 {
		t.Errorf("cookies %v", res.Cookies())
	}
}

func TestWithoutTheSecondFactorThatIsDemandedOnlyTheWayToItIsOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.SecondFactor = config.SecondFactorAll })
	m := s.holder("ann@example.com")
	const closed = `{"detail":"SECOND_FACTOR_REQUIRED"}`
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/api/teams", ""},
		{"POST", "/api/teams", `{"name":"Red"}`},
		{"GET", "/api/keys", ""},
		{"POST", "/api/keys", `{"name":"key"}`},
		{"GET", "/api/auth/sessions", ""},
		{"PATCH", "/api/users/me", `{"password":"another horse"}`},
		{"GET", "/api/conversations/search", ""},
		{"POST", "/api/conversations", `{}`},
		{"GET", "/api/settings", ""},
		{"GET", "/api/unheard-of", ""},
		{"GET", "/api/admin/users", ""},
	} {
		m.call(c.method, c.path, c.body).want(t, c.method+" "+c.path, 403, closed)
	}
	m.call("GET", "/api/users/me", "").is(t, "me", 200)
	if list := m.call("GET", "/api/auth/factors", "").is(t, "factors", 200); !field[bool](t, list, "required") {
		t.Errorf("factors %s", list.body)
	}
	page := m.do("GET", "/api/conversations/search?limit=1", "", "Authorization: Bearer "+m.token, "Accept: text/html", "Sec-Fetch-Mode: navigate")
	if page.StatusCode != 302 || page.Header.Get("Location") != "/account/security?return=%2Fapi%2Fconversations%2Fsearch%3Flimit%3D1" {
		t.Errorf("a page leads to %d %s", page.StatusCode, page.Header.Get("Location"))
	}

	m.enrol()
	m.call("GET", "/api/teams", "").is(t, "teams", 200)
	m.call("GET", "/api/conversations/search", "").is(t, "conversations", 200)
	m.call("DELETE", "/api/auth/factors/totp", "").is(t, "remove the last", 409)
	m.call("POST", "/api/auth/jwt/logout", "").is(t, "logout", 204)
}

func TestSigningOutNeedsNoSecondFactor(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.SecondFactor = config.SecondFactorAll })
	s.holder("ann@example.com").call("POST", "/api/auth/jwt/logout", "").is(t, "logout", 204)
}

func TestOwnersOfSharedTeamsMustHaveASecondFactorWhereThatIsThePolicy(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.SecondFactor = config.SecondFactorOwners })
	m := s.holder("ann@example.com")
	m.call("GET", "/api/teams", "").is(t, "with a personal team only", 200)
	m.call("POST", "/api/teams", `{"name":"Red"}`).is(t, "a shared team", 201)
	m.call("GET", "/api/teams", "").is(t, "an owner", 403)
	m.enrol()
	m.call("GET", "/api/teams", "").is(t, "with a factor", 200)
}

func TestATeamDemandsASecondFactorOfItsMembersForItselfAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, guest := s.holder("ann@example.com"), s.holder("bob@example.com")
	team := field[string](t, owner.call("POST", "/api/teams", `{"name":"Red"}`), "id")
	owner.call("POST", "/api/teams/"+team+"/members", `{"email":"bob@example.com","role":"admin"}`).is(t, "add", 201)
	policy := "/api/teams/" + team + "/policy"
	const on, off = `{"require_second_factor":true}`, `{"require_second_factor":false}`

	owner.call("PUT", policy, on).want(t, "an owner without a factor", 403, `{"detail":"SECOND_FACTOR_REQUIRED"}`)
	guest.call("PUT", policy, on).is(t, "an admin", 403)
	s.holder("eve@example.com").call("PUT", policy, on).is(t, "a stranger", 404)
	owner.enrol()
	owner.call("PUT", policy, `{}`).is(t, "nothing said", 422)
	owner.call("PUT", policy, on).is(t, "an owner", 200)

	guest.call("GET", "/api/teams/"+team, "").want(t, "a member without a factor", 403, `{"detail":"SECOND_FACTOR_REQUIRED"}`)
	for _, path := range []string{"/api/conversations/search", "/api/settings"} {
		guest.do("GET", path, "", "Authorization: Bearer "+guest.token, "X-Team-Id: "+team).want(t, path, 403, `{"detail":"SECOND_FACTOR_REQUIRED"}`)
	}
	guest.call("GET", "/api/conversations/search", "").is(t, "their own team", 200)
	owner.call("GET", "/api/teams/"+team, "").is(t, "an owner with a factor", 200)
	guest.enrol()
	guest.call("GET", "/api/teams/"+team, "").is(t, "a member with a factor", 200)
	owner.call("PUT", policy, off).is(t, "off", 200)
}

func TestAKeyOfSomebodyWithoutTheFactorThatIsDemandedIsRefused(t *testing.T) {
	t.Parallel()
	database := ""
	s := newSite(t, func(cfg *config.Config) { database = cfg.DatabaseURL.Reveal() })
	ann, bob := s.holder("ann@example.com"), s.holder("bob@example.com").enrol()
	keys := map[*holder]string{}
	for _, m := range []*holder{ann, bob} {
		keys[m] = field[string](t, m.call("POST", "/api/keys", `{"name":"key","scopes":["read"]}`).is(t, "key", 201), "key")
	}
	strict := newSite(t, func(cfg *config.Config) {
		cfg.DatabaseURL, cfg.SecondFactor = config.Secret(database), config.SecondFactorAll
	})
	strict.do("GET", "/api/teams", "", "X-Session-API-Key: "+keys[ann]).want(t, "a key without a factor", 403, `{"detail":"SECOND_FACTOR_REQUIRED"}`)
	strict.do("GET", "/api/teams", "", "X-Session-API-Key: "+keys[bob]).is(t, "a key with one", 200)
	strict.do("GET", "/api/auth/factors", "", "X-Session-API-Key: "+keys[bob]).is(t, "factors by key", 403)
}

func TestSteppingUpByPassword(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := s.holder("ann@example.com")
	m.call("POST", "/api/auth/step-up", `{"password":"wrong"}`).want(t, "a wrong password", 400, `{"detail":"LOGIN_BAD_CREDENTIALS"}`)
	m.call("POST", "/api/auth/step-up", `{"password":"`+password+`"}`).is(t, "the password", 204)
	m.call("POST", "/api/auth/step-up", `{}`).is(t, "nothing", 422)
	s.do("POST", "/api/auth/step-up", `{"password":"x"}`, jsonType).is(t, "nobody", 401)
	m.enrol()
	m.call("POST", "/api/auth/step-up", `{"password":"`+password+`"}`).want(t, "the password of somebody with a factor", 400, `{"detail":"STEP_UP_NEEDS_SECOND_FACTOR"}`)
	m.call("POST", "/api/auth/step-up", `{"code":"`+m.code(1)+`"}`).is(t, "a code", 204)
}

// passkey is a virtual authenticator of somebody, for the host of https://openhands.example.com.
type passkey struct {
	t    *testing.T
	rp   virtualwebauthn.RelyingParty
	auth virtualwebauthn.Authenticator
	key  virtualwebauthn.Credential
}

func newPasskey(t *testing.T, user string) *passkey {
	t.Helper()
	id, err := uuid.Parse(user)
	if err != nil {
		t.Fatal(err)
	}
	p := &passkey{
		t: t, rp: virtualwebauthn.RelyingParty{ID: "openhands.example.com", Name: "OpenHands", Origin: "https://openhands.example.com"},
		auth: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{UserHandle: id[:]}),
	}
	for len(p.key.ID) == 0 || len(p.key.Key.AttestationData()) != 77 { // of shorter coordinates the library writes too short a form
		p.key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	return p
}

// create and get are the members of a body that answers what was asked.
func (p *passkey) create(asked answer) string {
	p.t.Helper()
	options, err := virtualwebauthn.ParseAttestationOptions(string(field[json.RawMessage](p.t, asked, "options")))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.members(asked, virtualwebauthn.CreateAttestationResponse(p.rp, p.auth, p.key, *options))
}

func (p *passkey) get(asked answer) string {
	p.t.Helper()
	options, err := virtualwebauthn.ParseAssertionOptions(string(field[json.RawMessage](p.t, asked, "options")))
	if err != nil {
		p.t.Fatal(err)
	}
	p.key.Counter++
	return p.members(asked, virtualwebauthn.CreateAssertionResponse(p.rp, p.auth, p.key, *options))
}

func (p *passkey) members(asked answer, credential string) string {
	return `"ceremony":"` + field[string](p.t, asked, "ceremony") + `","credential":` + credential
}

func TestPasskeysByTheAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.PublicURL = "https://openhands.example.com" })
	m := s.holder("ann@example.com")
	key := newPasskey(t, field[string](t, m.call("GET", "/api/users/me", ""), "id"))

	asked := m.call("POST", "/api/auth/factors/passkeys/begin", "").is(t, "begin", 200)
	m.call("POST", "/api/auth/factors/passkeys/finish", `{"ceremony":"x"}`).is(t, "without an answer", 422)
	made := m.call("POST", "/api/auth/factors/passkeys/finish", `{"name":"Laptop",`+key.create(asked)+`}`).is(t, "finish", 201)
	if field[string](t, made, "name") != "Laptop" || len(field[[]string](t, made, "recovery_codes")) != 8 {
		t.Errorf("made %s", made.body)
	}
	path := "/api/auth/factors/passkeys/" + field[string](t, made, "id")
	m.call("PATCH", path, `{"name":"Phone"}`).is(t, "rename", 200)
	m.call("PATCH", "/api/auth/factors/passkeys/none", `{"name":"Phone"}`).is(t, "none", 404)
	if list := m.call("GET", "/api/auth/factors/passkeys", "").is(t, "list", 200); !strings.Contains(list.body, `"name":"Phone"`) {
		t.Errorf("list %s", list.body)
	}

	challenge := field[string](t, m.login().is(t, "login", 400), "challenge")
	asked = m.do("POST", "/api/auth/login/factor/passkey", `{"challenge":"`+challenge+`"}`, jsonType).is(t, "ask", 200)
	m.do("POST", "/api/auth/jwt/login/factor", `{"challenge":"`+challenge+`",`+key.get(asked)+`}`, jsonType).is(t, "as a second factor", 200)
	m.do("POST", "/api/auth/login/factor/passkey", `{"challenge":"`+challenge+`"}`, jsonType).want(t, "ask again", 400, `{"detail":"LOGIN_BAD_CHALLENGE"}`)

	begun := m.do("POST", "/api/auth/passkey/begin", "").is(t, "begin alone", 200)
	if len(begun.Cookies()) != 1 || begun.Cookies()[0].Name != "__Host-openhands_passkey" || !begun.Cookies()[0].HttpOnly {
		t.Fatalf("cookies %v", begun.Cookies())
	}
	answered := `{` + key.get(begun) + `}`
	m.do("POST", "/api/auth/passkey/finish", answered, jsonType).want(t, "from another browser", 400, `{"detail":"LOGIN_BAD_SECOND_FACTOR"}`)
	cookie := "Cookie: " + begun.Cookies()[0].Name + "=" + begun.Cookies()[0].Value
	signedIn := m.do("POST", "/api/auth/passkey/finish", answered, jsonType, cookie).is(t, "alone", 204)
	session := ""
	for _, c := range signedIn.Cookies() {
		if c.Name == "__Host-openhands_session" {
			session = "Cookie: " + c.Name + "=" + c.Value
		}
	}
	m.do("GET", "/api/teams", "", session).is(t, "with the session", 200)

	asked = m.do("POST", "/api/auth/step-up/passkey", "", session, "Origin: https://openhands.example.com").is(t, "ask to step up", 200)
	m.do("POST", "/api/auth/step-up", `{`+key.get(asked)+`}`, session, jsonType, "Origin: https://openhands.example.com").is(t, "step up", 204)
	m.do("POST", "/api/auth/step-up", `{`+key.get(asked)+`}`, session, jsonType, "Origin: https://evil.example.com").is(t, "another site's page", 403)
	m.call("DELETE", path, "").is(t, "remove", 204)
}

func TestPasskeysNeedAHostName(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(cfg *config.Config) { cfg.PublicURL = "http://127.0.0.1:3001" })
	m := s.holder("ann@example.com")
	res := m.call("POST", "/api/auth/factors/passkeys/begin", "").is(t, "begin", 503)
	if !strings.Contains(res.body, "names an IP address") {
		t.Errorf("it says %s", res.body)
	}
	s.do("POST", "/api/auth/passkey/begin", "").is(t, "begin alone", 503)
}
