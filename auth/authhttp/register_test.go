package authhttp_test

import (
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
)

func TestRegisterAnswers201AndTheUser(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	w := s.do("POST", "/api/auth/register", `{"email":"Ann@Example.com","password":"correct horse"}`, jsonType)
	expect(t, w, 201, `{"id":"ID","email":"Ann@example.com","is_active":true,"is_superuser":false,"is_verified":false,"name":null,"avatar_url":null}`)
	w = s.do("POST", "/api/auth/register", `{"name":"Bob","email":"bob@example.com","password":"correct horse","team_name":5}`, jsonType)
	expect(t, w, 201, `{"id":"ID","email":"bob@example.com","is_active":true,"is_superuser":false,"is_verified":false,"name":"Bob","avatar_url":null}`)
}

func TestRegisterWithTeamAnswers200AndTheUserWithTheTeam(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	w := s.do("POST", "/api/auth/register-with-team", `{"email":"a@example.com","password":"correct horse","name":"Ann","team_name":"Crew"}`, jsonType)
	expect(t, w, 200, `{"id":"ID","email":"a@example.com","is_active":true,"is_superuser":false,"is_verified":false,"name":"Ann","avatar_url":null,
		"team":{"owner_id":"ID","is_personal":true}}`)
	w = s.do("POST", "/api/auth/register-with-team", `{"email":"A@example.com","password":"correct horse"}`, jsonType)
	expect(t, w, 400, `{"detail":"REGISTER_USER_ALREADY_EXISTS"}`)
	w = s.do("POST", "/api/auth/register-with-team", `{"email":"b@example.com","password":"correct horse","name":null,"team_name":""}`, jsonType)
	expect(t, w, 422, `{"detail":[{"type":"string_too_short","loc":["body","team_name"],"msg":"…","input":"","ctx":{"min_length":1}}]}`)
}

func TestRightsCannotBeRegistered(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	w := s.do("POST", "/api/auth/register", `{"email":"a@example.com","password":"correct horse",
		"is_superuser":true,"is_verified":"yes","is_active":null,"id":"1","hashed_password":"x","role":"owner"}`, jsonType)
	expect(t, w, 201, `{"id":"ID","email":"a@example.com","is_active":true,"is_superuser":false,"is_verified":false,"name":null,"avatar_url":null}`)
}

func TestRegisterIsClosedUnlessOpen(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{auth.RegistrationInvite, auth.RegistrationClosed} {
		s := fresh(t, func(c *auth.Config, _ *authhttp.Options) { c.Registration = mode })
		for _, path := range []string{"/api/auth/register", "/api/auth/register-with-team"} {
			expect(t, s.do("POST", path, `{"email":"a@example.com","password":"correct horse"}`, jsonType), 403, `{"detail":"REGISTRATION_CLOSED"}`)
			expect(t, s.do("POST", path, `{}`, jsonType), 403, `{"detail":"REGISTRATION_CLOSED"}`)
			expect(t, s.do("POST", path, `{`, jsonType), 422,
				`{"detail":[{"type":"json_invalid","loc":["body",1],"msg":"…","input":{},"ctx":{"error":"…"}}]}`)
		}
	}
}

