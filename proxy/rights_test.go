package proxy_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
	"github.com/openhands-saas/openhands-saas/proxy"
)

func TestAForeignObjectAndAnUnknownOneAnswerAlikeToTheByte(t *testing.T) {
	t.Parallel()
	asked := 0
	s := newStand(t, func(w http.ResponseWriter, r *http.Request) { asked++; echo(w, r) }, nil)
	s.objects[uuid.MustParse("77777777-2222-4333-8444-55555555dddd")] = access.Object{ID: ours, Team: red, State: access.StateDeleted}
	for _, row := range []string{"GET /api/conversations/ID", "DELETE /api/conversations/ID", "GET /api/conversations/ID/events",
		"POST /api/conversations/ID/events", "GET /api/conversations/ID/workspace/a", "GET /api/conversations/ID/zip/ID"} {
		method, path, _ := strings.Cut(row, " ")
		var first answer
		for i, id := range []string{foreign.String(), unknown.String(), "77777777-2222-4333-8444-55555555dddd"} {
			a := s.ask(t, method, strings.ReplaceAll(path, "ID", id), "dev")
			a.Header.Del("Date")
			if i == 0 {
				first = a
			}
			if a.StatusCode != 404 || a.body != `{"detail":"Not Found"}` || !maps.EqualFunc(a.Header, first.Header, func(x, y []string) bool { return strings.Join(x, "|") == strings.Join(y, "|") }) {
				t.Errorf("%s of %s: got %d %s %v", row, id, a.StatusCode, a.body, a.Header)
			}
		}
	}
	if asked != 0 {
		t.Errorf("the upstream was asked %d times", asked)
	}
}

// What is in memory answers sooner than what must be asked for, and also while the database is away.
func TestAForeignObjectAndAnUnknownOneCostTheSameQuestions(t *testing.T) {
	t.Parallel()
	s := newStand(t, newSpeaker().ServeHTTP, nil)
	private, dead := uuid.New(), uuid.New()
	s.objects[private] = access.Object{ID: private, Team: red, Starter: uuid.New(), Private: true, State: access.StateLive}
	s.objects[dead] = access.Object{ID: dead, Team: red, State: access.StateDeleted}
	hidden := []uuid.UUID{foreign, unknown, private, dead}
	for _, forgotten := range []bool{true, false} {
		s.change(func() { s.forgotten = forgotten })
		for _, id := range hidden {
			for _, path := range []string{"/api/conversations/" + id.String(), "/api/conversations/" + id.String() + "/zip/" + ours.String(),
				"/api/conversations/" + ours.String() + "/zip/" + id.String()} {
				before := s.questions()
				has(t, s.ask(t, "GET", path, "dev"), 404, "Not Found")
				if n := s.questions() - before; n != 1 {
					t.Errorf("%s, forgotten: %v: %d questions", path, forgotten, n)
				}
			}
			before := s.questions()
			if got := ends(t, s.open(t, "/sockets/events/"+id.String(), bearer("dev")), promise); got.Code != 4004 {
				t.Errorf("got %v", got)
			}
			if n := s.questions() - before; n != 1 {
				t.Errorf("a socket to %s, forgotten: %v: %d questions", id, forgotten, n)
			}
		}
	}
	s.change(func() { s.lost = problem.Unavailable("The database does not answer.", nil) })
	for _, id := range hidden {
		has(t, s.ask(t, "GET", "/api/conversations/"+id.String(), "dev"), 503, "database")
	}
}

func TestWhatIsServedOrForbiddenCostsNoQuestion(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	has(t, s.ask(t, "GET", "/api/conversations/"+ours.String(), "dev"), 200, ours.String())
	has(t, s.ask(t, "POST", "/api/conversations/"+ours.String()+"/events", "viewer", body("{}")), 403, "role in this team")
	if n := s.questions(); n != 0 {
		t.Errorf("%d questions", n)
	}
}

func TestTwoConversationsInOnePathMustBeOne(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	second := uuid.New()
	s.objects[second] = access.Object{ID: second, Team: red, State: access.StateLive}
	for _, id := range []uuid.UUID{foreign, second, unknown} {
		has(t, s.ask(t, "GET", "/api/conversations/"+ours.String()+"/zip/"+id.String(), "dev"), 404, "Not Found")
		has(t, s.ask(t, "GET", "/api/conversations/"+id.String()+"/zip/"+ours.String(), "dev"), 404, "Not Found")
	}
	has(t, s.ask(t, "GET", "/api/conversations/"+ours.String()+"/zip/"+ours.String(), "dev"), 200, "zip")
}

