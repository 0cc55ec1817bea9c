package app_test

import (
	"net/http"
	"strings"
	"testing"
)

// plant has somebody add to the user's account what one can come in by again.
func (u user) plant() (key string) {
	u.t.Helper()
	key = "X-Session-API-Key: " + u.ask("POST", "/api/keys", `{"name":"later"}`).field(u.t, "key")
	for _, statement := range []string{
		`INSERT INTO identities (id, user_id, provider, issuer, subject, created_at) VALUES (gen_random_uuid(), $1, 'corp', 'https://corp.example.com', 'eve', now())`,
		`INSERT INTO passkeys (id, user_id, rp_id, credential_id, credential, name, created_at) VALUES (gen_random_uuid(), $1, 'localhost', 'x', '{}', 'x', now())`,
		`INSERT INTO totp_factors (user_id, secret, confirmed_at) VALUES ($1, 'x', now() - interval '2 hours')`,
	} {
		if err := u.app.Execute(u.t.Context(), statement, u.id); err != nil {
			u.t.Fatal(err)
		}
	}
	u.do("GET", "/api/users/me", "", key).is(u.t, "the key before", http.StatusOK)
	return key
}

// left is what is left of it: identities, passkeys, authenticator apps.
func (u user) left() string {
	return u.row(`
		SELECT (SELECT count(*) FROM identities WHERE user_id = $1) || ' ' || (SELECT count(*) FROM passkeys WHERE user_id = $1) || ' ' ||
			(SELECT count(*) FROM totp_factors WHERE user_id = $1)`, u.id)
}

// mailed makes a link that was mailed an hour ago, and returns its token.
func (u user) mailed(purpose string) string {
	u.t.Helper()
	token := strings.Repeat("A", 52)
	err := u.app.Execute(u.t.Context(), `
		INSERT INTO one_time_tokens (token_hash, user_id, purpose, email, data, created_at, expires_at)
		SELECT sha256(convert_to($2, 'UTF8')), id, $3, email, '{"verified": true}', now() - interval '1 hour', now() + interval '1 hour' FROM users WHERE id = $1`,
		u.id, token, purpose)
	if err != nil {
		u.t.Fatal(err)
	}
	return token
}

func TestWhoReadsTheMailboxOfAnUnprovedAddressGetsTheAccountForThemself(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	eve := s.person("ann@example.com") // which is not hers
	key := eve.plant()
	s.do("POST", "/api/auth/reset-password", `{"token":"`+eve.mailed("reset")+`","password":"another horse"}`, jsonType).is(t, "reset", http.StatusOK)
	s.do("GET", "/api/users/me", "", key).want(t, "the planted key", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	if left := eve.left(); left != "0 1 1" {
		t.Errorf("identities, passkeys and apps are %s: an identity must go, second factors must not fall to a mailbox", left)
	}
}

func TestWhoTakesAnAddressBackGetsTheAccountForThemself(t *testing.T) {
	t.Parallel()
	s := cheap(t)
	ann := s.person("ann@example.com")
	key := ann.plant()
	s.do("POST", "/account/revert/"+ann.mailed("revert"), "", formType).is(t, "revert", http.StatusOK)
	s.do("GET", "/api/users/me", "", key).want(t, "the planted key", http.StatusUnauthorized, `{"detail":"Unauthorized"}`)
	if left := ann.left(); left != "0 0 1" {
		t.Errorf("identities, passkeys and apps are %s: what is newer than the change must go, what is older must stay", left)
	}
	s.do("POST", "/api/auth/jwt/login", "username=ann@example.com&password="+strings.ReplaceAll(password, " ", "+"), formType).
		want(t, "the password of before", http.StatusBadRequest, `{"detail":"LOGIN_BAD_CREDENTIALS"}`)
}