func TestRegisterRefusesInTheContractsWords(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	s.register(t, "taken@example.com")
	fault := func(kind, loc, input string) string {
		return `{"type":"` + kind + `","loc":["body","` + loc + `"],"msg":"…","input":` + input + `}`
	}
	all := func(faults ...string) string { return `{"detail":[` + strings.Join(faults, ",") + `]}` }
	badEmail := func(input string) string {
		return `{"type":"value_error","loc":["body","email"],"msg":"…","input":` + input + `,"ctx":{"reason":"…"}}`
	}
	const badPassword = `{"detail":{"code":"REGISTER_INVALID_PASSWORD","reason":"…"}}`
	cases := []struct {
		name, headers, body string
		status              int
		want                string
	}{
		{"no e-mail", jsonType, `{"password":"correct horse","x":1}`, 422, all(fault("missing", "email", `{"password":null,"x":1}`))},
		{"no password", jsonType, `{"email":"a@example.com"}`, 422, all(fault("missing", "password", `{"email":"a@example.com"}`))},
		{"neither", jsonType, `{}`, 422, all(fault("missing", "email", `{}`), fault("missing", "password", `{}`))},
		{"a number as e-mail", jsonType, `{"email":5,"password":"correct horse"}`, 422, all(fault("string_type", "email", `5`))},
		{"an object as e-mail", jsonType, `{"email":{"a":[1]},"password":"correct horse"}`, 422, all(fault("string_type", "email", `{"a":[1]}`))},
		{"true as e-mail", jsonType, `{"email":true,"password":"correct horse"}`, 422, all(fault("string_type", "email", `true`))},
		{"null as e-mail", jsonType, `{"email":null,"password":"correct horse"}`, 422, all(fault("string_type", "email", `null`))},
		{"null as password", jsonType, `{"email":"a@example.com","password":null}`, 422, all(fault("string_type", "password", `null`))},
		{"a number as password is not echoed", jsonType, `{"email":"a@example.com","password":12345678}`, 422, all(fault("string_type", "password", `null`))},
		{"NaN as e-mail", jsonType, `{"email":NaN,"password":"correct horse"}`, 422, all(fault("string_type", "email", `null`))},
		{"an unpaired surrogate in the password", jsonType, `{"email":"a@example.com","password":"correct \udfff horse"}`, 422,
			all(fault("string_unicode", "password", `null`))},
		{"an unpaired surrogate in the e-mail", jsonType, `{"email":"\ud800@example.com","password":"correct horse"}`, 422,
			all(fault("string_unicode", "email", `null`))},
		{"a bad e-mail", jsonType, `{"email":"a@localhost","password":"correct horse"}`, 422, all(badEmail(`"a@localhost"`))},
		{"an empty e-mail", jsonType, `{"email":"","password":"correct horse"}`, 422, all(badEmail(`""`))},
		{"a NUL in the e-mail", jsonType, `{"email":"a\u0000@example.com","password":"correct horse"}`, 422, all(badEmail(`"a�@example.com"`))},
		{"a NUL in the name", jsonType, `{"email":"a@example.com","password":"correct horse","name":"a\u0000"}`, 422,
			all(`{"type":"value_error","loc":["body","name"],"msg":"…","input":"a�","ctx":{"reason":"…"}}`)},
		{"a name of 256 characters", jsonType, `{"email":"a@example.com","password":"correct horse","name":"` + strings.Repeat("ü", 256) + `"}`, 422,
			all(`{"type":"string_too_long","loc":["body","name"],"msg":"…","input":"` + strings.Repeat("ü", 256) + `","ctx":{"max_length":255}}`)},
		{"a number as name", jsonType, `{"email":"a@example.com","password":"correct horse","name":1}`, 422, all(fault("string_type", "name", `1`))},
		{"an unreadable flag", jsonType, `{"email":"a@example.com","password":"correct horse","is_active":"maybe"}`, 422,
			all(fault("bool_parsing", "is_active", `"maybe"`))},
		{"a flag of 2", jsonType, `{"email":"a@example.com","password":"correct horse","is_verified":2}`, 422, all(fault("bool_parsing", "is_verified", `2`))},
		{"a flag that is an object", jsonType, `{"email":"a@example.com","password":"correct horse","is_superuser":{}}`, 422,
			all(fault("bool_type", "is_superuser", `{}`))},
		{"a flag that is a list", jsonType, `{"email":"a@example.com","password":"correct horse","is_superuser":[1]}`, 422,
			all(fault("bool_type", "is_superuser", `[1]`))},
		{"all faults, in the declared order", jsonType, `{"name":[],"is_verified":"x","is_superuser":[],"is_active":3,"password":1,"email":"x"}`, 422,
			all(badEmail(`"x"`), fault("string_type", "password", `null`), fault("bool_parsing", "is_active", `3`),
				fault("bool_type", "is_superuser", `[]`), fault("bool_parsing", "is_verified", `"x"`), fault("string_type", "name", `[]`))},

		{"JSON that does not parse", jsonType, `{"email":"a@example.com",}`, 422,
			`{"detail":[{"type":"json_invalid","loc":["body",25],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"something behind the JSON", jsonType, `{} {}`, 422, `{"detail":[{"type":"json_invalid","loc":["body",3],"msg":"…","input":{},"ctx":{"error":"…"}}]}`},
		{"no UTF-8", jsonType, "{\"email\":\"\xe4@example.com\"}", 400, `{"detail":"There was an error parsing the body"}`},
		{"no body", jsonType, ``, 422, `{"detail":[{"type":"missing","loc":["body"],"msg":"…","input":null}]}`},
		{"null", jsonType, `null`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":null}]}`},
		{"a list", jsonType, `["x"]`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":["x"]}]}`},
		{"a text", jsonType, `"x"`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"x"}]}`},
		{"a number", jsonType, `7`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":7}]}`},
		{"a form", formType, `email=a%40example.com`, 422,
			`{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"email=a%40example.com"}]}`},
		{"text/json", "Content-Type: text/json", `{"a":1}`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"{\"a\":1}"}]}`},
		{"no content type", "X-Nothing: 1", `{"a":1}`, 422, `{"detail":[{"type":"model_attributes_type","loc":["body"],"msg":"…","input":"{\"a\":1}"}]}`},
		{"too much", jsonType, `{"email":"` + strings.Repeat("a", 70_000) + `"}`, 413, `{"detail":"The request body is longer than 65536 bytes. Send less."}`},

		{"an empty password is a value", jsonType, `{"email":"a@example.com","password":""}`, 400, badPassword},
		{"a short password", jsonType, `{"email":"a@example.com","password":"1234567"}`, 400, badPassword},
		{"the local part in the password", jsonType, `{"email":"Taylor@example.com","password":"xxtAYLORxx"}`, 400, badPassword},
		{"the password rule goes first", jsonType, `{"email":"taken@example.com","password":"short"}`, 400, badPassword},
		{"a taken address in other letters", jsonType, `{"email":"TAKEN@EXAMPLE.COM","password":"correct horse"}`, 400,
			`{"detail":"REGISTER_USER_ALREADY_EXISTS"}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			expect(t, s.do("POST", "/api/auth/register", c.body, c.headers), c.status, c.want)
			expect(t, s.do("POST", "/api/auth/register-with-team", c.body, c.headers), c.status, c.want)
		})
	}
}

func TestJSONContentTypesThatAreRead(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	for i, contentType := range []string{"application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "application/json;x"} {
		email := string(rune('a'+i)) + "@example.com"
		w := s.do("POST", "/api/auth/register", ` {"email":"x","email":"`+email+`","password":"correct horse"} `, "Content-Type: "+contentType)
		if w.Code != 201 {
			t.Errorf("%s: %d %s", contentType, w.Code, w.Body)
		}
	}
}

func TestRegisterAndLoginNeverLookAtCredentials(t *testing.T) {
	t.Parallel()
	s := fresh(t, nil)
	const broken = "Authorization: Basic nonsense"
	w := s.do("POST", "/api/auth/register", `{"email":"a@example.com","password":"correct horse"}`, jsonType, broken)
	if w.Code != 201 {
		t.Errorf("register: %d", w.Code)
	}
	w = s.do("POST", "/api/auth/jwt/login", "username=a@example.com&password=correct+horse", formType, broken)
	if w.Code != 200 {
		t.Errorf("login: %d", w.Code)
	}
	if set := w.Header().Values("Set-Cookie"); len(set) > 0 {
		t.Errorf("a cookie was set: %q", set)
	}
}
