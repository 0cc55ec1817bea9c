package agentserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// hearing opens a socket whose upstream says the given messages, and returns what arrives.
func (w *world) hearing(who, path string, said ...string) []string {
	w.t.Helper()
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.HasPrefix(r.URL.Path, "/sockets/") {
			return false
		}
		c, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return true
		}
		defer func() { _ = c.CloseNow() }()
		if w.away != nil {
			w.away()
		}
		for _, message := range said {
			_ = c.Write(r.Context(), websocket.MessageText, []byte(message))
		}
		_, _, _ = c.Read(r.Context())
		return true
	})
	c, _, err := websocket.Dial(w.t.Context(), w.url+path, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + who}}})
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.CloseNow() }()
	c.SetReadLimit(4 << 20)
	var heard []string
	for range said {
		_, message, err := c.Read(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		heard = append(heard, string(message))
	}
	return heard
}

func TestALiveStateShowsNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own, foreign, id := w.create("ann", nil).String(), w.create("bob", nil).String(), w.create("ann", nil)
	agent := `{"llm":{"model":"m<&>","api_key":"` + operatorKey + `","extra_headers":{"A":"hidden"},"litellm_extra_body":{"b":"hidden"}},"note":"` +
		strings.Repeat("long ", 20_000) + `"}`
	state := `"key":"full_state","value":{"seed":900719925474099312,"persistence_dir":"/var/upstream","agent":` + agent +
		`,"parent_conversation_id":"` + foreign + `","sub_conversation_ids":["` + foreign + `","` + own + `"]},"kind":"ConversationStateUpdateEvent"`
	event := `{"id":"e","source":"environment",` + state + `}`
	said := []string{
		event,
		`{"type":"event","event":` + event + `}`,
		`{"id":"e","key":"agent","value":` + agent + `,"kind":"ConversationStateUpdateEvent"}`,
		`{"id":"e","key": "agent", "value":` + agent + `}`,
	}
	for _, path := range []string{"/sockets/events/", "/sockets/session/"} {
		for n, got := range w.hearing("ann", path+id.String(), said...) {
			for _, hidden := range []string{"hidden", "/var/upstream", foreign, operatorKey} {
				if strings.Contains(got, hidden) {
					t.Errorf("%s, message %d holds %q", path, n, hidden)
				}
			}
			if !strings.Contains(got, `"m<&>"`) || n < 2 && (!strings.Contains(got, own) || !strings.Contains(got, "900719925474099312")) {
				t.Errorf("%s, message %d lost something: %.300s", path, n, got)
			}
		}
	}
}

func TestOtherLiveEventsPassAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	said := []string{
		`{ "b": 1,  "a": "full_state" }`, `{"key":"full_state","value":3 }`, `{"key": "agent","value":"x" }`, `no JSON "full_state"`,
		`{"key":"execution_status", "value":"running","kind":"ConversationStateUpdateEvent"}`, `["full_state" ]`, "",
		`{"persistence_dir":"said by an agent",  "source":"agent"}`,
	}
	for n, got := range w.hearing("ann", "/sockets/events/"+w.create("ann", nil).String(), said...) {
		if got != said[n] {
			t.Errorf("%q became %q", said[n], got)
		}
	}
}

// What cannot be looked up is not shown, not even one's own.
func TestALiveStateWithoutTheDatabaseShowsNoOtherConversation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id, own := w.create("ann", nil), w.create("ann", nil).String()
	state := `{"key":"full_state","value":{"persistence_dir":"/var","parent_conversation_id":"` + own + `"}}`
	w.away = func() { _ = w.db.Close() }
	if got := w.hearing("ann", "/sockets/events/"+id.String(), state)[0]; strings.Contains(got, own) || strings.Contains(got, "/var") {
		t.Errorf("got %s", got)
	}
}

func TestWhoMayOnlyListenIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.create("ann", nil).String()
	for path, want := range map[string]map[string]any{
		"/sockets/events/":  {"kind": "ServerErrorEvent", "source": "environment", "code": "Forbidden"},
		"/sockets/session/": {"type": "error", "code": "Forbidden"},
	} {
		w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
			c, err := websocket.Accept(rw, r, nil)
			if err != nil {
				return true
			}
			defer func() { _ = c.CloseNow() }()
			_, message, err := c.Read(r.Context())
			if err == nil {
				t.Errorf("%s: the upstream heard %s", path, message)
			}
			return true
		})
		c, _, err := websocket.Dial(t.Context(), w.url+path+id, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer vic"}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Write(t.Context(), websocket.MessageText, []byte(`{"role":"user","content":[]}`)); err != nil {
			t.Fatal(err)
		}
		_, message, err := c.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := parsed[map[string]any](t, string(message))
		for name, v := range want {
			if got[name] != v {
				t.Errorf("%s: %s is %v, want %v", path, name, got[name], v)
			}
		}
		if detail, _ := got["detail"].(string); !strings.Contains(detail, "not sent") {
			t.Errorf("%s: %s", path, message)
		}
		_ = c.CloseNow()
	}
}
