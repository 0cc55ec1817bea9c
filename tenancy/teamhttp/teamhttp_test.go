package teamhttp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/auth/apikey"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/tenancy/teamhttp"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const password = "correct horse battery"

// server is the team routes as an application would serve them.
type server struct {
	t    *testing.T
	auth *auth.Service
	keys *apikey.Service
	mode *tenancy.Anonymous
	echo *echo.Echo
}

func newServer(t *testing.T) *server {
	t.Helper()
	db := dbtest.New(t)
	teams := tenancy.New(db)
	s := &server{t: t, echo: echo.New(), mode: tenancy.NewAnonymous(db, false, false)}
	s.keys = apikey.New(apikey.Config{DB: db, MayBind: teams.MayBind})
	s.auth = auth.New(auth.Config{
		DB:           db,
		JWTSecret:    []byte("a secret of the tests, 32 bytes or more"),
		Registration: auth.RegistrationOpen,
		Hash:         auth.HashParams{Memory: 64, Passes: 1, Lanes: 1},
		Hooks:        auth.Hooks{UserCreated: teams.CreatePersonal},
		Keys:         s.keys,
	})
	t.Cleanup(s.auth.Close)
	s.echo.HTTPErrorHandler = func(err error, c echo.Context) { problem.Write(c.Response(), translate(err)) }
	h := teamhttp.New(teams, tenancy.NewServiceAccounts(db, s.keys), tenancy.NewGate(s.auth, teams, s.mode, "openhands_session"))
	s.echo.GET("/api/teams", h.List)
	s.echo.POST("/api/teams", h.Create)
	s.echo.GET("/api/teams/:team_id", h.Get)
	s.echo.POST("/api/teams/:team_id/members", h.AddMember)
	s.echo.POST("/api/teams/:team_id/switch", h.Switch)
	const services = "/api/teams/:team_id/service-accounts"
	s.echo.GET(services, h.ListServiceAccounts)
	s.echo.POST(services, h.CreateServiceAccount)
	s.echo.DELETE(services+"/:account_id", h.DeleteServiceAccount)
	s.echo.GET(services+"/:account_id/keys", h.ListServiceKeys)
	s.echo.POST(services+"/:account_id/keys", h.CreateServiceKey)
	s.echo.DELETE(services+"/:account_id/keys/:key_id", h.RevokeServiceKey)
	s.echo.POST(services+"/:account_id/keys/:key_id/rotate", h.RotateServiceKey)
	return s
}

// translate is what an application does with the errors of rights.
func translate(err error) error {
	switch {
	case errors.Is(err, access.ErrHidden):
		return problem.NotFound
	case errors.Is(err, access.ErrForbidden):
		return problem.Forbidden
	}
	return err
}

