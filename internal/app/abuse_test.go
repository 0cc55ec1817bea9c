package app_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/config"
	"github.com/openhands-saas/openhands-saas/internal/app"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func withLimits(cfg *config.Config) { cfg.RateLimits = true }

func TestTooManyGuessesAre429WithRetryAfterInTheAPIAndOnThePage(t *testing.T) {
	t.Parallel()
	s := newSite(t, withLimits)
	s.register("ada@example.com")
	const wrong = "username=ada@example.com&password=wrong"
	for range 5 {
		s.do("POST", "/api/auth/jwt/login", wrong, formType)
	}
	res := s.do("POST", "/api/auth/jwt/login", wrong, formType)
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.HasPrefix(res.body, `{"detail":"You tried this too often.`) {
		t.Errorf("got %d, Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), res.body)
	}
	res = s.do("POST", "/account/login", "email=ada@example.com&password=wrong", formType)
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.body, "You tried this too often.") {
		t.Errorf("the page is %d, Retry-After %q: %s", res.StatusCode, res.Header.Get("Retry-After"), res.body)
	}
}

func TestLimitsCanBeOff(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.register("ada@example.com")
	for range 15 {
		if res := s.do("POST", "/api/auth/jwt/login", "username=ada@example.com&password=wrong", formType); res.StatusCode != http.StatusBadRequest {
			t.Fatalf("got %d %s", res.StatusCode, res.body)
		}
	}
}

func TestOperatorsListMakeAndEndBans(t *testing.T) {
	t.Parallel()
	database := dbtest.URL(t)
	cfg := settings(t, database, newUpstream(t), withLimits)
	s := serve(t, cfg, app.Options{})
	s.register("ada@example.com")
	tools, err := app.OpenTools(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tools.Close() }()
	list := func() string {
		var out bytes.Buffer
		if err := tools.Bans(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := list(); got != "nobody is banned\n" {
		t.Errorf("the list is %q", got)
	}
	if err := tools.Ban(t.Context(), app.BanAccount, "Ada@example.com", time.Hour, "it was stolen"); err != nil {
		t.Fatal(err)
	}
	if got := list(); !strings.Contains(got, "account  ada@example.com") || !strings.Contains(got, `command line  "it was stolen"`) {
		t.Errorf("the list is %q", got)
	}
	const right = "username=ada@example.com&password=correct+horse+battery"
	s.do("POST", "/api/auth/jwt/login", right, formType).want(t, "banned", 400, `{"detail":"LOGIN_BAD_CREDENTIALS"}`)
	if err := tools.Unban(t.Context(), app.BanAccount, "ada@example.com"); err != nil {
		t.Fatal(err)
	}
	if res := s.do("POST", "/api/auth/jwt/login", right, formType); res.StatusCode != http.StatusOK {
		t.Errorf("after the ban: %d %s", res.StatusCode, res.body)
	}
}

// hook is an operator's service that is asked about registrations.
type hook struct {
	*httptest.Server
	asked chan map[string]string
}

func newHook(t *testing.T, status int) *hook {
	h := &hook{asked: make(chan map[string]string, 10)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question := map[string]string{}
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &question) != nil {
			t.Errorf("asked by %s with %q", r.Method, body)
		}
		h.asked <- question
		http.Redirect(w, r, "/elsewhere", status)
	}))
	t.Cleanup(h.Close)
	return h
}

func TestTheOperatorsServiceDecidesWhoRegisters(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		status int
		body   string
	}{
		200: {201, ""},
		204: {201, ""},
		400: {403, `{"detail":"REGISTRATION_REFUSED"}`},
		403: {403, `{"detail":"REGISTRATION_REFUSED"}`},
		302: {503, `{"detail":"Whether you may register cannot be found out at this moment. Try again in a minute."}`},
		500: {503, `{"detail":"Whether you may register cannot be found out at this moment. Try again in a minute."}`},
	} {
		h := newHook(t, status)
		s := newSite(t, func(cfg *config.Config) { cfg.RegistrationHookURL = h.URL })
		res := s.do("POST", "/api/auth/register", `{"email":"Ada@Example.com","password":"correct horse battery"}`,
			jsonType, "X-Registration-Proof: 1234", "User-Agent: test")
		if res.StatusCode != want.status || want.body != "" && res.body != want.body {
			t.Errorf("%d: got %d %s", status, res.StatusCode, res.body)
		}
		if got := <-h.asked; got["email"] != "Ada@Example.com" || got["ip"] != "127.0.0.1" || got["user_agent"] != "test" || got["answer"] != "1234" || len(got) != 4 {
			t.Errorf("%d: asked %v", status, got)
		}
		res = s.do("POST", "/api/auth/register", `{"email":"ada@example.com","password":"short"}`, jsonType)
		if res.StatusCode != http.StatusBadRequest || len(h.asked) > 0 {
			t.Errorf("%d: a password that is refused: %d, asked %d times", status, res.StatusCode, len(h.asked))
		}
	}
}

func TestWhenTheOperatorsServiceIsAwayNobodyRegisters(t *testing.T) {
	t.Parallel()
	h := newHook(t, 200)
	h.Close()
	s := newSite(t, func(cfg *config.Config) { cfg.RegistrationHookURL = h.URL })
	res := s.do("POST", "/api/auth/register", `{"email":"ada@example.com","password":"correct horse battery"}`, jsonType)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %s", res.StatusCode, res.body)
	}
}

func TestADeviceIsSignedInOverHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, withLimits)
	s.register("ada@example.com")
	cookie := s.do("POST", "/account/login", "email=ada@example.com&password=correct+horse+battery", formType).Header.Get("Set-Cookie")
	cookie, _, _ = strings.Cut(cookie, ";")
	grant := map[string]any{}
	res := s.do("POST", "/api/auth/device/code", "client_id=my+tool&scope=read", formType, "User-Agent: tool/1")
	if err := json.Unmarshal([]byte(res.body), &grant); err != nil || res.StatusCode != 200 || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %d %s", res.StatusCode, res.body)
	}
	code, _ := grant["user_code"].(string)
	page, _ := grant["verification_uri"].(string)
	if !strings.HasPrefix(page, "http://") || !strings.HasSuffix(page, "/account/device") || grant["verification_uri_complete"] != page+"?user_code="+code ||
		grant["expires_in"] != 600.0 || grant["interval"] != 5.0 {
		t.Errorf("the grant is %s", res.body)
	}
	token := func(contentType, body string) answer {
		return s.do("POST", "/api/auth/device/token", body, contentType)
	}
	deviceCode, _ := grant["device_code"].(string)
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {deviceCode}}.Encode()
	token(formType, form).want(t, "early", 400, `{"detail":"Nobody has approved this yet. Ask again after the interval.","error":"authorization_pending"}`)
	token(jsonType, `{"grant_type":"urn:ietf:params:oauth:grant-type:device_code","device_code":"`+deviceCode+`"}`).
		want(t, "too early", 400, `{"detail":"You ask too often. From now on, wait five seconds longer between two requests.","error":"slow_down"}`)

	shown := s.do("GET", "/account/device?user_code="+code, "", "Cookie: "+cookie)
	if shown.StatusCode != 200 || !strings.Contains(shown.body, `value="`+code+`"`) || strings.Contains(shown.body, "Approve") {
		t.Errorf("the page is %d: %s", shown.StatusCode, shown.body)
	}
	shown = s.do("POST", "/account/device", "user_code="+strings.ToLower(code), formType, "Cookie: "+cookie)
	for _, text := range []string{"my tool", "127.0.0.1", "less than a minute ago", "read what you can", "Approve only if you started this yourself", "ada@example.com"} {
		if !strings.Contains(shown.body, text) {
			t.Errorf("the page lacks %q: %s", text, shown.body)
		}
	}
	shown = s.do("POST", "/account/device", "decision=approve&user_code="+code, formType, "Cookie: "+cookie)
	if shown.StatusCode != 200 || !strings.Contains(shown.body, "The device is signed in") {
		t.Errorf("the page is %d: %s", shown.StatusCode, shown.body)
	}
	var key struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	res = token(formType, form)
	if err := json.Unmarshal([]byte(res.body), &key); err != nil || key.Type != "bearer" {
		t.Fatalf("got %d %s", res.StatusCode, res.body)
	}
	if me := s.do("GET", "/api/users/me", "", "Authorization: Bearer "+key.Token); me.StatusCode != 200 || !strings.Contains(me.body, "ada@example.com") {
		t.Errorf("the key: %d %s", me.StatusCode, me.body)
	}
	token(formType, form).want(t, "again", 400, `{"detail":"The device code is unknown, or it was used already. Begin anew.","error":"invalid_grant"}`)
}

func TestStrangersAreSentToSignInAndComeBackToTheDevice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.register("ada@example.com")
	res := s.do("GET", "/account/device?user_code=bcdf+ghjk", "")
	if to := res.Header.Get("Location"); res.StatusCode != 303 || to != "/account/login?return=%2Faccount%2Fdevice%3Fuser_code%3DBCDF-GHJK" {
		t.Errorf("got %d to %q", res.StatusCode, to)
	}
	res = s.do("POST", "/account/login", "email=ada@example.com&password=correct+horse+battery&return=%2Faccount%2Fdevice%3Fuser_code%3DBCDF-GHJK", formType)
	if to := res.Header.Get("Location"); to != "/account/device?user_code=BCDF-GHJK" {
		t.Errorf("after signing in: to %q", to)
	}
	if res = s.do("POST", "/account/device", "decision=approve&user_code=BCDF-GHJK", formType); res.StatusCode != 303 {
		t.Errorf("a stranger decides: %d", res.StatusCode)
	}
}

func TestRequestsOfDevicesThatAreWrongAreOAuthErrors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct{ path, body, contentType, code string }{
		{"token", "", formType, "invalid_request"},
		{"token", "grant_type=password", formType, "unsupported_grant_type"},
		{"token", "grant_type=urn:ietf:params:oauth:grant-type:device_code", formType, "invalid_request"},
		{"token", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x", formType, "invalid_grant"},
		{"token", `{`, jsonType, "invalid_request"},
		{"token", `[]`, jsonType, "invalid_request"},
		{"token", `{"grant_type":5}`, jsonType, "invalid_request"},
		{"code", `{"scope":"admin"}`, jsonType, "invalid_scope"},
		{"code", `{"name":["x"]}`, jsonType, "invalid_request"},
	} {
		res := s.do("POST", "/api/auth/device/"+c.path, c.body, c.contentType)
		if res.StatusCode != 400 || !strings.Contains(res.body, `"error":"`+c.code+`"`) || !strings.Contains(res.body, `"detail":"`) {
			t.Errorf("%s %q: got %d %s, want %s", c.path, c.body, res.StatusCode, res.body, c.code)
		}
	}
}
