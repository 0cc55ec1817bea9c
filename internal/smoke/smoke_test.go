package smoke_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/smoke"
)

// server is a minimal imitation of the product: it knows who holds which token and who started what. Entries of answers
// replace what it would say at "METHOD /path".
type server struct {
	mu      sync.Mutex
	tokens  map[string]string // token → address
	owner   map[string]string // conversation → address
	states  []string          // of the agent, one per look; the last stays
	answers map[string]answer
	calls   []string
	more    string // teams that everybody is in
	other   string // a conversation that everybody's list holds, with a comma behind it
}

type answer struct {
	status int
	body   string
}

func serve(t *testing.T, s *server) string {
	t.Helper()
	s.tokens, s.owner = map[string]string{}, map[string]string{}
	if s.states == nil {
		s.states = []string{"idle", "running", "finished"}
	}
	fake := httptest.NewServer(s)
	t.Cleanup(fake.Close)
	return fake.URL
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, r.Method+" "+r.URL.Path)
	a, replaced := s.answers[r.Method+" "+r.URL.Path]
	if !replaced {
		a = s.answer(r)
	}
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.body)
}

func (s *server) answer(r *http.Request) answer {
	who := s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /readyz":
		return answer{200, `{}`}
	case route == "POST /api/auth/register-with-team":
		return answer{200, `{"email":"` + between(r, `"email":"`, `"`) + `"}`}
	case route == "POST /api/auth/jwt/login":
		token := fmt.Sprintf("t%d", len(s.calls))
		s.tokens[token] = r.FormValue("username")
		return answer{200, `{"access_token":"` + token + `","token_type":"bearer"}`}
	case who == "":
		return answer{401, `{"detail":"Unauthorized"}`}
	case route == "POST /api/auth/jwt/logout":
		delete(s.tokens, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		return answer{204, ""}
	case route == "GET /api/auth/users/me":
		return answer{200, `{"email":"` + who + `"}`}
	case route == "GET /api/teams/":
		return answer{200, `[` + s.more + `{"id":"of ` + who + `","is_personal":true}]`}
	}
	return s.conversations(r, who)
}

func (s *server) conversations(r *http.Request, who string) answer {
	id := strings.TrimPrefix(r.URL.Path, "/api/conversations/")
	switch route := r.Method + " " + r.URL.Path; {
	case route == "POST /api/conversations":
		s.owner["c1"] = who
		return answer{201, `{"id":"c1"}`}
	case route == "GET /api/conversations/search" && s.owner["c1"] == who:
		return answer{200, `{"items":[` + s.other + `{"id":"c1"}]}`}
	case route == "GET /api/conversations/search":
		return answer{200, `{"items":[` + strings.TrimSuffix(s.other, ",") + `]}`}
	case s.owner[id] != who:
		return answer{404, `{"detail":"Not Found"}`}
	case r.Method == "DELETE":
		delete(s.owner, id)
		return answer{200, `{"success":true}`}
	}
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	return answer{200, `{"id":"c1","execution_status":"` + state + `"}`}
}

func between(r *http.Request, left, right string) string {
	raw := make([]byte, 1000)
	n, _ := r.Body.Read(raw)
	_, rest, _ := strings.Cut(string(raw[:n]), left)
	value, _, _ := strings.Cut(rest, right)
	return value
}

func walk(t *testing.T, s *server, noAgent bool, accounts ...smoke.Account) (string, error) {
	t.Helper()
	var out strings.Builder
	err := smoke.Run(t.Context(), smoke.Options{URL: serve(t, s), Accounts: accounts, NoAgent: noAgent, Out: &out, Poll: time.Millisecond, AgentTimeout: 200 * time.Millisecond})
	return out.String(), err
}

func TestAHealthyServerIsWalkedToTheEndAndLeftClean(t *testing.T) {
	t.Parallel()
	s := &server{}
	out, err := walk(t, s, false)
	if err != nil || strings.Count(out, "✓") != 11 || !strings.Contains(out, "all is well") {
		t.Errorf("%v\n%s", err, out)
	}
	if len(s.tokens) != 0 || len(s.owner) != 0 {
		t.Errorf("left behind: %v %v", s.tokens, s.owner)
	}
	if !regexp.MustCompile(`these accounts stay.*: smoke-\w+@example.com, smoke-\w+@example.com`).MatchString(out) {
		t.Errorf("does not say what stays:\n%s", out)
	}
}

var existing = []smoke.Account{{Email: "Ada@example.com", Password: "a"}, {Email: "bob@example.com", Password: "b"}}

func TestAWalkAsExistingAccountsRegistersNobodyAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := &server{other: `{"id":"c0"},`}
	out, err := walk(t, s, true, existing...)
	if err != nil || strings.Count(out, "✓") != 9 || strings.Contains(out, "stay") {
		t.Errorf("%v\n%s", err, out)
	}
	if len(s.tokens) != 0 || len(s.owner) != 0 || slices.Contains(s.calls, "POST /api/auth/register-with-team") {
		t.Errorf("left behind: %v %v after %v", s.tokens, s.owner, s.calls)
	}
}