// register makes an account and returns its id and an access token.
func (s *server) register(email, name string) (id, token string) {
	s.t.Helper()
	r := auth.Registration{Email: email, Password: password}
	if name != "" {
		r.Name = &name
	}
	u, err := s.auth.Register(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	access, err := s.auth.Login(s.t.Context(), email, password, auth.Client{})
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID.String(), access.AccessToken
}

// call answers the request; body is JSON when it is not empty.
func (s *server) call(token, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.echo.ServeHTTP(w, r)
	return w
}

// reads checks the status and returns the body as plain values.
func (s *server) reads(w *httptest.ResponseRecorder, status int) any {
	s.t.Helper()
	if w.Code != status {
		s.t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	if kind := w.Header().Get("Content-Type"); kind != "application/json" {
		s.t.Errorf("content type %q", kind)
	}
	var body any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		s.t.Fatalf("%v: %s", err, w.Body)
	}
	return body
}

// says checks the status and a detail that is a text.
func (s *server) says(w *httptest.ResponseRecorder, status int, detail string) {
	s.t.Helper()
	if diff := cmp.Diff(map[string]any{"detail": detail}, s.reads(w, status)); diff != "" {
		s.t.Error(diff)
	}
}

// faults checks a 422 and returns the type and place of each fault.
func (s *server) faults(w *httptest.ResponseRecorder) []string {
	s.t.Helper()
	list := []string{}
	for _, f := range s.reads(w, http.StatusUnprocessableEntity).(map[string]any)["detail"].([]any) {
		fault := f.(map[string]any)
		place := []string{fault["type"].(string)}
		for _, step := range fault["loc"].([]any) {
			place = append(place, step.(string))
		}
		list = append(list, strings.Join(place, " "))
	}
	return list
}

func (s *server) create(token, name string) string {
	s.t.Helper()
	body, _ := json.Marshal(map[string]string{"name": name})
	return s.reads(s.call(token, "POST", "/api/teams", string(body)), http.StatusCreated).(map[string]any)["id"].(string)
}

func TestTeamObjects(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id, ada := s.register("ada@example.com", "Ada Lovelace")
	ownerMay := []any{
		"team:read", "member:read", "conversation:read", "file:read", "settings:read", "settings:preferences",
		"conversation:create", "conversation:write", "conversation:delete", "file:write", "settings:write",
		"team:rename", "member:add", "service-account:manage", "conversation:delete-any", "settings:team", "team:delete", "team:policy",
	}
	made := s.reads(s.call(ada, "POST", "/api/teams", `{"name":"Engines","id":"x","owner_id":"y"}`), http.StatusCreated).(map[string]any)
	team, _ := made["id"].(string)
	want := map[string]any{
		"id": team, "name": "Engines", "owner_id": id, "is_personal": false, "created_at": made["created_at"],
		"role": "owner", "permissions": ownerMay,
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(any(want), s.reads(s.call(ada, "GET", "/api/teams/"+strings.ToUpper(team), ""), http.StatusOK)); diff != "" {
		t.Error(diff)
	}
	list := s.reads(s.call(ada, "GET", "/api/teams", ""), http.StatusOK).([]any)
	if len(list) != 2 {
		t.Fatalf("listed %v", list)
	}
	if diff := cmp.Diff(any(want), list[1]); diff != "" {
		t.Error(diff)
	}
	if p := list[0].(map[string]any); p["name"] != "Ada's Team" || p["is_personal"] != true || p["owner_id"] != id || p["role"] != "owner" {
		t.Errorf("the personal team is %v", p)
	}
}

func TestSwitchingTheTeamOfASession(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "Ada Lovelace")
	_, bob := s.register("bob@example.com", "")
	team, foreign := s.create(ada, "Engines"), s.create(bob, "Bob's")
	current := func(token string) string {
		t.Helper()
		w := s.call(token, "GET", "/api/teams", "")
		s.reads(w, http.StatusOK)
		return w.Header().Get("X-Team-Id")
	}
	personal := current(ada)
	if personal == team || personal == "" {
		t.Fatalf("before, the current team is %q", personal)
	}
	for _, stranger := range []string{foreign, uuid.NewString(), "nonsense", access.AnonymousTeam.String()} {
		s.says(s.call(ada, "POST", "/api/teams/"+stranger+"/switch", ""), http.StatusNotFound, "Team not found")
	}
	w := s.call(ada, "POST", "/api/teams/"+team+"/switch", "")
	if body := s.reads(w, http.StatusOK).(map[string]any); body["id"] != team || w.Header().Get("X-Team-Id") != team {
		t.Errorf("the switch answers %v, %v", body, w.Header())
	}
	if got := current(ada); got != team {
		t.Errorf("the current team is %q, want %q", got, team)
	}
	s.reads(s.call(ada, "POST", "/api/teams/"+personal+"/switch", ""), http.StatusOK)
	if got := current(ada); got != personal {
		t.Errorf("the way back leads to %q, want %q", got, personal)
	}
	s.says(s.call("", "POST", "/api/teams/"+team+"/switch", ""), http.StatusUnauthorized, "Unauthorized")
}

func TestEveryTeamRouteWantsACredential(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	some := "/api/teams/" + uuid.NewString()
	for _, token := range []string{"", "nonsense"} {
		s.says(s.call(token, "GET", "/api/teams", ""), http.StatusUnauthorized, "Unauthorized")
		s.says(s.call(token, "POST", "/api/teams", `{"name":"x"}`), http.StatusUnauthorized, "Unauthorized")
		s.says(s.call(token, "POST", "/api/teams", `{}`), http.StatusUnauthorized, "Unauthorized")
		s.says(s.call(token, "GET", some, ""), http.StatusUnauthorized, "Unauthorized")
		s.says(s.call(token, "POST", some+"/members", `{}`), http.StatusUnauthorized, "Unauthorized")
	}
	if err := s.mode.Set(t.Context(), true, "command line"); err != nil {
		t.Fatal(err)
	}
	s.says(s.call("", "POST", "/api/teams", `{"name":"x"}`), http.StatusUnauthorized, "Unauthorized")
	s.says(s.call("", "POST", "/api/teams/"+access.AnonymousTeam.String()+"/members", `{"email":"a@example.com"}`), http.StatusForbidden, "Forbidden")
}

func TestAForeignTeamReadsLikeAMissingOne(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "")
	_, bob := s.register("bob@example.com", "")
	foreign := s.create(ada, "Engines")
	for _, id := range []string{foreign, uuid.NewString(), "nonsense", "{" + foreign + "}", strings.ReplaceAll(foreign, "-", "")} {
		s.says(s.call(bob, "GET", "/api/teams/"+id, ""), http.StatusNotFound, "Team not found")
		s.says(s.call(bob, "POST", "/api/teams/"+id+"/members", `{"role":"king"}`), http.StatusNotFound, "Team not found")
	}
	s.says(s.call(bob, "GET", "/api/teams", "", "X-Team-Id", foreign), http.StatusNotFound, "Team not found")
}

