package authhttp_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/auth/authhttp"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// team is one that everybody is in.
var team = uuid.New()

// withKeys is a server with the routes of API keys. now is nil for the real time.
func withKeys(t *testing.T, now func() time.Time) *server {
	t.Helper()
	db := dbtest.New(t)
	keys := apikey.New(apikey.Config{DB: db, Now: now, MayBind: func(_ context.Context, _ *postgres.Tx, _, id uuid.UUID) error {
		if id != team {
			return problem.New(http.StatusNotFound, "Team not found")
		}
		return nil
	}})
	if _, err := db.ExecContext(t.Context(), `INSERT INTO teams (id, name) VALUES ($1, 'Engines')`, team); err != nil {
		t.Fatal(err)
	}
	var h *authhttp.Handlers
	s := serve(t, db, func(c *auth.Config, o *authhttp.Options) { c.Keys, c.Now, o.Keys = keys, now, keys })
	h = authhttp.New(s.auth, authhttp.Options{
		Keys: keys, ClientIP: func(*http.Request) string { return "" }, CheckTeam: func(*http.Request, auth.Identity) error { return nil },
	})
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) {
		for right, text := range map[error]string{access.ErrScope: "scope", access.ErrBound: "bound"} {
			if errors.Is(err, right) {
				err = problem.New(http.StatusForbidden, text)
			}
		}
		problem.Write(c.Response(), err)
	}
	s.echo.GET("/api/keys", h.ListKeys)
	s.echo.POST("/api/keys", h.CreateKey)
	s.echo.GET("/api/keys/current", h.CurrentKey)
	s.echo.GET("/api/keys/:key_id", h.GetKey)
	s.echo.PATCH("/api/keys/:key_id", h.UpdateKey)
	s.echo.DELETE("/api/keys/:key_id", h.RevokeKey)
	s.echo.POST("/api/keys/:key_id/rotate", h.RotateKey)
	return s
}

// made reads a new key.
func made(t *testing.T, w *httptest.ResponseRecorder) (id, secret string) {
	t.Helper()
	var key struct{ ID, Key string }
	if err := json.Unmarshal(w.Body.Bytes(), &key); err != nil || w.Code != http.StatusCreated || !apikey.Plausible(key.Key) {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if kept := w.Header().Get("Cache-Control"); kept != "no-store" {
		t.Errorf("Cache-Control: %q", kept)
	}
	return key.ID, key.Key
}

const anyTime = `"created_at":"…"`

// timeless puts one text for every moment and every secret part.
func timeless(w *httptest.ResponseRecorder, secret string) *httptest.ResponseRecorder {
	var v any
	text := w.Body.String()
	if json.Unmarshal([]byte(text), &v) == nil {
		text = replaced(v)
	}
	if secret != "" {
		text = strings.ReplaceAll(strings.ReplaceAll(text, secret, "SECRET"), secret[:10], "PREFIX")
	}
	w.Body.Reset()
	w.Body.WriteString(text)
	return w
}

func replaced(v any) string {
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name := range v {
				if _, isText := v[name].(string); isText && strings.HasSuffix(name, "_at") {
					v[name] = "…"
				}
				walk(v[name])
			}
		case []any:
			for i := range v {
				walk(v[i])
			}
		}
	}
	walk(v)
	data, _ := json.Marshal(v)
	return string(data)
}

func TestAKeyIsMadeSeenChangedRotatedAndRevoked(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	expect(t, s.do("GET", "/api/keys", "", bearer), 200, `{"items":[],"next_page_id":null}`)

	w := s.do("POST", "/api/keys", `{"name":"laptop","id":"x","prefix":"y"}`, jsonType, bearer)
	id, secret := made(t, w)
	const object = `"id":"ID","name":"laptop","prefix":"PREFIX","team_id":null,"scopes":["read","write"],` + anyTime + `,"last_used_at":null,"expires_at":null`
	expect(t, timeless(w, secret), 201, `{`+object+`,"key":"SECRET"}`)
	expect(t, timeless(s.do("GET", "/api/keys", "", bearer), secret), 200, `{"items":[{`+object+`}],"next_page_id":null}`)
	expect(t, timeless(s.do("GET", "/api/keys/"+strings.ToUpper(id), "", bearer), secret), 200, `{`+object+`}`)

	key := "X-Session-API-Key: " + secret
	if w := s.do("GET", "/api/users/me", "", key); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "ann@example.com") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := s.do("GET", "/api/keys/current", "", "Authorization: Bearer "+secret); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), id) || strings.Contains(w.Body.String(), secret) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	expect(t, s.do("GET", "/api/keys/current", "", bearer), 404, `{"detail":"This request was not sent with an API key."}`)

	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	w = s.do("PATCH", "/api/keys/"+id, `{"name":"desk","scopes":["read"],"expires_at":"`+until+`"}`, jsonType, bearer)
	if !strings.Contains(w.Body.String(), until) {
		t.Errorf("it does not end %s: %s", until, w.Body)
	}
	w = s.do("PATCH", "/api/keys/"+id, `{"expires_at":null}`, jsonType, bearer)
	expect(t, timeless(masks(w), secret), 200,
		`{"id":"ID","name":"desk","prefix":"PREFIX","team_id":null,"scopes":["read"],`+anyTime+`,"last_used_at":"…","expires_at":null}`)

	next, successor := made(t, s.do("POST", "/api/keys/"+id+"/rotate", "", bearer))
	for _, good := range []string{secret, successor} {
		if w := s.do("GET", "/api/users/me", "", "X-Session-API-Key: "+good); w.Code != http.StatusOK {
			t.Errorf("during the overlap: %d", w.Code)
		}
	}
	expect(t, s.do("DELETE", "/api/keys/"+next, "", bearer), 200, `{"status":"ok"}`)
	expect(t, s.do("GET", "/api/users/me", "", "X-Session-API-Key: "+successor), 401, `{"detail":"Unauthorized"}`)
	expect(t, s.do("DELETE", "/api/keys/"+next, "", bearer), 404, `{"detail":"API key not found"}`)
}

