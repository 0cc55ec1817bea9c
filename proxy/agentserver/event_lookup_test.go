package agentserver_test

import (
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"
)

// history is an upstream with the events a and b, which fails like the real one when it is asked for another.
func (w *world) history(failures *atomic.Int32) {
	event := func(id string) string { return `{"id":"` + id + `","full_output_save_dir":"` + hostFolder + `"}` }
	w.upstream.script(func(rw http.ResponseWriter, r *http.Request, body []byte) bool {
		if !strings.Contains(r.URL.Path, "/events") {
			return false
		}
		ids := []string{path.Base(r.URL.Path)}
		switch {
		case strings.HasSuffix(r.URL.Path, "/search"):
			first := "a" // an unknown place is the beginning
			if r.URL.Query().Get("page_id") == "b" {
				first = "b"
			}
			_, _ = rw.Write([]byte(`{"items":[` + event(first) + `],"next_page_id":null}`))
			return true
		case len(body) > 0:
			_ = json.Unmarshal(body, &ids)
		}
		var said []string
		for _, id := range ids {
			if id != "a" && id != "b" {
				failures.Add(1)
				rw.WriteHeader(http.StatusInternalServerError)
				return true
			}
			said = append(said, event(id))
		}
		if len(body) == 0 {
			_, _ = rw.Write([]byte(said[0]))
		} else {
			_, _ = rw.Write([]byte("[" + strings.Join(said, ",") + "]"))
		}
		return true
	})
}

func TestTheUpstreamIsNeverAskedForAnEventThatItDoesNotHave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	talk := conversationsPath + "/" + w.create("ann", nil).String()
	var failures atomic.Int32
	w.history(&failures)
	missing := w.ask("ann", "GET", conversationsPath+"/"+w.create("bob", nil).String()+"/events/a", nil)
	for id, want := range map[string]int{"a": 200, "b": 200, "c": 404, "%E2%82%AC": 404, "a&limit=2": 404} {
		a := w.ask("ann", "GET", talk+"/events/"+id, nil)
		if a.status != want || want == 404 && a.body != missing.body || want == 200 && !strings.Contains(a.body, `"id":"`+id+`"`) {
			t.Errorf("%s: %d %s, want %d", id, a.status, a.body, want)
		}
	}
	for ids, want := range map[string]string{
		`["a","b"]`: "a b", `["b","c","a","b"]`: "b - a b", `["c"]`: "-", `["c","d","a"]`: "- - a", `["a","a"]`: "a a",
	} {
		a := w.ask("ann", "GET", talk+"/events", ids)
		var got []string
		for _, event := range parsed[[]*struct{ ID string }](t, a.body) {
			if event == nil {
				got = append(got, "-")
				continue
			}
			got = append(got, event.ID)
		}
		if a.status != 200 || strings.Join(got, " ") != want || strings.Contains(a.body, hostFolder) {
			t.Errorf("%s: %d %s, want %s", ids, a.status, a.body, want)
		}
	}
	if n := failures.Load(); n > 0 {
		t.Errorf("the upstream failed %d times", n)
	}
}
