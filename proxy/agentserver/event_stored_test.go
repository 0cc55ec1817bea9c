package agentserver_test

import (
	"net/http"
	"strings"
	"testing"
)

// says answers what is asked about events. All that are looked up are there.
func (w *world) says(body string) {
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, _ []byte) bool {
		if !strings.Contains(r.URL.Path, "/events") {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		if id := r.URL.Query().Get("page_id"); id != "" {
			_, _ = rw.Write([]byte(`{"items":[{"id":"` + id + `"}],"next_page_id":null}`))
			return true
		}
		_, _ = rw.Write([]byte(body))
		return true
	})
}

func TestStoredStatesShowNothingOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	foreign, id := w.create("bob", nil).String(), conversationsPath+"/"+w.create("ann", nil).String()
	agent := `{"id":"e","key":"agent","value":{"n":900719925474099312,"llm":{"model":"m<&>","extra_headers":{"A":"hidden"},"litellm_extra_body":{"b":"hidden"}}}}`
	full := `{"id":"f","key":"full_state","value":{"persistence_dir":"hidden","parent_conversation_id":"` + foreign + `"}}`
	for path, body := range map[string]string{
		"/events/search?limit=2": `{"items":[` + agent + `,` + full + `,{"id":"g","text":"kept"}],"next_page_id":null}`,
		"/events/e":              agent,
		"/events":                `[null,` + agent + `,` + full + `]`,
	} {
		w.says(body)
		var ids any
		if path == "/events" {
			ids = `["e"]`
		}
		a := w.ask("ann", "GET", id+path, ids)
		if a.status != 200 || strings.Contains(a.body, "hidden") || strings.Contains(a.body, foreign) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
		if !strings.Contains(a.body, `"m<&>"`) || !strings.Contains(a.body, "900719925474099312") || strings.Contains(body, "kept") != strings.Contains(a.body, "kept") {
			t.Errorf("%s lost something: %s", path, a.body)
		}
	}
}

func TestOtherStoredEventsPassAsTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := conversationsPath + "/" + w.create("ann", nil).String()
	long := `{ "items": ["` + strings.Repeat("long ", 4<<20) + `"] }`
	for _, body := range []string{`{ "items": [ {"b":1, "a":2} ] }`, `[ ]`, `{"key":"agent", "value":"x"}`, `no JSON "full_state"`, "", long} {
		w.says(body)
		if a := w.ask("ann", "GET", id+"/events/search", nil); a.status != 200 || a.body != body {
			t.Errorf("%.60q became %d %.60q", body, a.status, a.body)
		}
	}
}

func TestAStateBeyondWhatIsLookedThroughEndsTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := conversationsPath + "/" + w.create("ann", nil).String()
	w.says(`{"items":["` + strings.Repeat("long ", 4<<20) + `",{"key":"agent","value":{"extra_headers":{"A":"hidden"}}}]}`)
	a, err := w.send(t.Context(), "ann", "GET", id+"/events/search", nil)
	if strings.Contains(a.body, "hidden") || err == nil && a.status == 200 {
		t.Errorf("%d, %v, %d bytes", a.status, err, len(a.body))
	}
}