// masks says that the key was used, which is noted a moment later.
func masks(w *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	text := strings.Replace(w.Body.String(), `"last_used_at":null`, `"last_used_at":"…"`, 1)
	w.Body.Reset()
	w.Body.WriteString(text)
	return w
}

func TestKeysOfOthersAnswerLikeNone(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	s.register(t, "bob@example.com")
	ann, bob := s.login(t, "ann@example.com"), s.login(t, "bob@example.com")
	id, _ := made(t, s.do("POST", "/api/keys", `{"name":"a"}`, jsonType, bob))
	for _, foreign := range []string{id, uuid.NewString(), "nonsense"} {
		for _, r := range [][3]string{{"GET", "", ""}, {"PATCH", "", `{"name":"b"}`}, {"DELETE", "", ""}, {"POST", "/rotate", "{}"}} {
			expect(t, s.do(r[0], "/api/keys/"+foreign+r[1], r[2], jsonType, ann), 404, `{"detail":"API key not found"}`)
			expect(t, s.do(r[0], "/api/keys/"+foreign+r[1], r[2], jsonType), 401, `{"detail":"Unauthorized"}`)
		}
	}
	expect(t, s.do("GET", "/api/keys", "", ann), 200, `{"items":[],"next_page_id":null}`)
}

func TestAKeyDoesWithKeysWhatItsScopeAllows(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	key := func(body string) (id, header string) {
		id, secret := made(t, s.do("POST", "/api/keys", body, jsonType, bearer))
		return id, "X-Session-API-Key: " + secret
	}
	_, reads := key(`{"name":"r","scopes":["read"]}`)
	low, writes := key(`{"name":"w"}`)
	high, administers := key(`{"name":"a","scopes":["admin"]}`)
	_, bound := key(`{"name":"b","scopes":["admin"],"team_id":"` + team.String() + `"}`)

	if w := s.do("GET", "/api/keys", "", reads); w.Code != http.StatusOK {
		t.Errorf("read does not read: %d", w.Code)
	}
	const scope, elsewhere = `{"detail":"scope"}`, `{"detail":"bound"}`
	for name, r := range map[string][3]string{
		"make":   {"POST", "/api/keys", `{"name":"x","scopes":["read"]}`},
		"change": {"PATCH", "/api/keys/" + low, `{"name":"x"}`},
		"rotate": {"POST", "/api/keys/" + low + "/rotate", `{}`},
		"revoke": {"DELETE", "/api/keys/" + low, ``},
	} {
		t.Log(name)
		expect(t, s.do(r[0], r[1], r[2], jsonType, reads), 403, scope)
		expect(t, s.do(r[0], r[1], r[2], jsonType, bound), 403, elsewhere)
	}
	expect(t, s.do("GET", "/api/keys", "", bound), 403, elsewhere)
	if w := s.do("GET", "/api/keys/current", "", bound); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), team.String()) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, r := range [][3]string{{"PATCH", "/api/keys/" + high, `{"name":"x"}`}, {"DELETE", "/api/keys/" + high, ``}} {
		expect(t, s.do(r[0], r[1], r[2], jsonType, writes), 403, scope)
	}
	const noOthers = `{"detail":"An API key makes no others, and takes nobody's place but its own. Sign in, and do this in the session."}`
	for _, own := range []string{writes, administers} {
		expect(t, s.do("POST", "/api/keys", `{"name":"x","scopes":["read"]}`, jsonType, own), 403, noOthers)
	}
	for id, other := range map[string]string{low: administers, high: writes} {
		expect(t, s.do("POST", "/api/keys/"+id+"/rotate", ``, other), 403, noOthers)
	}
	made(t, s.do("POST", "/api/keys/"+low+"/rotate", ``, writes))
}

