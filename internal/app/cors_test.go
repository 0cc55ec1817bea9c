package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/openhands-saas/openhands-saas/config"
)

const (
	canvasElsewhere = "Origin: https://canvas.example.org"
	unauthorized    = `{"detail":"Unauthorized"}`
)

func permitting(cfg *config.Config) {
	cfg.PermittedCORSOrigins = []string{"https://Canvas.example.org:443", "http://127.0.0.1:9999"}
}

// bearer registers somebody and returns their Authorization header.
func (s *site) bearer(email string) string {
	s.t.Helper()
	if res := s.do("POST", "/api/auth/register", `{"email":"`+email+`","password":"correct horse"}`, jsonType); res.StatusCode != http.StatusCreated {
		s.t.Fatalf("register: %d %s", res.StatusCode, res.body)
	}
	res := s.do("POST", "/api/auth/jwt/login", "username="+email+"&password=correct+horse", formType)
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(res.body), &token); err != nil || token.AccessToken == "" {
		s.t.Fatalf("login: %d %s", res.StatusCode, res.body)
	}
	return "Authorization: Bearer " + token.AccessToken
}

func TestAPermittedOriginMayAskWhatItMaySend(t *testing.T) {
	t.Parallel()
	s := newSite(t, permitting)
	asked := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type, x-session-api-key"}
	for _, path := range []string{"/api/conversations", "/api/teams", "/api/auth/users/me", "/api/nothing", "/sockets/events/x"} {
		res := s.do("OPTIONS", path, "", append(asked, canvasElsewhere)...)
		h := res.Header
		if res.StatusCode != http.StatusNoContent || h.Get("Access-Control-Allow-Origin") != "https://canvas.example.org" ||
			!strings.Contains(h.Get("Access-Control-Allow-Methods"), "DELETE") || h.Get("Access-Control-Allow-Headers") != "content-type, x-session-api-key" {
			t.Errorf("%s: %d %v", path, res.StatusCode, h)
		}
		if h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: a browser may send its credentials", path)
		}
	}
	session := append(asked, canvasElsewhere)
	if res := s.do("OPTIONS", "/api/auth/workspace-session", "", session...); res.Header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("a client's own call for files is refused by its browser: %v", res.Header)
	}
	res := s.do("OPTIONS", "/api/teams", "", canvasElsewhere, asked[0], "Access-Control-Request-Headers: x\"<script>")
	if got := res.Header.Get("Access-Control-Allow-Headers"); got != "" {
		t.Errorf("sent back %q", got)
	}
}

func TestAnOriginThatIsNotPermittedIsToldNothing(t *testing.T) {
	t.Parallel()
	s, bare := newSite(t, permitting), newSite(t)
	for _, origin := range []string{
		"https://canvas.example.org.evil.example", "https://xcanvas.example.org", "http://canvas.example.org", "https://canvas.example.org:8443",
		"https://CANVAS.example.org", "null", "https://canvas.example.org/", "https://evil.example", "https://canvas.example.org, https://evil.example", "*",
	} {
		for _, method := range []string{"OPTIONS", "GET"} {
			res := s.do(method, "/api/teams", "", "Origin: "+origin, "Access-Control-Request-Method: GET")
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("%s from %s: allowed %q", method, origin, got)
			}
			if !strings.Contains(res.Header.Get("Vary"), "Origin") {
				t.Errorf("%s from %s: a cache may give it to others", method, origin)
			}
		}
	}
	if res := bare.do("OPTIONS", "/api/teams", "", canvasElsewhere, "Access-Control-Request-Method: GET"); res.Header.Get("Access-Control-Allow-Origin") != "" || res.StatusCode != 405 {
		t.Errorf("nobody is permitted, but: %d %v", res.StatusCode, res.Header)
	}
}

func TestAPermittedOriginActsByItsKeyAndNeverByACookie(t *testing.T) {
	t.Parallel()
	s := newSite(t, permitting, anonymous)
	bearer := s.bearer("ann@example.com")
	key := "X-Session-API-Key: " + strings.TrimPrefix(bearer, "Authorization: Bearer ")
	login := s.do("POST", "/api/auth/cookie/login", "username=ann@example.com&password=correct+horse", formType)
	cookie := "Cookie: " + strings.SplitN(login.Header.Get("Set-Cookie"), ";", 2)[0]

	for what, headers := range map[string][]string{"a token": {bearer}, "a key": {key}, "a token beside the cookie": {bearer, cookie}} {
		res := s.do("POST", "/api/teams", `{"name":"Reds"}`, append(headers, canvasElsewhere, jsonType, "Sec-Fetch-Site: cross-site")...)
		if res.StatusCode != http.StatusCreated || res.Header.Get("Access-Control-Allow-Origin") != "https://canvas.example.org" {
			t.Errorf("%s: %d %s %v", what, res.StatusCode, res.body, res.Header)
		}
	}
	for what, headers := range map[string][]string{"the cookie": {cookie}, "nothing": {}, "the placeholder": {"X-Session-API-Key: cookie", cookie}} {
		for _, path := range []string{"/api/teams", "/api/auth/users/me", "/api/settings", "/account/", "/api/auth/workspace-session"} {
			res := s.do("GET", path, "", append(headers, canvasElsewhere)...)
			res.want(t, what+" at "+path, http.StatusUnauthorized, unauthorized)
		}
	}
	res := s.do("POST", "/api/auth/jwt/login", "username=ann@example.com&password=correct+horse", formType, canvasElsewhere)
	res.want(t, "a password from a foreign page", http.StatusUnauthorized, unauthorized)
	if res := s.do("GET", "/health", "", canvasElsewhere); res.StatusCode != http.StatusOK || res.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("health: %d %v", res.StatusCode, res.Header)
	}
	bad := s.do("GET", "/api/teams", "", canvasElsewhere, "X-Session-API-Key: nonsense")
	if bad.want(t, "a bad key", http.StatusUnauthorized, unauthorized); bad.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Error("the page cannot read why it was refused")
	}
}

func TestAKeyIsNotRefusedForThePageThatSendsIt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bearer := s.bearer("ann@example.com")
	if res := s.do("POST", "/api/teams", `{"name":"Reds"}`, bearer, jsonType, "Origin: https://evil.example"); res.StatusCode != http.StatusCreated {
		t.Errorf("%d %s", res.StatusCode, res.body)
	}
}