func TestAWalkAsExistingAccountsFindsWhatOneSeesOfTheOther(t *testing.T) {
	t.Parallel()
	out, err := walk(t, &server{more: `{"id":"shared"},`}, true, existing...)
	if err == nil || !strings.Contains(err.Error(), "they share none") || !strings.Contains(out, "both in the team shared") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = walk(t, &server{answers: map[string]answer{"GET /api/conversations/search": {200, `{"items":[{"id":"c1"}]}`}}}, true, existing...)
	if err == nil || !strings.Contains(err.Error(), "cannot see that it exists") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = walk(t, &server{answers: map[string]answer{"GET /api/conversations/search": {200, `{"items":[{"id":"c0"}]}`}}}, true, existing...)
	if err == nil || !strings.Contains(err.Error(), "finds it in the list") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestTheAccountsOfAWalkAreTwo(t *testing.T) {
	t.Parallel()
	for _, accounts := range [][]smoke.Account{existing[:1], {existing[0], {Email: "ada@EXAMPLE.com"}}} {
		if _, err := walk(t, &server{}, true, accounts...); err == nil || !strings.Contains(err.Error(), "two different accounts") {
			t.Errorf("%v: %v", accounts, err)
		}
	}
}

func TestWithoutAnAgentNobodyWaitsForOne(t *testing.T) {
	t.Parallel()
	out, err := walk(t, &server{states: []string{"idle"}}, true)
	if err != nil || strings.Count(out, "✓") != 10 || strings.Contains(out, "the agent answers") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEachFailureEndsTheWalkAndSaysWhatToLookAt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		server  *server
		step    string
		texts   []string
		deletes bool // whether the conversation must have been deleted all the same
	}{
		{"database away", &server{answers: map[string]answer{"GET /readyz": {503, `{}`}}}, "the server answers", []string{"the server cannot reach it"}, false},
		{"closed registration", &server{answers: map[string]answer{"POST /api/auth/register-with-team": {403, `{"detail":"REGISTRATION_CLOSED"}`}}},
			"two people register", []string{"answered 403", "REGISTRATION: registering needs `open`"}, false},
		{"not our server", &server{answers: map[string]answer{"POST /api/auth/register-with-team": {200, `<html>`}}}, "two people register", []string{"JSON of the documented form"}, false},
		{"redirect", &server{answers: map[string]answer{"POST /api/auth/register-with-team": {301, ``}}}, "two people register", []string{"PUBLIC_URL"}, false},
		{"wrong person", &server{answers: map[string]answer{"GET /api/auth/users/me": {200, `{"email":"x"}`}}}, "who they are", []string{`the server says "x"`}, false},
		{"two teams", &server{answers: map[string]answer{"GET /api/teams/": {200, `[{"is_personal":true},{}]`}}}, "personal team", []string{"has 2 teams"}, false},
		{"no model", &server{answers: map[string]answer{"POST /api/conversations": {422, `{"detail":"set OPERATOR_LLM_MODEL"}`}}},
			"starts a conversation", []string{"no model is configured", "--no-agent"}, false},
		{"upstream down", &server{answers: map[string]answer{"POST /api/conversations": {502, `{}`}}}, "starts a conversation", []string{"UPSTREAM_URL"}, false},
		{"agent fails", &server{states: []string{"running", "error"}, answers: map[string]answer{"GET /api/conversations/c1/events/search": {200, `{"items":[{"code":"LLMAuthenticationError","detail":"bad key"}]}`}}},
			"the agent answers", []string{`state is "error"`, "LLMAuthenticationError bad key", "OPERATOR_LLM_*"}, true},
		{"agent hangs", &server{states: []string{"running"}}, "the agent answers", []string{"did not finish within 200ms"}, true},
		{"not listed", &server{answers: map[string]answer{"GET /api/conversations/search": {200, `{"items":[]}`}}}, "finds it in the list", []string{"exactly c1"}, true},
		{"signed out in name only", &server{answers: map[string]answer{"POST /api/auth/jwt/logout": {204, ``}}}, "sign out", []string{"expected 401", "LISTEN"}, true},
		{"not deleted", &server{answers: map[string]answer{"DELETE /api/conversations/c1": {500, `{}`}}}, "its owner deletes it", []string{"answered 500", "conversation c1 of smoke-"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			out, err := walk(t, test.server, false)
			if err == nil || !strings.Contains(err.Error(), test.step) || strings.Count(out, "✗") != 1 || strings.Contains(out, "all is well") {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, text := range test.texts {
				if !strings.Contains(out, text) {
					t.Errorf("%q is missing in\n%s", text, out)
				}
			}
			if _, stays := test.server.owner["c1"]; test.deletes && stays {
				t.Error("the conversation was left behind")
			}
		})
	}
}

func TestALeakBetweenAccountsIsFound(t *testing.T) {
	t.Parallel()
	for name, answers := range map[string]map[string]answer{
		"readable":              {"GET /api/conversations/c1/workspace/README.md": {200, "text"}},
		"another text":          {"GET /api/conversations/c1/events/search": {404, `{"detail":"Conversation not found"}`}},
		"forbidden, not hidden": {"GET /api/conversations/c1/events/search": {403, `{"detail":"Forbidden"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := walk(t, &server{answers: answers}, true)
			if err == nil || !strings.Contains(err.Error(), "cannot see that it exists") || !strings.Contains(out, "do not open this server") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestABadURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "localhost:3001", "ftp://x", "http://"} {
		if err := smoke.Run(t.Context(), smoke.Options{URL: raw}); err == nil || !strings.Contains(err.Error(), "--url") {
			t.Errorf("%q: %v", raw, err)
		}
	}
}