func TestFaultsOfACreation(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "")
	for body, want := range map[string]string{
		`{}`:                "missing body name",
		`{"name":null}`:     "string_type body name",
		`{"name":7}`:        "string_type body name",
		`{"name":""}`:       "string_too_short body name",
		`{"name":"  "}`:     "string_too_short body name",
		`[]`:                "model_attributes_type body",
		`{"name":"\u0000"}`: "value_error body name",
		`{"name":"` + strings.Repeat("x", 256) + `"}`: "string_too_long body name",
	} {
		if got := s.faults(s.call(ada, "POST", "/api/teams", body)); !cmp.Equal(got, []string{want}) {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	s.reads(s.call("", "POST", "/api/teams", `{"name":`), http.StatusUnprocessableEntity) // before anybody is asked who they are
	s.says(s.call(ada, "POST", "/api/teams", `{"name":"`+strings.Repeat("x", 70_000)+`"}`), http.StatusRequestEntityTooLarge,
		"The request body is longer than 65536 bytes. Send less.")
}

func TestAddingAMember(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "")
	bobID, bob := s.register("bob@example.com", "Bob")
	cidID, _ := s.register("cid@example.com", "")
	team := s.create(ada, "Engines")
	members := "/api/teams/" + team + "/members"

	got := s.reads(s.call(ada, "POST", members, `{"email":"BOB@example.com","role":"admin"}`), http.StatusCreated).(map[string]any)
	want := map[string]any{
		"id": got["id"], "user_id": bobID, "team_id": team, "role": "admin", "user_email": "bob@example.com", "user_name": "Bob",
		"message": "bob@example.com is now a member of the team, as admin.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if seen := s.reads(s.call(bob, "GET", "/api/teams/"+team, ""), http.StatusOK).(map[string]any); seen["role"] != "admin" {
		t.Errorf("bob sees %v", seen)
	}
	s.says(s.call(bob, "POST", members, `{"email":"cid@example.com","role":"admin"}`), http.StatusForbidden,
		"You can give only roles below your own: an owner makes admins, an admin makes developers and viewers.")
	got = s.reads(s.call(bob, "POST", members, `{"email":"cid@example.com"}`), http.StatusCreated).(map[string]any)
	if got["role"] != "developer" || got["user_id"] != cidID || got["user_name"] != nil {
		t.Errorf("got %v", got)
	}
}

func TestWhatAddingAMemberMayAnswer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	_, ada := s.register("ada@example.com", "")
	_, bob := s.register("bob@example.com", "")
	members := "/api/teams/" + s.create(ada, "Engines") + "/members"
	s.reads(s.call(ada, "POST", members, `{"email":"bob@example.com","role":"viewer"}`), http.StatusCreated)

	s.says(s.call(ada, "POST", members, `{"email":"nobody@example.com"}`), http.StatusNotFound,
		"User not found with that email. Invite them to the team, or ask them to register first.")
	s.says(s.call(ada, "POST", members, `{"email":"bob@example.com","role":"admin"}`), http.StatusBadRequest,
		"User is already a member of this team")
	s.says(s.call(bob, "POST", members, `{"role":"king"}`), http.StatusForbidden, "Forbidden") // before any fault is named
	for body, want := range map[string][]string{
		`{}`:                     {"missing body email"},
		`{"role":"king"}`:        {"missing body email", "literal_error body role"},
		`{"email":7,"role":7}`:   {"string_type body email", "string_type body role"},
		`{"email":"no address"}`: {"value_error body email"},
		`{"email":"a@example.com","role":"owner"}`: {"literal_error body role"},
		`{"email":"a@example.com","role":""}`:      {"literal_error body role"},
	} {
		if got := s.faults(s.call(ada, "POST", members, body)); !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", body, got, want)
		}
	}
}