func TestAPermissionThatIsMissingIs403AndOneIsAskedOnTheObject(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	c := "/api/conversations/" + ours.String()
	has(t, s.ask(t, "GET", c+"/events", "viewer"), 200, "events")
	has(t, s.ask(t, "POST", c+"/events", "viewer", body("{}")), 403, "role in this team")
	has(t, s.ask(t, "POST", "/api/bash", "dev", body("{}")), 403, "not available")
	has(t, s.ask(t, "GET", "/api/off", "dev"), 403, "not available")
	has(t, s.ask(t, "GET", "/sockets/bash-events", "dev"), 403, "not available")
	// The team of the object counts, not the current one.
	p := *s.people["dev"]
	p.CurrentTeam, p.Memberships = blue, append(p.Memberships, access.Membership{Team: blue, Role: access.Viewer})
	s.change(func() { s.people["dev"] = &p })
	has(t, s.ask(t, "POST", c+"/events", "dev", body("{}")), 200, red.String())
	has(t, s.ask(t, "GET", "/api/models", "dev"), 200, blue.String())
}

func TestATeamThatOneIsNotInIs404(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	has(t, s.ask(t, "GET", "/api/models", "dev", header("X-Team-Id", blue.String())), 404, `{"detail":"Not Found"}`)
}

func TestUnsafeRequestsWithACookieMustComeFromOurPages(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) { c.Origins = []string{"https://hands.example.com"} })
	anonymous := person("", red, access.Developer)
	anonymous.Anonymous = true
	s.anonymous = anonymous
	for _, c := range []struct {
		site, origin string
		want         int
	}{
		{"", "", 200}, {"same-origin", "", 200}, {"none", "", 200}, {"", s.url, 200}, {"", "https://hands.example.com", 200},
		{"", "https://HANDS.example.com:443", 200}, {"cross-site", "", 403}, {"same-site", "", 403}, {"no-cors", "", 403},
		{"cross-site", s.url, 403}, {"", "https://evil.example", 403}, {"", "null", 403}, {"", "https://hands.example.com.evil.example", 403},
		{"", "http://hands.example.com", 403}, {"", "https://xhands.example.com", 403}, {"", "https://hands.example.com:8443", 403},
		{"", strings.Replace(s.url, "http:", "https:", 1), 403}, {"", "https://hands.example.com@evil.example", 403},
	} {
		site := func(r *http.Request) {
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
		}
		for who, as := range map[string]func(*http.Request){"cookie": cookie("dev"), "anonymous": func(*http.Request) {}} {
			if a := s.ask(t, "POST", "/api/models", "", as, site); a.StatusCode != c.want {
				t.Errorf("%s, %q from %q: got %d, want %d", who, c.site, c.origin, a.StatusCode, c.want)
			}
		}
		if a := s.ask(t, "POST", "/api/models", "dev", site); a.StatusCode != 200 {
			t.Errorf("a key from %q was refused: %d", c.origin, a.StatusCode)
		}
		if a := s.ask(t, "GET", "/api/models", "", cookie("dev"), site); a.StatusCode != 200 {
			t.Errorf("a safe request from %q was refused: %d", c.origin, a.StatusCode)
		}
	}
}

func TestTwoOriginsAreNone(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	has(t, s.ask(t, "POST", "/api/models", "", cookie("dev"), header("Origin", s.url), header("Origin", "https://evil.example")), 403, "another site")
	has(t, s.ask(t, "POST", "/api/models", "", cookie("dev"), header("Sec-Fetch-Site", "none"), header("Sec-Fetch-Site", "cross-site")), 403, "another site")
}

func TestADatabaseThatIsAwayIs503NotARefusal(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, nil)
	s.away = problem.Unavailable("The database does not answer: try again.", nil)
	a := s.ask(t, "GET", "/api/models", "dev")
	has(t, a, 503, "database")
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestAPanickingHandlerIsA500AndTheServerGoesOn(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(c *proxy.Config) {
		c.Operations = append(c.Operations, proxy.Operation{Method: "GET", Path: "/api/panic", Permission: access.TeamRead, Treatment: proxy.Virtual,
			Handle: func(*proxy.Exchange) error { panic("inside") }})
	})
	a := s.ask(t, "GET", "/api/panic", "dev")
	has(t, a, 500, "our side")
	if strings.Contains(a.body, "inside") {
		t.Error("the fault is shown")
	}
}