func TestAKeyOfTheHighestScopeIsMadeByWhoHasJustProvedWhoTheyAre(t *testing.T) {
	t.Parallel()
	now := time.Now()
	s := withKeys(t, func() time.Time { return now })
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	made(t, s.do("POST", "/api/keys", `{"name":"x","scopes":["admin"]}`, jsonType, bearer))
	now = now.Add(11 * time.Minute)
	expect(t, s.do("POST", "/api/keys", `{"name":"x","scopes":["admin"]}`, jsonType, bearer), 403, `{"detail":"STEP_UP_REQUIRED"}`)
	made(t, s.do("POST", "/api/keys", `{"name":"x","scopes":["write"]}`, jsonType, bearer))
}

func TestWhatIsWrongWithAKeyIsSaidFieldByField(t *testing.T) {
	t.Parallel()
	s := withKeys(t, nil)
	s.register(t, "ann@example.com")
	bearer := s.login(t, "ann@example.com")
	id, _ := made(t, s.do("POST", "/api/keys", `{"name":"a"}`, jsonType, bearer))
	cases := []struct{ method, path, body, want string }{
		{"POST", "/api/keys", `{}`, `name:missing`},
		{"POST", "/api/keys", `{"name":""}`, `name:string_too_short`},
		{"POST", "/api/keys", `{"name":null}`, `name:string_type`},
		{"POST", "/api/keys", `{"name":"` + strings.Repeat("a", 256) + `"}`, `name:string_too_long`},
		{"POST", "/api/keys", `{"name":"a","scopes":"read"}`, `scopes:list_type`},
		{"POST", "/api/keys", `{"name":"a","scopes":[]}`, `scopes:too_short`},
		{"POST", "/api/keys", `{"name":"a","scopes":[1]}`, `scopes:string_type`},
		{"POST", "/api/keys", `{"name":"a","scopes":["root"]}`, `scopes:literal_error`},
		{"POST", "/api/keys", `{"name":"a","team_id":7}`, `team_id:string_type`},
		{"POST", "/api/keys", `{"name":"a","team_id":"x"}`, `team_id:value_error`},
		{"POST", "/api/keys", `{"name":"a","expires_at":"tomorrow"}`, `expires_at:datetime_parsing`},
		{"POST", "/api/keys", `{"name":"a","expires_at":12}`, `expires_at:datetime_parsing`},
		{"POST", "/api/keys", `{"name":"a","expires_at":"2020-01-01T00:00:00Z"}`, `expires_at:value_error`},
		{"POST", "/api/keys", `{"name":"","scopes":["x"],"expires_at":"2020-01-01T00:00:00Z"}`, `name:string_too_short scopes:literal_error expires_at:value_error`},
		{"POST", "/api/keys", `[]`, `:model_attributes_type`},
		{"PATCH", "/api/keys/" + id, `{"name":"","scopes":[]}`, `scopes:too_short name:string_too_short`},
		{"PATCH", "/api/keys/" + id, `{"expires_at":"2020-01-01T00:00:00Z"}`, `expires_at:value_error`},
		{"POST", "/api/keys/" + id + "/rotate", `{"overlap_seconds":-1}`, `overlap_seconds:int_type`},
		{"POST", "/api/keys/" + id + "/rotate", `{"overlap_seconds":2592001}`, `overlap_seconds:int_type`},
		{"POST", "/api/keys/" + id + "/rotate", `{"overlap_seconds":"1"}`, `overlap_seconds:int_type`},
		{"GET", "/api/keys?limit=0&page_id=x", ``, `limit:value_error page_id:value_error`},
		{"GET", "/api/keys?limit=101", ``, `limit:value_error`},
	}
	for _, c := range cases {
		w := s.do(c.method, c.path, c.body, jsonType, bearer)
		if got := faultsOf(w); w.Code != http.StatusUnprocessableEntity || got != c.want {
			t.Errorf("%s %s %.80s: %d %s, want %s", c.method, c.path, c.body, w.Code, got, c.want)
		}
	}
	expect(t, s.do("POST", "/api/keys", `{"name":"a","team_id":"`+uuid.NewString()+`"}`, jsonType, bearer), 404, `{"detail":"Team not found"}`)
	expect(t, s.do("PATCH", "/api/keys/"+id, `{"scopes":["admin"]}`, jsonType, bearer), 400,
		`{"detail":"The scopes of an API key can only be narrowed. Make a new one for more."}`)
	if w := s.do("POST", "/api/keys", `{`, jsonType); w.Code != http.StatusUnprocessableEntity {
		t.Errorf("broken JSON is %d", w.Code)
	}
}

func faultsOf(w *httptest.ResponseRecorder) string {
	var answer struct {
		Detail []struct {
			Type string
			Loc  []any
		}
	}
	_ = json.Unmarshal(w.Body.Bytes(), &answer)
	var found []string
	for _, f := range answer.Detail {
		field := ""
		if len(f.Loc) > 1 {
			field, _ = f.Loc[1].(string)
		}
		found = append(found, field+":"+f.Type)
	}
	return strings.Join(found, " ")
}
