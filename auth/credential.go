package auth

import (
	"net/http"
	"strings"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// placeholder is what the Canvas UI sends as its key when the cookie is what counts.
const placeholder = "cookie"

var errTwoCredentials = problem.New(http.StatusBadRequest,
	"The request carries two different credentials. Send one: Authorization or X-Session-API-Key.")

// CredentialFrom is the one extractor of credentials. It looks at Authorization, at X-Session-API-Key, on WebSocket upgrades at
// the query's session_api_key, and at the cookie; what comes first counts. Different credentials outside the cookie are a 400, a
// malformed one is a 401 and never "none".
func CredentialFrom(r *http.Request, cookieName string) (access.Credential, error) {
	bearer, err := bearerFrom(r)
	if err != nil {
		return access.Credential{}, err
	}
	key, err := keyFrom(r)
	switch {
	case err != nil:
		return access.Credential{}, err
	case bearer != "" && key != "" && bearer != key:
		return access.Credential{}, errTwoCredentials
	case bearer != "":
		return access.Credential{Form: access.FormBearer, Token: bearer}, nil
	case key != "":
		return access.Credential{Form: access.FormKey, Token: key}, nil
	}
	return CookieFrom(r, cookieName), nil
}

// CookieFrom returns the browser session's credential alone, or none.
func CookieFrom(r *http.Request, cookieName string) access.Credential {
	cookie, err := r.Cookie(cookieName)
	if err != nil || cookie.Value == "" {
		return access.Credential{}
	}
	return access.Credential{Form: access.FormCookie, Token: cookie.Value}
}

// bearerFrom reads the Authorization header: the scheme in any letter case, a blank, the token with blanks around it. Several
// must be one: a proxy in front might have judged another than we.
func bearerFrom(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	for _, other := range headers {
		if other != headers[0] {
			return "", errTwoCredentials
		}
	}
	header := r.Header.Get("Authorization")
	if header == "" {
		return "", nil
	}
	scheme, token, _ := strings.Cut(header, " ")
	token = strings.Trim(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
		return "", problem.Unauthorized
	}
	return token, nil
}

// keyFrom reads what OpenHands' clients send as a session key.
func keyFrom(r *http.Request) (string, error) {
	found := ""
	for _, key := range keysOf(r) {
		switch {
		case key == "" || key == placeholder:
		case !isToken(key):
			return "", problem.Unauthorized
		case found != "" && found != key:
			return "", errTwoCredentials
		default:
			found = key
		}
	}
	return found, nil
}

func keysOf(r *http.Request) []string {
	keys := r.Header.Values("X-Session-API-Key")
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		keys = append(keys[:len(keys):len(keys)], r.URL.Query()["session_api_key"]...)
	}
	return keys
}

// isToken accepts the characters that tokens and keys of any kind are made of (RFC 6750).
func isToken(s string) bool { return s != "" && onlyTokenChars(s) }

// onlyTokenChars goes by bytes, because every request asks it of some hundred.
func onlyTokenChars(s string) bool {
	for i := range len(s) {
		if !isAlphanumeric(rune(s[i])) && strings.IndexByte("-._~+/=", s[i]) < 0 {
			return false
		}
	}
	return true
}
