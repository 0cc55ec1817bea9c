package proxy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/testtime"
	"github.com/openhands-saas/openhands-saas/proxy"
)

// keyed is somebody with an API key.
func keyed(role access.Role, scope access.Scope, bound uuid.UUID) *access.Principal {
	p := person("key@example.com", red, role)
	p.Key, p.Scope, p.Bound = true, scope, bound
	return p
}

// The forms in which OpenHands' clients send a key with a WebSocket; first is what they say first.
func forms(key string) map[string]struct {
	query  string
	header http.Header
	first  string
} {
	return map[string]struct {
		query  string
		header http.Header
		first  string
	}{
		"Authorization":     {"", bearer(key), ""},
		"X-Session-API-Key": {"", http.Header{"X-Session-Api-Key": {key}}, ""},
		"the query":         {"?session_api_key=" + key, nil, ""},
		"the first frame":   {"", nil, auth(key)},
	}
}

func TestAKeyThatReadsIsOnASocketWhatAViewerIs(t *testing.T) {
	t.Parallel()
	for name, form := range forms("reads") {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, newSpeaker().ServeHTTP, answering)
			s.change(func() { s.people["reads"] = keyed(access.Owner, access.ScopeRead, uuid.Nil) })
			c := s.open(t, live+form.query, form.header)
			if form.first != "" {
				say(t, c, form.first)
			}
			say(t, c, "hello")
			if got := hear(t, c); got != "no 1" {
				t.Errorf("got %q", got)
			}
			s.change(func() { s.people["reads"] = keyed(access.Owner, access.ScopeWrite, uuid.Nil) })
			testtime.Eventually(t, promise, "a wider scope counts on the open socket", func() bool {
				say(t, c, "written")
				return hear(t, c) == "written"
			})
			s.change(func() { s.people["reads"] = keyed(access.Owner, access.ScopeRead, uuid.Nil) })
			testtime.Eventually(t, promise, "so does a narrower one", func() bool {
				say(t, c, "written")
				return strings.HasPrefix(hear(t, c), "no ")
			})
		})
	}
}

func TestASocketEndsWithItsKeyAndWithWhatTheKeyIsGoodFor(t *testing.T) {
	t.Parallel()
	for name, form := range forms("key") {
		for what, c := range map[string]struct {
			change func(*stand)
			code   int
		}{
			"the key is over":         {func(s *stand) { delete(s.people, "key") }, 4001},
			"it is bound to another":  {func(s *stand) { s.people["key"] = keyed(access.Owner, access.ScopeWrite, blue) }, 4004},
			"its owner is out of red": {func(s *stand) { s.people["key"].Memberships = nil }, 4004},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				t.Parallel()
				s := newStand(t, newSpeaker().ServeHTTP, func(*proxy.Config) {})
				s.change(func() { s.people["key"] = keyed(access.Owner, access.ScopeWrite, red) })
				socket := s.open(t, live+form.query, form.header)
				if form.first != "" {
					say(t, socket, form.first)
				}
				say(t, socket, "hello")
				if got := hear(t, socket); got != "hello" {
					t.Fatalf("got %q", got)
				}
				s.change(func() { c.change(s) })
				if end := ends(t, socket, promise); int(end.Code) != c.code {
					t.Errorf("closed with %d, want %d", end.Code, c.code)
				}
			})
		}
	}
}

func TestAKeyThatIsBoundElsewhereIsRefusedAsForbidden(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil, func(*proxy.Config) {})
	s.change(func() {
		s.people["bound"] = keyed(access.Owner, access.ScopeAdmin, blue)
		s.people["reads"] = keyed(access.Owner, access.ScopeRead, uuid.Nil)
	})
	has(t, s.ask(t, "GET", "/api/conversations/"+ours.String(), "bound"), 403, "bound to another team")
	has(t, s.ask(t, "GET", "/api/conversations/"+foreign.String(), "bound"), 404, "")
	has(t, s.ask(t, "DELETE", "/api/conversations/"+ours.String(), "reads"), 403, "scope of this API key")
}
